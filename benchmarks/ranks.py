"""How much faster two ranks train than one, each with one thread: whole trainings of a few steps, in turn.

The command starts the ranks itself. While one rank trains alone, the others wait without using a core. Before anything
is timed, the reduced meta-gradient is compared with that of one rank, in float64.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timing
import torch

from omnishot.core.distributed import ALONE, Ranks, join
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.rows import Episode
from omnishot.episodes.store import Store
from omnishot.episodes.tasks import ClassTasks
from omnishot.experiment.build import build_learner
from omnishot.experiment.config import Config
from omnishot.learners.base import Learner
from omnishot.modality.image import Image
from omnishot.objectives.classify import Classify
from omnishot.training.engine.backward import backward
from omnishot.training.trainer import Trainer

CLASSES, EACH, SIZE = 200, 20, 28
SHAPE = Shape(tasks=16, ways=5, shots=1, queries=15)
CASES = {
    "second-order MAML, 1 inner step": Config(
        learner="maml", tasks=SHAPE.tasks, options={"inner_steps": 1, "head": "prototype"}
    ),
    "prototypical networks": Config(learner="protonet", tasks=SHAPE.tasks),
}


def loader() -> Loader:
    """Tasks of random pictures."""
    pictures = np.random.default_rng(0).integers(256, size=(CLASSES * EACH, 1, SIZE, SIZE), dtype=np.uint8)
    photo = Image((SIZE, SIZE), 1, (0.5,), (0.3,))
    store = Store({"photo": photo}, {"photo": pictures}, np.ones((CLASSES * EACH, 1), bool))
    return Loader(store, ClassTasks(np.repeat(np.arange(CLASSES), EACH), np.arange(CLASSES * EACH)), SHAPE)


def learner(config: Config) -> Learner:
    """A fresh learner over Conv-4."""
    return build_learner(config, loader().store.modalities, Classify(), SHAPE.ways, 0)


def check(config: Config, ranks: Ranks) -> None:
    """Stop unless the ranks' reduced meta-gradient is that of one rank."""
    batch = loader().batch(0).to("cpu", torch.float64)
    shard = slice(ranks.rank, None, ranks.world)
    own = Episode(batch.support.select(shard), batch.query.select(shard))
    alone, together = learner(config).double(), learner(config).double()
    backward(alone, batch)
    backward(together, own)
    ranks.reduce_gradients(together.parameters(), own.tasks / batch.tasks, torch.zeros(0, dtype=torch.float64))
    expected, got = (torch.cat([p.grad.flatten() for p in each.parameters()]) for each in (alone, together))
    error = float((got - expected).norm() / expected.norm())
    if not error < 1e-10:
        raise SystemExit(f"the meta-gradient of {ranks.world} ranks differs from that of one by {error:.1e}")


def training(config: Config, ranks: Ranks, world: Ranks) -> Callable[[], None]:
    """A whole training by `ranks`, for which all of `world` wait."""
    subject, tasks = learner(config), loader()

    def run() -> None:
        if ranks.world > 1 or world.rank == 0:
            with tempfile.TemporaryDirectory() as folder:
                Trainer(subject, tasks, None, config, Path(folder), ranks=ranks).run()
        world.barrier()

    return run


def time_case(name: str, config: Config, ranks: Ranks, rounds: int) -> list[dict]:
    """Steps a second of all ranks together, and of one."""
    check(config, ranks)
    contenders = {f"{ranks.world} ranks": training(config, ranks, ranks), "one rank": training(config, ALONE, ranks)}
    seconds = timing.interleave(contenders, rounds)
    required = 1.8 if ranks.world == 2 else None
    title = f"ranks: Conv-4, 5-way 1-shot, {SHAPE.queries} queries, {SHAPE.tasks} tasks, {name}"
    return timing.compare(title, "steps", config.steps, seconds, "one rank", at_least=required)


def main() -> None:
    parser = timing.arguments(__doc__, rounds=7)
    parser.add_argument("--steps", type=int, default=10, help="steps of a training")
    parser.add_argument("--ranks", type=int, default=2, help="each of which takes one core")
    args = parser.parse_args()
    if "WORLD_SIZE" not in os.environ:
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={args.ranks}"]
        sys.exit(subprocess.run([*start, *sys.argv], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False).returncode)
    torch.set_num_threads(1)
    ranks, records = join(), []
    for name, config in CASES.items():
        records += time_case(name, Config(**{**vars(config), "steps": args.steps}), ranks, args.rounds)
    if ranks.rank == 0:
        timing.report(args, records)


if __name__ == "__main__":
    main()
