"""Predicts a table in parts, so that a large one is never decoded at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from omnishot.episodes.decoding import decode_table
from omnishot.episodes.rows import Rows
from omnishot.episodes.store import Store
from omnishot.evaluation.embeddings import CHUNK
from omnishot.experiment.new_modality import decode_new_inputs
from omnishot.modality.base import Modality
from omnishot.modality.features import Features
from omnishot.runs.model_file import AdaptedLearner
from omnishot.table.checking import BadCell
from omnishot.table.table import Table

#: Most bytes of decoded cells held at a time, unless CHUNK rows need more.
MEMORY = 64 << 20


def predict_table(model: AdaptedLearner, table: Table) -> tuple[Tensor, list[BadCell]]:
    """The compact prediction of every row (`Objective.compact`), `[rows, …]`, and the cells that could not be read.

    Such cells count as missing. Parts of the table are decoded one after another and predicted in chunks of CHUNK rows.
    A transductive learner predicts all rows as one batch, because they influence each other.
    """
    learner, total = model.learner, len(table)
    whole, new = learner.transductive, model.new_modality.modalities if model.new_modality else {}
    size = _rows_at_a_time([*learner.network.modalities.values(), *new.values()])
    predictions, bad = [], []
    for part in _ranges(total, total if whole else size):
        some = table.select(part) if len(part) < total else table
        store, bad_known = decode_table(some, learner.network.modalities)
        new_store, bad_new = decode_new_inputs(some, new)
        bad_part = sorted([*bad_known, *bad_new], key=lambda cell: cell.row)
        bad += [dataclasses.replace(cell, row=cell.row + part.start) for cell in bad_part]
        chunks = _ranges(len(part), len(part) if whole else CHUNK)
        predictions += [_predict_chunk(model, store, new_store, chunk) for chunk in chunks]
    return torch.cat(predictions), bad


def _predict_chunk(model: AdaptedLearner, store: Store, new_store: Store, chunk: range) -> Tensor:
    """The compact prediction of some rows of a store, on the CPU."""
    learner, rows = model.learner, store.gather(np.asarray(chunk))
    query = Rows(rows.inputs, rows.present, ways=len(model.classes_) or None).to(learner.device)
    if model.new_modality:
        query = model.new_modality.add_hints(query, new_store.gather(np.asarray(chunk)))
    return learner.objective.compact(learner.answer(model.state, query)).cpu()


def _rows_at_a_time(modalities: Sequence[Modality]) -> int:
    """How many rows of such inputs are decoded at a time."""
    read = [m.of if isinstance(m, Features) else m for m in modalities]
    row = sum(math.prod(m.shape) * np.dtype(m.dtype).itemsize for m in read)
    return max(CHUNK, MEMORY // row // CHUNK * CHUNK)


def _ranges(total: int, size: int) -> list[range]:
    """`range(total)` in pieces of `size`."""
    return [range(start, min(start + size, total)) for start in range(0, total, size)]
