from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fused import DIM, INPUTS, build, here, rows

from omnishot.errors import UsageError
from omnishot.nn.fusion.sum import ALPHAS, Sum


def alphas(fusion: Sum, x: torch.Tensor, there: list[int]) -> torch.Tensor:
    """α of all inputs for one row."""
    if fusion.kind == "gate":
        mean = torch.stack([x[i] for i in there]).mean(0) if there else torch.zeros(DIM).double()
        scores = [x[i] @ fusion.own[i] + mean @ fusion.row[i] + fusion.bias[i] for i in range(INPUTS)]
        return torch.stack([2 / (1 + torch.exp(-s)) for s in scores]) / INPUTS**0.5
    if fusion.kind == "softmax":
        return INPUTS**0.5 * fusion.alpha.exp() / fusion.alpha.exp().sum()
    return fusion.alpha


@pytest.mark.parametrize("alpha", ALPHAS)
@given(seed=st.integers(0, 999))
@settings(max_examples=10)
def test_sum_equals_its_formula(alpha, seed):
    x, present = rows(seed)
    fusion = build("sum", {"alpha": alpha}, seed=seed).requires_grad_(False)
    got = fusion(x, present)
    for row in range(len(x)):
        there = here(present[row])
        a = alphas(fusion, x[row], there)
        share = sum(float(a[i]) ** 2 for i in there) / float(a.square().sum())
        total = sum((a[i] * x[row, i] for i in there), torch.zeros(DIM).double())
        assert torch.allclose(got[row], total / max(share, 1e-6) ** 0.5)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_row_keeps_its_spread_whichever_inputs_are_missing(alpha):
    x = torch.randn(20_000, 4, DIM, generator=torch.Generator().manual_seed(0))
    fusion = Sum(4, DIM, alpha=alpha)
    for count in range(1, 5):
        present = (torch.arange(4) < count).expand(len(x), 4)
        assert fusion(x * present[..., None], present).std().item() == pytest.approx(1.0, abs=0.02)


def test_a_gate_opens_and_shuts_by_what_a_row_holds():
    fusion = Sum(2, DIM, alpha="gate")
    with torch.no_grad():
        fusion.own[0, 0], fusion.own[1, 0] = 50.0, -50.0
    x = torch.ones(2, 2, DIM)
    x[1] *= -1
    weights = fusion.weights(x, torch.ones(2, 2, dtype=torch.bool))
    assert torch.allclose(weights, 2**0.5 * torch.eye(2), atol=1e-6)


def test_an_unknown_alpha_is_refused():
    with pytest.raises(UsageError, match="unknown alpha 'gait': did you mean 'gate'"):
        Sum(2, DIM, alpha="gait")
