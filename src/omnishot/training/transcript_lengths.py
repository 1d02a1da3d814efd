"""Whether inputs have as many time steps as their transcripts need."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from omnishot.errors import DataError
from omnishot.experiment.dataset import Dataset
from omnishot.learners.base import Learner


def check_transcript_lengths(learner: Learner, data: Dataset) -> None:
    """Check that inputs have enough time steps for a decoder that writes at most one token per time step.

    Texts that are too long are left out of the training loss, with a warning that names one.

    Raises:
        DataError: if most of the training texts are too long.
    """
    if not data.objective.writes_texts or data.store.target is None:
        return
    head, rows = learner.get_submodule("head"), np.flatnonzero(data.parts == "train")
    needed = head.needs(torch.as_tensor(data.store.target[rows]))  # type: ignore[operator]
    if needed is None:
        return
    time_steps = learner.network.time_steps
    most = needed.amax(-1).numpy()
    long = np.flatnonzero(most > time_steps)
    if not len(long):
        return
    row = int(rows[long[most[long].argmax()]])
    text = max(data.table.texts[row], key=len)
    problem = (
        f"{data.table.name}: {len(long)} of {len(rows)} training texts are too long for decoder "
        f"{type(head).__name__.lower()!r}, which writes one token a time step: row {data.table.row_number(row)} needs "
        f"{most.max()} time steps for {text!r}, and rows have {time_steps}. Let rows have more (level='token', and "
        "shorter parts: audio.times=4, --audio.times 4, or less), or choose another decoder "
        "(--objective-options.decoder transformer)"
    )
    if len(long) > len(rows) / 2:
        raise DataError(problem)
    warnings.warn(f"{problem}; nothing is learned from texts that are too long", stacklevel=5)
