"""Episodes sampled and collated per second, beside PyTorch's DataLoader doing the same work.

5-way 5-shot with 15 query rows a class, 28×28 grey pictures stored as uint8, 16 tasks a batch; what comes out on
either side is normalised float32, support and query apart. The pictures are in memory, or in a memory-mapped file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import timing
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from omnishot.core.malloc import keep_freed_memory
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.rows import Episode
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import ClassTasks
from omnishot.modality.image import Image

CLASSES, EACH, SIZE = 1623, 20, 28  # as many as Omniglot has
MEAN, STD = 0.1, 0.3
WAYS, SHOTS, QUERIES, TASKS = 5, 5, 15, 16


class Pictures(Dataset):
    """One normalised picture and its class."""

    def __init__(self, pixels: np.ndarray, codes: np.ndarray):
        self.pixels, self.codes = pixels, codes

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        picture = torch.from_numpy(self.pixels[row].copy()).float() / 255
        return (picture - MEAN) / STD, int(self.codes[row])


class TaskBatches(Sampler[list[int]]):
    """The row numbers of `TASKS` tasks at a time: class by class the support rows, then the query rows."""

    def __init__(self, codes: np.ndarray, batches: int):
        self.rows = [np.flatnonzero(codes == k) for k in range(CLASSES)]
        self.batches = batches
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.batches):
            batch: list[int] = []
            for _ in range(TASKS):
                for k in self.rng.choice(CLASSES, WAYS, replace=False):
                    batch += self.rng.choice(self.rows[k], SHOTS + QUERIES, replace=False).tolist()
            yield batch


def split(batch: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """What the default collate gave, as support `[tasks, 25, …]`, query `[tasks, 75, …]` and the query's targets."""
    pictures = batch[0].view(TASKS, WAYS, SHOTS + QUERIES, 1, SIZE, SIZE)
    targets = torch.arange(WAYS).repeat_interleave(QUERIES).repeat(TASKS, 1)
    return pictures[:, :, :SHOTS].flatten(1, 2), pictures[:, :, SHOTS:].flatten(1, 2), targets


def with_dataloader(pixels: np.ndarray, codes: np.ndarray, batches: int, workers: int) -> Callable[[], None]:
    """One pass over `batches` meta-batches; worker processes are started once and kept."""
    data = Pictures(pixels, codes)
    loader = DataLoader(
        data, batch_sampler=TaskBatches(codes, batches), num_workers=workers, persistent_workers=workers > 0
    )

    def run() -> None:
        for batch in loader:
            support, query, _ = split(batch)
            check(support, query)

    return run


def check(support: Tensor, query: Tensor) -> None:
    """Both sides hand out the same: shapes and type."""
    assert support.shape == (TASKS, WAYS * SHOTS, 1, SIZE, SIZE)
    assert query.shape == (TASKS, WAYS * QUERIES, 1, SIZE, SIZE)
    assert support.dtype == query.dtype == torch.float32


def with_omnishot(pixels: np.ndarray, codes: np.ndarray, batches: int, prefetch: bool) -> Callable[[], None]:
    """The same number of meta-batches, in this thread or from the background thread."""
    image, present = Image((SIZE, SIZE), 1, (MEAN,), (STD,)), np.ones((len(pixels), 1), bool)
    store = Store({"photo": image}, {"photo": pixels}, present)
    loader = Loader(store, ClassTasks(codes, np.arange(len(pixels))), Shape(TASKS, WAYS, SHOTS, QUERIES))

    def run() -> None:
        episodes: Iterator[Episode] = map(loader.batch, range(batches))
        for episode in loader.stream(0, batches) if prefetch else episodes:
            check(episode.support.inputs["photo"], episode.query.inputs["photo"])

    return run


def main() -> None:
    parser = timing.arguments(__doc__, rounds=9)
    parser.add_argument("--batches", type=int, default=20, help=f"meta-batches of {TASKS} tasks in a round")
    args = parser.parse_args()
    keep_freed_memory()  # as training does; here for both sides
    codes = np.repeat(np.arange(CLASSES), EACH)
    memory = np.random.default_rng(0).integers(256, size=(len(codes), 1, SIZE, SIZE), dtype=np.uint8)
    records = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        np.save(path, memory)
        for where, pixels in (("in memory", memory), ("memory-mapped", np.load(path, mmap_mode="r"))):
            runs = {
                f"omnishot{', prefetch' if prefetch else ''}": with_omnishot(pixels, codes, args.batches, prefetch)
                for prefetch in (False, True)
            } | {
                f"DataLoader, {workers} workers": with_dataloader(pixels, codes, args.batches, workers)
                for workers in (0, 2)
            }
            seconds = timing.interleave(runs, args.rounds)
            title = f"sampling, pictures {where}"
            amount = args.batches * TASKS
            records += timing.compare(title, "episodes", amount, seconds, "DataLoader, 0 workers", at_least=20)
    timing.report(args, records, ("omnishot",))


if __name__ == "__main__":
    main()
