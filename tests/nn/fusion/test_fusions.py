"""Fusions: formulas, what missing inputs do to them, and what they promise."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omnishot.nn.fusion import FUSIONS
from omnishot.nn.fusion.attention import Attention
from omnishot.nn.fusion.concat import Concat
from omnishot.nn.fusion.sum import Sum

ROWS, INPUTS, DIM = 6, 4, 5


def shaken(fusion: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in fusion.double().parameters():
            p.add_(torch.randn(p.shape, generator=g, dtype=torch.float64))
    return fusion


def masked(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    present = torch.rand(ROWS, INPUTS, generator=g) < 0.6
    present[0] = False
    x = torch.randn(ROWS, INPUTS, DIM, generator=g, dtype=torch.float64)
    return x * present[..., None], present


@given(st.integers(0, 999))
def test_attention_weighs_the_present_inputs_and_only_those(seed):
    x, present = masked(seed)
    fusion = shaken(Attention(INPUTS, DIM))
    weights = fusion.weights(x, present)
    assert (weights[~present] == 0).all()
    assert torch.allclose(weights.sum(-1), present.any(-1).double())
    for row in range(ROWS):  # eq. 9 of Ilse et al., with a scorer an input, one at a time
        here = present[row].nonzero().flatten().tolist()
        scores = []
        for i in here:
            content = torch.tanh(x[row, i] @ fusion.content[i])
            gate = torch.sigmoid(x[row, i] @ fusion.gate[i])
            scores.append((content * gate) @ fusion.score[i] + fusion.bias[i])
        wanted = torch.stack(scores).softmax(0) if here else torch.zeros(0)
        assert torch.allclose(weights[row, here], wanted.double())
        fused = sum((w * x[row, i] for w, i in zip(wanted, here, strict=True)), torch.zeros(DIM).double())
        assert torch.allclose(fusion(x, present)[row], fused)


@given(st.integers(0, 999))
def test_sum_equals_its_formula(seed):
    x, present = masked(seed)
    fusion = shaken(Sum(INPUTS, DIM), seed).requires_grad_(False)
    got = fusion(x, present)
    for row in range(ROWS):
        here = present[row].nonzero().flatten().tolist()
        share = sum(float(fusion.alpha[i]) ** 2 for i in here) / float(fusion.alpha.square().sum())
        total = sum((fusion.alpha[i] * x[row, i] for i in here), torch.zeros(DIM).double())
        assert torch.allclose(got[row], total / max(share, 1e-6) ** 0.5)


def test_sum_keeps_its_spread_whichever_inputs_are_missing():
    x = torch.randn(20_000, INPUTS, DIM, generator=torch.Generator().manual_seed(0))
    for here in range(1, INPUTS + 1):
        present = (torch.arange(INPUTS) < here).expand(len(x), INPUTS)
        spread = Sum(INPUTS, DIM)(x * present[..., None], present).std().item()
        assert spread == pytest.approx(1.0, abs=0.02)


def test_concat_tells_absent_from_zero():
    fusion = shaken(Concat(INPUTS, DIM))
    x, present = torch.zeros(2, INPUTS, DIM).double(), torch.ones(2, INPUTS, dtype=torch.bool)
    present[1, 2] = False
    out = fusion(x, present)
    assert torch.allclose(out[0] - out[1], fusion.mix.weight[:, INPUTS * DIM + 2])


@pytest.mark.parametrize("name", FUSIONS.names())
def test_nothing_present_is_finite_with_finite_gradients(name):
    fusion = FUSIONS.load(name)(INPUTS, DIM).double()
    x = torch.zeros(3, INPUTS, DIM, dtype=torch.float64, requires_grad=True)
    out = fusion(x, torch.zeros(3, INPUTS, dtype=torch.bool))
    out.square().sum().backward()
    assert out.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in [x, *fusion.parameters()])
