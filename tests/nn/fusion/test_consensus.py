from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from support.fused import DIM, INPUTS, build, here, rows

from omnishot.nn.fusion.consensus import consensus


@pytest.mark.parametrize("by_row", [False, True])
def test_consensus_is_where_a_search_for_the_least_distance_ends(by_row):
    x, present = rows(0)
    g = torch.Generator().manual_seed(1)
    weights = torch.rand(*((len(x), INPUTS) if by_row else (INPUTS,)), generator=g, dtype=torch.float64) + 0.1
    got = consensus(x, present, weights).numpy()
    assert (got[0] == 0).all()
    for row in range(1, len(x)):
        w = weights[row] if by_row else weights
        there = here(present[row])

        def distance(h: np.ndarray, f: torch.Tensor = x[row], w: torch.Tensor = w, there: list = there) -> float:
            return sum(float(w[i]) * float(np.square(f[i].numpy() - h).sum()) for i in there)

        found = minimize(distance, np.zeros(DIM), method="BFGS", options={"gtol": 1e-10})
        assert np.allclose(got[row], found.x, atol=1e-5)


@pytest.mark.parametrize("learned", [True, False])
@given(seed=st.integers(0, 999))
@settings(max_examples=10)
def test_the_fusion_is_the_consensus_under_its_weights(learned, seed):
    x, present = rows(seed)
    fusion = build("consensus", {"learned": learned}, seed=seed)
    weights = fusion.log_weight.exp() if learned else torch.ones(INPUTS).double()
    got, shares = fusion(x, present), fusion.weights(x, present)
    assert torch.allclose(got, consensus(x, present, weights))
    for row in range(1, len(x)):
        there = here(present[row])
        total = sum(weights[i] for i in there)
        for i in there:
            assert shares[row, i].item() == pytest.approx((weights[i] / total).item())


def test_only_what_is_present_is_read():
    x = torch.full((1, 2, 3), float("nan"))
    x[0, 0] = torch.tensor([1.0, 2.0, 3.0])
    assert consensus(x, torch.tensor([[True, False]]), torch.ones(2)).tolist() == [[1.0, 2.0, 3.0]]
