"""Linear layers whose task-adapted weights are kept in factored form.

The gradient of a linear layer's weight is Gᵀ X, with X the rows it read and G the loss's gradient at its output: a few
support rows give a matrix of low rank. A weight after some inner steps is then W + Lᵀ R with thin L and R, and
x (W + Lᵀ R)ᵀ = x Wᵀ + (x Rᵀ) L is one product that all tasks share plus two thin ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map


class LowRank(NamedTuple):
    """The matrix `base + leftᵀ right`: `base` `[out, in]`, `left` `[rank, out]`, `right` `[rank, in]`."""

    base: Tensor
    left: Tensor
    right: Tensor

    @property
    def rank(self) -> int:
        """The number of rows of the factors."""
        return self.left.shape[-2]

    def dense(self) -> Tensor:
        """The matrix itself."""
        return self.base + self.left.mT @ self.right


class Factors(NamedTuple):
    """The matrix `leftᵀ right`: `left` `[rank, out]`, `right` `[rank, in]`."""

    left: Tensor
    right: Tensor


#: A weight `[out, in]`, written out or not.
Weight = Tensor | LowRank


@dataclass
class Watched:
    """A weight that records every pair of inputs `[…, in]` and outputs `[…, out]` of the layer it is used in."""

    weight: Weight
    uses: list[tuple[Tensor, Tensor]] = field(default_factory=list)


def affine(x: Tensor, weight: Weight | Watched, bias: Tensor | None = None) -> Tensor:
    """`x` `[…, in]` -> `[…, out]`."""
    if isinstance(weight, Watched):
        y = affine(x, weight.weight, bias)
        weight.uses.append((x, y))
        return y
    if isinstance(weight, LowRank):
        return affine(x, weight.base, bias) + (x @ weight.right.mT) @ weight.left
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`nn.Linear` for any form of weight."""

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


def pays(rank: int, weight: Weight) -> bool:
    """Whether factors of this rank take less work than the full matrix."""
    out, into = (weight.base if isinstance(weight, LowRank) else weight).shape[-2:]
    return 2 * rank * (out + into) <= out * into


def dense(weight: Weight) -> Tensor:
    """The weight written out."""
    return weight.dense() if isinstance(weight, LowRank) else weight


def moved(weight: Weight, by: Factors) -> LowRank:
    """The weight plus the factors."""
    if isinstance(weight, LowRank):
        left, right = torch.cat([weight.left, by.left], -2), torch.cat([weight.right, by.right], -2)
        return LowRank(weight.base, left, right)
    return LowRank(weight, *by)


def written_out(state: Any) -> Any:
    """A state with every weight as a full matrix: a tree of tensors, nothing else.

    Matrices are laid out as after loading from a file, since the rounding of a product depends on the layout.
    """

    def plain(leaf: Any) -> Any:
        if isinstance(leaf, LowRank):
            return leaf.dense()
        return leaf.contiguous() if isinstance(leaf, Tensor) and leaf.dim() < 4 else leaf

    return tree_map(plain, state, is_leaf=lambda node: isinstance(node, LowRank))
