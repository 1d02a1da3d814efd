"""What tests of fusions share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from omnishot.nn.fusion import FUSIONS

#: A number of inputs that no other dimension of a parameter has.
ROWS, INPUTS, DIM = 6, 7, 8
#: Every fusion as it comes, and with options that make another of it.
FORMS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in FUSIONS.names()),
    ("sum", {"alpha": "softmax"}),
    ("sum", {"alpha": "gate"}),
    ("attention", {"weighing": "exponential"}),
    ("transformer", {"layers": 1, "heads": 1}),
    ("graph", {"rounds": 1}),
    ("lowrank", {"rank": 1}),
    ("mixture", {"experts": 3, "active": 1}),
    ("mixture", {"experts": 3, "active": 3}),
    ("consensus", {"learned": False}),
]


def inputs_of(name: str) -> int:
    """How many inputs a fusion is tested with."""
    return FUSIONS.load(name).takes or INPUTS


def build(name: str, options: dict[str, Any], inputs: int | None = None, dim: int = DIM, seed: int = 0) -> nn.Module:
    """A fusion in float64 with every parameter away from its special starting value (zeros, ones)."""
    inputs = inputs or inputs_of(name)
    g = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        fusion = FUSIONS.load(name)(inputs, dim, **options).double()
        for p in fusion.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g, dtype=torch.float64))
    return fusion


def rows(seed: int, count: int = ROWS, inputs: int = INPUTS, dim: int = DIM) -> tuple[Tensor, Tensor]:
    """Embeddings and what is present: nothing in the first row, everything in the second."""
    g = torch.Generator().manual_seed(seed)
    present = torch.rand(count, inputs, generator=g) < 0.6
    present[0], present[1:2] = False, True
    x = torch.randn(count, inputs, dim, generator=g, dtype=torch.float64)
    return x * present[..., None], present


def here(present: Tensor) -> list[int]:
    """The inputs that a row has."""
    return present.nonzero().flatten().tolist()
