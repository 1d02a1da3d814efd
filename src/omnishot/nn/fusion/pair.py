"""Fusion of two inputs that are compared."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omnishot.nn.fusion.base import Fusion
from omnishot.nn.layers import mask
from omnishot.nn.linear import Linear


class Pair(Fusion):
    """Two embeddings u and v, |u − v| and u·v in every dimension, and the presence flags, through two layers.

    Meant for inputs of one kind with one encoder (`shared`), whose embeddings have the same meaning in every dimension.
    Where one is absent, difference and product are zero. InferSent compares sentences by these four; this fusion adds
    the presence flags, and leaves the classifier to the head.

    Paper: Conneau et al., Supervised Learning of Universal Sentence Representations from Natural Language Inference Data, EMNLP 2017
    """  # noqa: E501

    symmetric = False  # one matrix reads both in order: entailment, for example, is not symmetric
    takes = 2

    def __init__(self, inputs: int, dim: int):
        super().__init__()
        self.read = Linear(4 * dim + inputs, 2 * dim)
        self.mix = Linear(2 * dim, dim)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        u, v = embeddings.unbind(-2)
        compared = mask(torch.cat([(u - v).abs(), u * v], -1), present.all(-1))
        read = self.read(torch.cat([u, v, compared, present.to(u.dtype)], -1))
        return self.mix(nn.functional.gelu(read))
