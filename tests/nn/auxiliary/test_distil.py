"""The auxiliary objective `distil`: the teacher is a constant."""

from __future__ import annotations

import pytest
import torch
from support import helpers
from torch import Tensor

from omnishot.nn.auxiliary.base import encode_batch
from omnishot.nn.auxiliary.distil import Distil


def gradient(net, term: Distil, batch) -> list[Tensor]:
    torch.manual_seed(0)
    parameters = [p for p in net.parameters() if p.requires_grad]
    return list(torch.autograd.grad(term(net, batch).mean(), parameters, allow_unused=True))


@pytest.mark.parametrize("fusion", ["attention", "sum"])
def test_no_gradient_reaches_the_parameters_through_the_teacher(fusion, monkeypatch):
    inputs = ("words", "sensor", "facts")
    net = helpers.network(*inputs, fusion=fusion).double()
    episode = helpers.random_episode({n: helpers.MODALITIES[n] for n in inputs}, here=0.9)
    batch, term = encode_batch(net, episode), Distil(net)
    plain = gradient(net, term, batch)
    fuse, teachers = net.fuse, []

    def with_a_constant_teacher(tokens: Tensor, present: Tensor) -> Tensor:
        whole = torch.equal(present, batch.tokens_present)
        teachers.extend([whole] * whole)
        return fuse(tokens, present).detach() if whole else fuse(tokens, present)

    monkeypatch.setattr(net, "fuse", with_a_constant_teacher)
    batch = encode_batch(net, episode)
    constant = gradient(net, term, batch)
    assert teachers == [True]
    assert any(g is not None and g.abs().max() > 1e-6 for g in plain)
    for g, expected in zip(plain, constant, strict=True):
        assert (g is None) == (expected is None)
        assert g is None or torch.allclose(g, expected, atol=1e-12)
