"""Convolutions with rules of their own: torch's values, right derivatives of both orders, and tasks under vmap."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from omnishot.nn.convolution import convolve

FORMS = [(1, 1, 2), (2, 1, 2), (2, 0, 2), (2, 2, 1), ((1, 2), 1, 2)]  # stride, padding, dimensions


def layer(stride: int | tuple[int, int], padding: int, dimensions: int) -> nn.Module:
    torch.manual_seed(0)
    cls = nn.Conv2d if dimensions == 2 else nn.Conv1d
    return cls(3, 4, 3, stride=stride, padding=padding).double()


def rows(dimensions: int, *leading: int) -> torch.Tensor:
    return torch.randn(*leading, 3, *(6, 5)[:dimensions], dtype=torch.float64)


@pytest.mark.parametrize("form", FORMS)
def test_values_and_both_derivatives(form):
    conv, x = layer(*form), rows(form[2], 2).requires_grad_()
    assert torch.allclose(convolve(conv, x), conv(x))

    def of(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        other = layer(*form)
        del other.weight, other.bias
        other.weight, other.bias = weight, bias
        return convolve(other, x)

    given = (x, conv.weight, conv.bias)
    assert gradcheck(of, given)
    assert gradgradcheck(of, given)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("own_weight", [False, True])
def test_tasks_under_vmap_give_what_each_gives_alone(form, own_weight):
    conv, x = layer(*form), rows(form[2], 3, 2)
    weights = torch.randn(3, *conv.weight.shape, dtype=torch.float64)

    def inner(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The gradient of a loss by the weight, which is differentiated again from outside."""
        return torch.func.grad(lambda w: convolve(conv, x, w).pow(3).sum())(weight)

    weight = weights.requires_grad_() if own_weight else weights[0].detach().requires_grad_()
    together = torch.vmap(inner, in_dims=(0, 0 if own_weight else None))(x, weight)
    alone = torch.stack([inner(x[t], weight[t] if own_weight else weight) for t in range(3)])
    assert torch.allclose(together, alone)
    (a,), (b,) = (torch.autograd.grad(g.square().sum(), [weight]) for g in (together, alone))
    assert torch.allclose(a, b)


def test_another_weight_comes_without_the_layers_bias():
    conv, x = layer(1, 1, 2), rows(2, 2)
    assert torch.allclose(convolve(conv, x, 2 * conv.weight), F.conv2d(x, 2 * conv.weight, padding=1))
