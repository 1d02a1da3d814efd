"""Whether what is heard has as many moments as there is to write down."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from omnishot.errors import DataError
from omnishot.experiment.dataset import Dataset
from omnishot.learners.base import Learner


def check_moments(learner: Learner, data: Dataset) -> None:
    """See that a decoder that writes along the memory's slots has enough of them for the training texts.

    Some texts too long are left out of the training loss, with a warning that names one.

    Raises:
        DataError: if most are too long.
    """
    objective, network = data.objective, learner.network
    if not objective.writes_texts:
        return
    assert data.store.target is not None
    head, rows = learner.get_submodule("head"), np.flatnonzero(data.parts == "train")
    needed = head.needs(torch.as_tensor(data.store.target[rows]))  # type: ignore[operator]
    if needed is None:
        return
    moments = network.time_steps
    most = needed.amax(-1).numpy()
    long = np.flatnonzero(most > moments)
    if not len(long):
        return
    row = int(rows[long[most[long].argmax()]])
    text = max(data.table.texts[row], key=len)
    said = (
        f"{data.table.name}: {len(long)} of {len(rows)} training texts are too long for decoder {type(head).__name__.lower()!r}, "
        f"which writes one token a moment: row {data.table.row_number(row)} needs {most.max()} moments for {text!r}, "
        f"and rows have {moments}. Let rows have more (level='token', and shorter parts: audio.times=4, --audio.times "
        "4, or less), or choose another decoder (--objective-options.decoder transformer)"
    )
    if len(long) > len(rows) / 2:
        raise DataError(said)
    warnings.warn(f"{said}; without that they are not learned from", stacklevel=3)
