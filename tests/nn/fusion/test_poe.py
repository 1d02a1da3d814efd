from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fused import DIM, INPUTS, build, here, rows

from omnishot.nn.fusion.poe import ProductOfExperts


@given(st.integers(0, 999))
@settings(max_examples=10)
def test_mean_and_precision_are_those_of_the_product_of_the_experts_present(seed):
    x, present = rows(seed)
    fusion = build("poe", {}, seed=seed).requires_grad_(False)
    mean, precision, weights = (f(x, present) for f in (fusion, fusion.precision, fusion.weights))
    for row in range(len(x)):
        for d in range(DIM):
            total, moment, each = 1.0, 0.0, {}  # the prior N(0, 1)
            for i in here(present[row]):
                expert = float(x[row, i] @ fusion.mean[i, :, d] + fusion.mean_bias[i, d])
                sure = math.exp(float(x[row, i] @ fusion.log_precision[i, :, d] + fusion.log_precision_bias[i, d]))
                total, moment, each[i] = total + sure, moment + sure * expert, sure
            assert mean[row, d].item() == pytest.approx(moment / total)
            assert precision[row, d].item() == pytest.approx(total)
    for i in range(INPUTS):  # of the row that has all
        logs = x[1] @ fusion.log_precision + fusion.log_precision_bias[:, None]  # [inputs, inputs, dim]
        sure = torch.stack([logs[k, k].exp() for k in range(INPUTS)])
        assert weights[1, i].item() == pytest.approx((sure[i] / (1 + sure.sum(0))).mean().item())


def test_nothing_present_is_the_prior():
    x, present = rows(0)
    fusion = build("poe", {})
    assert (fusion(x, present)[0] == 0).all()
    assert torch.allclose(fusion.precision(x, present)[0], torch.ones(DIM).double())


def test_every_expert_makes_the_product_surer():
    x, present = rows(0)
    fusion = build("poe", {})
    less = present.clone()
    less[1, 3] = False
    assert (fusion.precision(x, present)[1] > fusion.precision(x, less)[1]).all()


def test_precisions_beyond_all_bounds_stay_finite_in_the_mean():
    x, present = rows(0)
    fusion = ProductOfExperts(INPUTS, DIM).double()
    with torch.no_grad():
        fusion.log_precision_bias[0] = 1e4
        fusion.log_precision_bias[1] = -1e4
    assert torch.allclose(fusion(x, present)[1], x[1, 0])
