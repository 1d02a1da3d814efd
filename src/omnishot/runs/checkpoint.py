"""Checkpoints of a training: written, read, and resumed from."""

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
class TrainingState:
    """How far a training has come: all that a checkpoint holds beside tensors.

    Args:
        step: steps done.
        best: the best validation figure; None before there is one.
        best_step: the step after which it was measured.
        stale: validations since the best one.
        skipped: consecutive last steps whose loss or gradient was not finite.
        seconds: spent on training and validation so far.
        waited: seconds of these in which the next batch was not ready.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    skipped: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def wait(self, seconds: float) -> None:
        """Add the time for which a batch was waited for."""
        self.waited += seconds


def load_parameters(learner: Learner, path: Path) -> dict:
    """Give a learner the parameters of a checkpoint; returns the facts stored with them.

    Raises:
        DataError: if the file is damaged or belongs to another learner.
    """
    tensors, facts = read_tensors(path)
    fill(learner, tensors, facts, path)
    return facts


def load_params(learner: Learner, params: Mapping[str, Tensor]) -> None:
    """Fill a learner's parameters; buffers, which a user's module may have, stay as its constructor made them.

    Raises:
        RuntimeError: if they are not this learner's.
    """
    kept = {name: tensor for name, tensor in learner.state_dict().items() if name not in learner.params()}
    learner.load_state_dict(kept | dict(params))


def fill(learner: Learner, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], path: Path) -> None:
    """Give a learner the parameters, and its objective's fitted settings, that the checkpoint `path` holds.

    Raises:
        DataError: if it belongs to another learner.
    """
    own = {n.removeprefix("learner/"): t for n, t in tensors.items() if not n.startswith("optimizer/")}
    try:
        load_params(learner, own)
    except RuntimeError as error:
        raise DataError(f"{path} does not fit this run's learner: {error}") from None
    if "objective" in facts:  # with what was fitted to the validation tasks
        learner.objective = restore_objective(facts["objective"])


def save_last(
    learner: Learner, optimizer: torch.optim.Optimizer, state: TrainingState, folder: Path, ranks: Ranks = ALONE
) -> None:
    """Write the last checkpoint, and continue from it on every rank: other processors may have rounded differently."""
    averages = [t for values in optimizer.state.values() for t in values.values() if t.dim()]
    ranks.broadcast([*learner.parameters(), *averages])
    if ranks.rank == 0:
        write_atomic(folder / "last" / CHECKPOINT, pack(_tensors(learner, optimizer), asdict(state)))


def _tensors(learner: Learner, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    names = [name for name, _ in learner.named_parameters()]
    of_optimizer = {names[i]: values for i, values in optimizer.state_dict()["state"].items()}
    return flatten({"learner": learner.params(), "optimizer": of_optimizer})


def restore_last(
    learner: Learner, optimizer: torch.optim.Optimizer, folder: Path, resume: bool, ranks: Ranks
) -> TrainingState:
    """Give every rank rank 0's last checkpoint; without one, or unless `resume`, rank 0's initial parameters.

    Raises:
        DataError: if the checkpoint is damaged or belongs to another learner.
    """
    path = folder / "last" / CHECKPOINT
    saved = ranks.on_main(lambda: read_tensors(path) if resume and path.exists() else None)
    if saved is None:
        ranks.broadcast(learner.parameters())
        return TrainingState()
    tensors, facts = saved
    fill(learner, tensors, facts, path)
    by_name = unflatten(tensors).get("optimizer", {})
    state = optimizer.state_dict()
    state["state"] = {i: by_name[n] for i, (n, _) in enumerate(learner.named_parameters()) if n in by_name}
    optimizer.load_state_dict(state)
    return TrainingState(**{name: facts[name] for name in TrainingState.__dataclass_fields__ if name in facts})
