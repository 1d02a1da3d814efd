"""Nearest class mean on raw features."""

from __future__ import annotations

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.distances import squared_distances
from omnishot.nn.heads import class_means


class Centroid(Learner):
    """The nearest class mean of raw features (pixels, log-mel bands, token counts, numbers); nothing is learned.

    Paper: Tibshirani et al., Diagnosis of Multiple Cancer Types by Shrunken Centroids, PNAS 2002 (unshrunken)
    """

    meta_trained = False
    transductive = False  # raw features pass through no norm
    fuses = False

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        assert support.ways is not None
        return {"centroids": class_means(self.network.raw(support), support.target, support.ways)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return -squared_distances(self.network.raw(query), state["centroids"])
