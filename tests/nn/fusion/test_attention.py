from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fused import DIM, build, here, rows

from omnishot.errors import UsageError
from omnishot.nn.fusion.attention import Attention


def scores(fusion: Attention, x: torch.Tensor, there: list[int]) -> torch.Tensor:
    """Eq. 9 of Ilse et al., with a scorer an input, one at a time."""
    found = []
    for i in there:
        content = torch.tanh(x[i] @ fusion.content[i])
        gate = torch.sigmoid(x[i] @ fusion.gate[i])
        found.append((content * gate) @ fusion.score[i] + fusion.bias[i])
    return torch.stack(found) if found else torch.zeros(0).double()


@given(st.integers(0, 999))
@settings(max_examples=10)
def test_the_softmax_weighs_the_present_inputs_and_only_those(seed):
    x, present = rows(seed)
    fusion = build("attention", {}, seed=seed)
    weights = fusion.weights(x, present)
    assert torch.allclose(weights.sum(-1), present.any(-1).double())
    for row in range(len(x)):
        there = here(present[row])
        expected = scores(fusion, x[row], there).softmax(0)
        assert torch.allclose(weights[row, there], expected)
        fused = sum((w * x[row, i] for w, i in zip(expected, there, strict=True)), torch.zeros(DIM).double())
        assert torch.allclose(fusion(x, present)[row], fused)


@given(st.integers(0, 999))
@settings(max_examples=10)
def test_the_exponential_weighs_by_scores_that_sum_to_zero(seed):
    x, present = rows(seed)
    fusion = build("attention", {"weighing": "exponential"}, seed=seed)
    got = fusion(x, present)
    for row in range(len(x)):
        there = here(present[row])
        s = scores(fusion, x[row], there)
        s = s - s.mean() if there else s
        wide = (2 / max(len(there), 1)) ** 0.5
        fused = sum((wide * torch.exp(s[k]) * x[row, i] for k, i in enumerate(there)), torch.zeros(DIM).double())
        assert torch.allclose(got[row], fused)


def test_the_exponential_of_two_inputs_is_the_gate_of_two_branches():
    fusion = build("attention", {"weighing": "exponential"}, inputs=2)
    x, present = rows(0, inputs=2)
    f1, f2 = x[1]
    first, second = scores(fusion, x[1], [0, 1])
    s = (first - second) / 2
    assert torch.allclose(fusion(x, present)[1], f1 * torch.exp(s) + f2 * torch.exp(-s))
    assert fusion.weights(x, present)[1].prod().item() == pytest.approx(1.0)


def test_an_unknown_weighing_is_refused():
    with pytest.raises(UsageError, match="unknown weighing 'exp'"):
        Attention(2, DIM, weighing="exp")
