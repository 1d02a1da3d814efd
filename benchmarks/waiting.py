"""What feeding costs: the share of a training step that is spent waiting for its meta-batch.

The same steps are taken in three ways, in turn: fed by the loader's background thread, as training does it; with
every meta-batch made when it is wanted; and on one meta-batch, over and over, which needs no data at all. `waiting`
is what the step stood still for; `slower` is all that feeding costs, the processor's share of the background thread
included, against no data at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import timing
import torch

from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.rows import Episode
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import ClassTasks
from omnishot.experiment.build import pick_device
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.modality.base import Modality
from omnishot.modality.image import Image
from omnishot.modality.tabular import Tabular
from omnishot.nn.network import build_network
from omnishot.objectives.classify import Classify
from omnishot.training.engine.backward import backward

CLASSES, EACH, SIZE, COLUMNS = 1000, 20, 28, 16
WAYS, SHOTS, QUERIES = 5, 1, 5  # as training does unless it is told otherwise


@dataclass(frozen=True)
class Case:
    """One training: its learner, its input and the tasks of a step."""

    name: str
    learner: str
    modality: Modality
    stored: np.ndarray
    tasks: int


def cases() -> list[Case]:
    """A convolutional network, and one so small that nearly everything else counts."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(256, size=(CLASSES * EACH, 1, SIZE, SIZE), dtype=np.uint8)
    numbers = np.ones((CLASSES * EACH, COLUMNS, 2), np.float32)
    numbers[..., 0] = rng.normal(size=numbers.shape[:2])
    columns = tuple(f"x{i}" for i in range(COLUMNS))
    photo = Image((SIZE, SIZE), 1, (0.5,), (0.3,))
    facts = Tabular(columns, ("number",) * COLUMNS, (0.0,) * COLUMNS, (1.0,) * COLUMNS, ((),) * COLUMNS)
    return [
        Case("protonet, Conv-4, 16 tasks", "protonet", photo, pictures, 16),
        Case("protonet, Conv-4, 2 tasks", "protonet", photo, pictures, 2),
        Case("maml, MLP, 16 tasks", "maml", facts, numbers, 16),
        Case("protonet, MLP, 16 tasks", "protonet", facts, numbers, 16),
        Case("protonet, MLP, 2 tasks", "protonet", facts, numbers, 2),
    ]


def prepare(case: Case, device: torch.device) -> tuple[Loader, Callable[[Episode], None]]:
    """A loader, and one step of training on what it gives."""
    store = Store({"x": case.modality}, {"x": case.stored}, np.ones((CLASSES * EACH, 1), bool)).to(device)
    source = ClassTasks(np.repeat(np.arange(CLASSES), EACH), np.arange(CLASSES * EACH))
    torch.manual_seed(0)
    options = {"ways": WAYS} if case.learner == "maml" else {}
    learner: Learner = LEARNERS.load(case.learner)(build_network(store.modalities), Classify(), **options)
    learner.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(learner.parameters())

    def step(batch: Episode) -> None:
        optimizer.zero_grad(set_to_none=False)
        losses = backward(learner, batch.to(device))
        optimizer.step()
        losses.mean().item()

    return Loader(store, source, Shape(case.tasks, WAYS, SHOTS, QUERIES)), step


def time_case(case: Case, steps: int, rounds: int, device: torch.device) -> list[dict]:
    """What a step and a meta-batch take, the share of waiting, and how much slower a step is than without data."""
    loader, step = prepare(case, device)
    waits: list[list[float]] = []
    ready = loader.batch(0)

    def fed() -> Iterator[Episode]:
        waits.append([])
        return loader.stream(0, steps, waited=waits[-1].append)

    def run(batches: Callable[[], Iterator[Episode]]) -> Callable[[], None]:
        def take() -> None:
            for batch in batches():
                step(batch)

        return take

    ways = {
        "fed": fed,
        "made when wanted": lambda: map(loader.batch, range(steps)),
        "no data": lambda: iter([ready] * steps),
    }
    seconds = timing.interleave({name: run(batches) for name, batches in ways.items()}, rounds)
    # The first batch of a stream is made while nothing is computed; a training waits for it once.
    waiting = np.array([sum(each[1:]) for each in waits[-rounds:]]) / seconds["fed"]
    alone = []
    for i in range(30):
        began = time.perf_counter()
        loader.batch(i)
        alone.append(time.perf_counter() - began)
    return [
        timing.figure(case.name, "step without data", 1e3 * seconds["no data"] / steps, "ms"),
        timing.figure(case.name, "making a meta-batch", 1e3 * np.array(alone), "ms"),
        timing.figure(case.name, "waiting", 100 * waiting, "%", at_most=2),
        *(
            timing.figure(case.name, f"slower, {name}", 100 * (own / seconds["no data"] - 1), "%")
            for name, own in seconds.items()
            if name != "no data"
        ),
    ]


def main() -> None:
    parser = timing.arguments(__doc__, rounds=7)
    parser.add_argument("--steps", type=int, default=20, help="steps in a round")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    device = pick_device(args.device)
    timing.report(args, [record for case in cases() for record in time_case(case, args.steps, args.rounds, device)])


if __name__ == "__main__":
    main()
