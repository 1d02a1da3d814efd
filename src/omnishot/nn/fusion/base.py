"""The base class of fusions, and functions that several of them use."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from omnishot.nn.layers import mask, uses_batch_statistics


class Fusion(nn.Module):
    """Fuses the embeddings of a row's inputs into one vector.

    A fusion is built for `inputs` inputs (or other tokens) of width `dim`. An absent input's embedding is zero; a row
    may have no input. Every derivative exists, a batch of tasks with their own parameters can be run by `torch.vmap`,
    and the cost is quadratic in nothing but the number of inputs or the width.
    """

    #: Whether all inputs are treated alike: whatever belongs to one of them stands in the first dimension, of size
    #: `inputs`, of some parameter. The order of inputs then changes nothing if the parameters are ordered alike.
    symmetric: ClassVar[bool] = True
    #: The number of inputs that it fuses; None: any number.
    takes: ClassVar[int | None] = None

    @property
    def transductive(self) -> bool:
        """Whether the vector of a row depends on the other rows of the batch."""
        return uses_batch_statistics(self)

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """`embeddings` `[..., inputs, dim]`, zero where absent; `present` bool `[..., inputs]` -> `[..., dim]`."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def weights(self, embeddings: Tensor, present: Tensor) -> Tensor | None:
        """The weight of each input, `[..., inputs]`, zero where absent, from the arguments of `forward`; None if the
        fusion does not weigh its inputs."""
        return None

    def fuse_tokens(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The result of `forward`, and the tokens `[..., tokens, dim]` for a decoder to attend to: those given, unless
        the fusion computes better ones."""
        return self(tokens, present), tokens


def each(embeddings: Tensor, matrices: Tensor) -> Tensor:
    """Every input's embedding times its own matrix: `[..., inputs, in]`, `[inputs, in, out]` -> `[..., inputs, out]`"""
    return torch.einsum("...id,ide->...ie", embeddings, matrices)


def shares(scores: Tensor, present: Tensor) -> Tensor:
    """Softmax over the inputs present, `[..., inputs]`: zero where absent, and everywhere if nothing is present."""
    return mask(torch.where(present, scores, torch.finfo(scores.dtype).min).softmax(-1), present)
