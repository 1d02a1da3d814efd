"""Imputation of absent embeddings."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.errors import UsageError
from omnishot.nn.imputation import IMPUTERS
from omnishot.nn.imputation.impute import Impute

ROWS, INPUTS, DIM = 6, 3, 4


def some(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    present = torch.rand(ROWS, INPUTS, generator=g) < 0.6
    present[0] = False
    return torch.randn(ROWS, INPUTS, DIM, generator=g) * present[..., None], present


@pytest.mark.parametrize("name", IMPUTERS.names())
def test_what_is_present_stays_and_what_is_absent_is_imputed(name):
    x, present = some()
    imputed = IMPUTERS.load(name)(INPUTS, DIM)(x, present)
    assert torch.equal(imputed[present], x[present])
    assert (imputed[~present].abs().sum(-1) > 0).all()
    assert imputed.isfinite().all()


@pytest.mark.parametrize("name", IMPUTERS.names())
def test_the_fusion_then_takes_all_for_present(name):
    net = helpers.network("words", "sensor", "facts", fusion="attention", imputation=name).double()
    rows = helpers.random_rows({n: helpers.MODALITIES[n] for n in net.names}, (5,))
    tokens, present = net.tokens(rows)
    expected = net.fusion(net.imputer(tokens, present), torch.ones_like(present))
    assert torch.equal(net(rows), expected)
    assert not torch.equal(net(rows), net.fusion(tokens, present))


def test_an_estimate_reads_nothing_but_what_is_present():
    x, present = some()
    module = Impute(INPUTS, DIM)
    mean, log_variance = module.estimate(x, present)
    for i in range(INPUTS):
        weights = torch.linalg.lstsq(module.priors[i].T, mean[:, i].T).solution  # in the span of the input's priors
        assert torch.allclose(module.priors[i].T @ weights, mean[:, i].T, atol=1e-4)
    absent = ~present
    shrunk = module(x, present)[absent]
    assert torch.allclose(shrunk, (mean / (1 + log_variance.exp()))[absent])


def test_a_trained_estimate_has_the_variance_of_what_is_unpredictable():
    """Input 1 is a function of input 0; input 2 is independent of both: its estimated variance is its own."""
    torch.manual_seed(0)
    module = Impute(INPUTS, DIM)
    turn = torch.linalg.qr(torch.randn(DIM, DIM)).Q
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
    only = torch.tensor([True, False, False])
    for _ in range(600):
        first = torch.nn.functional.normalize(torch.randn(128, DIM), dim=-1) * DIM**0.5
        x = torch.stack([first, first @ turn, torch.randn(128, DIM)], 1)
        present = only.expand(128, INPUTS)
        mean, log_variance = module.estimate(x * present[..., None], present)
        loss = ((x - mean).square() * (-log_variance).exp() + log_variance)[:, 1:].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    error = (x - mean).square().mean((0, 2))
    variance = log_variance.exp().mean((0, 2))
    assert error[1] < 0.2
    assert variance[1] < 0.3
    assert 0.8 < error[2] < 1.2
    assert 0.7 < variance[2] < 1.3


@pytest.mark.parametrize("level", ["early", "token"])
def test_imputation_needs_embeddings_of_several_inputs(level):
    with pytest.raises(UsageError, match=r"imputation='impute' .* needs level='intermediate'"):
        helpers.network("words", "facts", imputation="impute", level=level)
    with pytest.raises(UsageError, match=r"two inputs or more .here words."):
        helpers.network("words", imputation="placeholder")
    with pytest.raises(UsageError, match=r"unknown imputation 'plaseholder'.*placeholder"):
        helpers.network("words", "facts", imputation="plaseholder")
