from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fused import DIM, build, here, rows

from omnishot.errors import UsageError
from omnishot.nn.fusion.mixture import Mixture


@given(st.integers(0, 999))
@settings(max_examples=10)
def test_a_row_is_the_best_experts_and_no_other(seed):
    x, present = rows(seed)
    fusion = build("mixture", {"experts": 5, "active": 2}, seed=seed)
    got, gates = fusion(x, present), fusion.gates(x, present)
    for row in range(len(x)):
        scores, read = fusion.route_bias, fusion.read_bias.flatten()
        for i in here(present[row]):
            scores = scores + x[row, i] @ fusion.route[i] + fusion.route_present[i]
            read = read + x[row, i] @ fusion.read[i] + fusion.read_present[i]
        best = sorted(range(5), key=lambda e, s=scores: -s[e].item())[:2]
        assert set(here(gates[row])) == set(best)
        expected = torch.zeros(DIM).double()
        for e in best:
            share = scores[e].exp() / sum(scores[other].exp() for other in best)
            expected = expected + share * (F.gelu(read.view(5, DIM)[e]) @ fusion.write[e] + fusion.write_bias[e])
        assert torch.allclose(got[row], expected)


def test_scores_alike_still_have_as_many_experts_as_said():
    fusion = Mixture(3, DIM, experts=4, active=2)
    gates = fusion.gates(torch.zeros(1, 3, DIM), torch.zeros(1, 3, dtype=torch.bool))
    assert sorted(gates[0].tolist()) == [0.0, 0.0, 0.5, 0.5]


def test_content_and_presence_both_route_and_every_expert_has_work():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fusion = Mixture(3, DIM).requires_grad_(False)
        x = torch.randn(4000, 3, DIM)
    all_there, some = torch.ones(4000, 3, dtype=torch.bool), torch.rand(4000, 3) < 0.5
    of_content = fusion.gates(x, all_there) > 0
    of_presence = fusion.gates(torch.zeros_like(x), some) > 0
    assert len(of_content.unique(dim=0)) > 1
    assert len(of_presence.unique(dim=0)) > 1
    assert (fusion.gates(x * some[..., None], some).mean(0) > 0.05).all()


@pytest.mark.parametrize("options", [{"active": 0}, {"experts": 2, "active": 3}])
def test_more_active_than_there_are_is_refused(options):
    with pytest.raises(UsageError, match=r"active of . experts"):
        Mixture(2, DIM, **options)
