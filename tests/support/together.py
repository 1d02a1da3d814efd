"""What two ranks do in tests/core/test_distributed.py: `torchrun … tests/support/together.py WORK FOLDER`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from support import helpers, tables

from omnishot.cli.main import main
from omnishot.core.distributed import Ranks, is_first_to_report, join
from omnishot.episodes.rows import Episode
from omnishot.errors import DataError
from omnishot.learners.base import Learner, Params
from omnishot.learners.transfer import Transfer
from omnishot.table.cache import decoded, derived
from omnishot.training.engine.backward import backward
from omnishot.training.train import train
from omnishot.training.trainer import Trainer

#: A run of ten steps with everything random in it; three tasks are no even share for two ranks.
OPTIONS = tables.QUICK | {"learner": "maml", "steps": 10, "tasks": 3, "val_every": 4, "dropout": 0.3, "seed": 5}
TASKS = (1, 2, 3, 5)
CELLS = [bytes([i]) for i in range(7)] + [None, b"bad"]


def learners() -> dict[str, Learner]:
    """Small float64 learners over three inputs."""
    names = ("photo", "words", "facts")
    return {name: helpers.learner(name, helpers.network(*names)) for name in ("maml", "protonet")}


def batch(tasks: int) -> Episode:
    """A meta-batch whose odd tasks, those of rank 1 of 2, have no words."""
    modalities = helpers.network("photo", "words", "facts").modalities
    episode = helpers.random_episode(modalities, tasks, seed=tasks)
    for half in (episode.support, episode.query):
        half.present[1::2, :, list(modalities).index("words")] = False
    return episode


def gradients(ranks: Ranks) -> dict[str, torch.Tensor]:
    """The reduced meta-gradients of both learners over meta-batches of all sizes, and the losses."""
    found = {}
    for name, learner in learners().items():
        for tasks in TASKS:
            whole, share = batch(tasks), slice(ranks.rank, None, ranks.world)
            own = Episode(whole.support.select(share), whole.query.select(share))
            learner.zero_grad()
            losses = torch.zeros(tasks, dtype=torch.float64)
            if own.tasks:
                losses[share] = backward(learner, own)
            found[f"{name}/{tasks}/losses"] = ranks.reduce_gradients(learner.parameters(), own.tasks / tasks, losses)
            for parameter, p in learner.named_parameters():
                assert p.grad is not None
                found[f"{name}/{tasks}/{parameter}"] = p.grad.clone()
    return found


def talk(ranks: Ranks, folder: Path) -> dict[str, object]:
    """What ranks tell each other."""
    shared = [torch.full((2, 3), float(ranks.rank)).T, torch.tensor(ranks.rank)]
    ranks.broadcast(shared)
    total = torch.arange(3.0) * (ranks.rank + 1)
    ranks.reduce(total)
    try:
        raised = ranks.on_main(lambda: (_ for _ in ()).throw(DataError("rank 0 has no disk")))
    except DataError as error:
        raised = str(error)
    return {
        "rank": ranks.rank,
        "gathered": ranks.gather({"rank": ranks.rank}),
        "led": ranks.on_main(lambda: f"rank {ranks.rank}"),
        "raised": raised,
        "shared": [t.tolist() for t in shared],
        "total": total.tolist(),
        "says": [is_first_to_report("both"), is_first_to_report(f"rank {ranks.rank}")],
        "host": [ranks.host().rank, ranks.host().world],
    }


def cache(ranks: Ranks, folder: Path) -> dict[str, object]:
    """A cache that both ranks fill, and what is in it."""
    opened = []

    def decode(content: bytes | np.ndarray) -> np.ndarray:
        opened.append(content)
        if content == b"bad":
            raise ValueError("no number")
        return np.full(2, content[0])

    given = {"key_settings": {}, "shape": (2,), "dtype": np.uint8, "decode": decode, "folder": None}
    stored, present, bad = decoded(CELLS, root=folder / "cells", host=ranks.host(), **given)
    count = len(opened)
    again = decoded(CELLS, root=folder / "cells", host=ranks.host(), **given)
    assert np.array_equal(again[0], stored)

    doubled = []

    def double(cells: np.ndarray) -> np.ndarray:
        doubled.append(len(cells))
        return 2 * cells

    given = {"key_settings": {}, "shape": (2,), "dtype": np.uint8, "derive": double, "root": folder / "derived"}
    made = derived(stored, present, host=ranks.host(), **given)
    own = sum(doubled)
    assert np.array_equal(derived(stored, present, **given), made)  # one rank alone finds what two have made
    return {
        "derived": made.tolist(),
        "doubled": [own, sum(doubled)],
        "opened": count,
        "opened again": len(opened) - count,
        "stored": stored.tolist(),
        "present": present.tolist(),
        "bad": bad,
        "left": sorted(path.name for path in (folder / "cells").iterdir()),
    }


def rocky(ranks: Ranks, folder: Path) -> dict[str, torch.Tensor]:
    """The parameters after a training, old rows and all, in which the loss of rank 1 is no number at the third step."""
    own = Transfer.loss

    def loss(self: Transfer, params: Params, episode: Episode) -> torch.Tensor:
        bad = ranks.rank == 1 and round(self.progress * 6) == 2
        return own(self, params, episode) * (float("nan") if bad else 1)

    plain, Transfer.loss = Transfer.at, loss
    Transfer.at = lambda self, progress: self._with("progress", progress)
    options = OPTIONS | {"learner": "transfer", "steps": 6, "memory": 8, "fit_steps": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = train(folder / "birds.csv", target="species", out=folder / "rocky", **options)
    Transfer.loss, Transfer.at = own, plain
    return run.learner.params()


def work(folder: Path) -> None:
    """Everything that needs no accident."""
    ranks = join()
    torch.save(gradients(ranks), folder / f"gradients-{ranks.rank}.pt")
    found = {"talk": talk(ranks, folder), "cache": cache(ranks, folder)}
    run = train(folder / "birds.csv", target="species", out=folder / "whole", **OPTIONS)
    found["figures"] = [f | {"seconds": 0} for f in run.evaluate(episodes=21).to_json()]
    torch.save(run.learner.params(), folder / f"parameters-{ranks.rank}.pt")
    torch.save(rocky(ranks, folder), folder / f"rocky-{ranks.rank}.pt")
    with contextlib.redirect_stderr(io.StringIO()) as error:
        found["code"] = main(["train", str(folder / "birds.csv"), "--target=species", "--out", str(folder / "whole")])
    found["error"] = error.getvalue()
    (folder / f"found-{ranks.rank}.json").write_text(json.dumps(found))


def accident(who: int, step: int, how: str) -> None:
    """Send a signal to this process within a step, if it is rank `who`."""
    own = Trainer.step

    def patched(self, now, batch):
        if now == step and join().rank == who:
            os.kill(os.getpid(), getattr(signal, how))
        return own(self, now, batch)

    Trainer.step = patched


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "work":
        work(Path(sys.argv[2]))
    else:
        what, who, step, how = sys.argv[1].split(":")
        accident(int(who), int(step), how)
        sys.exit(main(sys.argv[2:]))
