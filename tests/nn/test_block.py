"""The block of a convolution, a norm, pooling and ReLU: what it computes is what the four give one after the other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from omnishot.nn.block import block
from omnishot.nn.layers import Norm


def everything(function, parameters) -> list[torch.Tensor]:
    """Values, first derivatives, and derivatives of those."""
    y = function()
    loss = (y * torch.linspace(-1, 1, y.numel()).view_as(y)).square().sum()
    first = torch.autograd.grad(loss, parameters, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), parameters, allow_unused=True)
    return [y, *first, *(torch.zeros(()) if g is None else g for g in second)]


@pytest.mark.parametrize("kind", ["layer", "group", "instance", "batch", "none"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
@pytest.mark.parametrize("pool", [True, False])
def test_the_block_is_its_parts(kind, channels, size, pool):
    """With one channel and 24 outputs the block is folded, with three it is not; scales of both signs, odd sizes."""
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(channels, 24, 3, padding=1).double(), Norm(24, kind).double()
    with torch.no_grad():
        norm.scale.normal_()
        norm.shift.normal_()
    x = torch.randn(4, channels, *size, dtype=torch.float64)

    def parts() -> torch.Tensor:
        h = F.relu(norm(conv(x)))
        return F.max_pool2d(h, 2) if pool else h

    parameters = [*conv.parameters(), norm.scale, norm.shift][: 2 if kind == "none" else 4]
    ours = everything(lambda: block(conv, norm, x, pool), parameters)
    for a, b in zip(ours, everything(parts, parameters), strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-9)
