"""Rows as unit vectors by one of their inputs, so that a product of two gives the cosine of their embeddings."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from omnishot.episodes.store import Store
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params

#: Rows per call of the network: more do not fit in a processor's caches.
CHUNK = 128


@torch.no_grad()
def unit_vectors(learner: Learner, params: Params, store: Store, name: str, rows: np.ndarray) -> np.ndarray:
    """The embedding of one input of some rows, of unit length: float32 `[rows, dim]`, zero where the cell is absent.

    Args:
        params: of the learner, or adapted to a task (`Learner.adapted`).
        store: of decoded rows; the input must be one of its own.
        rows: row numbers of the store.

    Raises:
        UsageError: if a row's embedding depends on the other rows, or the network has no embeddings.
    """
    if learner.network.transductive:
        raise UsageError("a row's embedding depends here on the rows beside it (batch norm): train with norm='group'")
    modality, place = store.modalities[name], list(store.modalities).index(name)
    params = {n: p.detach() for n, p in params.items()}
    vectors = []
    for start in range(0, len(rows), CHUNK):
        index = rows[start : start + CHUNK]
        cells = modality.normalise(torch.from_numpy(np.asarray(store.stored[name]).take(index, 0)).to(learner.device))
        present = torch.from_numpy(store.present[index, place]).to(learner.device)
        vectors.append(F.normalize(learner.embedding(params, name, cells, present), dim=-1).float().cpu().numpy())
    return np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)
