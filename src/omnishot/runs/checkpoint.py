"""What a training leaves on disk, and how it goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from omnishot.core.distributed import ALONE, Ranks
from omnishot.core.storage import flatten, pack, read_tensors, unflatten, write_atomic
from omnishot.errors import DataError
from omnishot.experiment.objective import restore_objective
from omnishot.learners.base import Learner

CHECKPOINT = "checkpoint.safetensors"


@dataclass
class Progressed:
    """Where a training stands: all that a checkpoint holds beside tensors.

    Args:
        stale: validations since the best one.
        skipped: steps since the last one whose loss and gradient were finite.
        waited: of the `seconds`, those that it had no data.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    skipped: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def wait(self, seconds: float) -> None:
        """Note that a meta-batch was waited for."""
        self.waited += seconds


def load_parameters(learner: Learner, path: Path) -> dict:
    """Fill a learner from a checkpoint; returns the facts stored with it.

    Raises:
        DataError: if the file is damaged or belongs to another learner.
    """
    tensors, about = read_tensors(path)
    fill(learner, tensors, about, path)
    return about


def fill(learner: Learner, tensors: Mapping[str, Tensor], about: Mapping[str, Any], path: Path) -> None:
    """Fill a learner from the tensors and facts of the checkpoint `path`.

    Raises:
        DataError: if it belongs to another learner.
    """
    own = {n.removeprefix("learner/"): t for n, t in tensors.items() if not n.startswith("optimizer/")}
    try:
        learner.load_state_dict(own)
    except RuntimeError as error:
        raise DataError(f"{path} does not fit this run's learner: {error}") from None
    if "objective" in about:  # with what was fitted to the validation tasks
        learner.objective = restore_objective(about["objective"])


def save(
    learner: Learner, optimizer: torch.optim.Optimizer, state: Progressed, folder: Path, ranks: Ranks = ALONE
) -> None:
    """Write the last checkpoint, from which every rank goes on: other processors may have rounded otherwise."""
    moments = [t for values in optimizer.state.values() for t in values.values() if t.dim()]
    ranks.broadcast([*learner.parameters(), *moments])
    if ranks.rank == 0:
        write_atomic(folder / "last" / CHECKPOINT, pack(_tensors(learner, optimizer), asdict(state)))


def _tensors(learner: Learner, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    names = [name for name, _ in learner.named_parameters()]
    moments = {names[i]: values for i, values in optimizer.state_dict()["state"].items()}
    return flatten({"learner": learner.params(), "optimizer": moments})


def begin(learner: Learner, optimizer: torch.optim.Optimizer, folder: Path, resume: bool, ranks: Ranks) -> Progressed:
    """Every rank in the state of rank 0's last checkpoint, or without one with the parameters that rank 0 drew."""
    path = folder / "last" / CHECKPOINT
    saved = ranks.on_main(lambda: read_tensors(path) if resume and path.exists() else None)
    if saved is None:
        ranks.broadcast(learner.parameters())
        return Progressed()
    tensors, about = saved
    fill(learner, tensors, about, path)
    moments = unflatten(tensors).get("optimizer", {})
    state = optimizer.state_dict()
    state["state"] = {i: moments[n] for i, (n, _) in enumerate(learner.named_parameters()) if n in moments}
    optimizer.load_state_dict(state)
    return Progressed(**{name: about[name] for name in Progressed.__dataclass_fields__ if name in about})
