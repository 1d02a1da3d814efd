"""Weights kept as thin factors act as the matrices that they stand for."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from omnishot.nn.linear import Factors, Linear, LowRank, Watched, affine, dense, moved, pays

SIZES = st.integers(1, 6)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


@given(SIZES, SIZES, SIZES, SIZES, st.booleans())
def test_a_factored_weight_acts_as_its_matrix(rows, out, into, rank, biased):
    weight = LowRank(drawn(out, into), drawn(rank, out, seed=1), drawn(rank, into, seed=2))
    x, bias = drawn(rows, into, seed=3), drawn(out, seed=4) if biased else None
    assert torch.allclose(affine(x, weight, bias), affine(x, weight.dense(), bias))
    further = Factors(drawn(2, out, seed=5), drawn(2, into, seed=6))
    again = moved(weight, further)
    assert again.rank == rank + 2
    assert torch.allclose(dense(again), weight.dense() + further.left.mT @ further.right)
    assert torch.allclose(dense(moved(weight.base, further)), weight.base + further.left.mT @ further.right)


def test_a_watched_weight_remembers_what_it_read_and_gave():
    watched, x = Watched(drawn(3, 4)), drawn(2, 4)
    y = affine(x, watched)
    ((read, gave),) = watched.uses
    assert read is x
    assert gave is y


def test_factors_pay_while_they_are_thin():
    weight = drawn(64, 128)
    assert pays(5, weight)
    assert not pays(60, weight)
    assert pays(5, LowRank(weight, drawn(1, 64), drawn(1, 128)))


def test_the_layer_is_torchs():
    layer, x = Linear(4, 3).double(), drawn(2, 4)
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
