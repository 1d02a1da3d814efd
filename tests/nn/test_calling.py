"""A module called with other parameters has its own again afterwards, whatever happened."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_two_threads_call_one_module_with_different_parameters():
    class Slow(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first = super().forward(x)
            barrier.wait(timeout=60)  # both calls are under way before either reads its parameters again
            return first + super().forward(x)

    module = nn.Sequential(Slow(3, 3), nn.ReLU(), nn.Linear(3, 2))
    x, barrier = torch.randn(4, 3), threading.Barrier(2)
    given = [{n: torch.randn_like(p) for n, p in module.named_parameters()} for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda parameters: call_with(module, parameters, x), given))
    barrier = threading.Barrier(1)
    for result, parameters in zip(results, given, strict=True):
        assert torch.equal(result, call_with(module, parameters, x))


def test_every_reference_to_a_submodule_has_the_parameters():
    class Blocks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = self.b = nn.Linear(3, 3)
            self.blocks, self.by_name, self.apply_last = [self.a], {"b": (self.b,)}, self.last

        def last(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.apply_last(self.by_name["b"][0](self.blocks[0](self.b(x))))

    module, x = Blocks(), torch.randn(2, 3)
    other = {"a.weight": torch.randn(3, 3), "a.bias": torch.randn(3)}
    expected = call_with(module, other, x)
    with torch.no_grad():
        module.a.weight.copy_(other["a.weight"])
        module.a.bias.copy_(other["a.bias"])
    assert torch.allclose(expected, module(x), atol=1e-6)


def test_buffers_and_hooks_are_the_modules_own():
    module, calls = nn.BatchNorm1d(3), []
    module.register_forward_hook(lambda *_: calls.append(1))
    call_with(module, {"weight": torch.ones(3)}, torch.randn(8, 3))
    assert module.num_batches_tracked == 1
    assert calls == [1]
