from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fused import DIM, build, here, rows

from omnishot.errors import UsageError
from omnishot.nn.fusion.lowrank import TensorProduct, product

INPUTS = 4


@given(st.integers(0, 999))
@settings(max_examples=10)
def test_it_is_a_linear_map_of_the_outer_product_written_out(seed):
    x, present = rows(seed, inputs=INPUTS, dim=3)
    fusion = build("lowrank", {"rank": 2}, inputs=INPUTS, dim=3, seed=seed).requires_grad_(False)
    got = fusion(x, present)
    factors = torch.cat([fusion.factor, fusion.one[:, None]], 1).unflatten(-1, (2, 3))  # [inputs, 4, rank, out]
    for row in range(len(x)):
        outer, tensor = torch.ones(()).double(), torch.ones(2, 3).double()  # [], [rank, out]
        for i in here(present[row]):
            outer = outer[..., None] * torch.cat([x[row, i], torch.ones(1).double()])
            tensor = tensor[..., None] * factors[i].movedim(0, -1).reshape(2, 3, *[1] * (tensor.dim() - 2), 4)
        weights = (fusion.mix.reshape(2, *[1] * (tensor.dim() - 1)) * tensor).sum(0)  # [out, 4, 4, …]
        assert torch.allclose(got[row], (weights * outer).reshape(3, -1).sum(1) + fusion.bias)


@pytest.mark.parametrize("count", range(1, 10))
def test_the_product_in_pairs_is_the_product(count):
    x = torch.randn(3, count, 2, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    assert torch.allclose(product(x), x.prod(-2))


@pytest.mark.parametrize("inputs", [3, 150])
def test_at_the_start_products_of_many_inputs_neither_vanish_nor_grow(inputs):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = torch.randn(500, inputs, DIM)
        out = TensorProduct(inputs, DIM)(x, torch.ones(500, inputs, dtype=torch.bool))
    assert 0.5 < out.std(0).mean().item() < 3


def test_no_rank_is_refused():
    with pytest.raises(UsageError, match="a tensor of rank 0"):
        TensorProduct(2, DIM, rank=0)
