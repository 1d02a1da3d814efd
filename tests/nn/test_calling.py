"""A module called with other parameters has its own again afterwards, whatever happened."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from omnishot.nn.calling import call_with


def test_as_functional_call_and_nothing_stays_behind():
    module, x = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)), torch.randn(4, 3)
    own = dict(module.named_parameters())
    other = {n: torch.randn_like(p) for n, p in own.items() if n != "0.bias"}
    assert torch.equal(call_with(module, other, x), torch.func.functional_call(module, other, (x,)))
    assert all(p is own[n] for n, p in module.named_parameters())
    with pytest.raises(RuntimeError):
        call_with(module, other, torch.randn(4, 5))
    assert all(p is own[n] for n, p in module.named_parameters())


def test_a_name_that_is_no_parameter_is_refused():
    module = nn.Linear(3, 3)
    with pytest.raises(KeyError):
        call_with(module, {"wieght": torch.zeros(3, 3)}, torch.zeros(1, 3))


def test_another_method():
    class Twice(nn.Linear):
        def twice(self, x: torch.Tensor) -> torch.Tensor:
            return self(self(x))

    module, x, other = Twice(3, 3, bias=False), torch.randn(4, 3), torch.randn(3, 3)
    assert torch.allclose(call_with(module, {"weight": other}, x, method="twice"), x @ other.T @ other.T, atol=1e-5)
