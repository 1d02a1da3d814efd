"""Invariant 1: what is stored in an absent cell changes nothing, bit for bit."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import helpers
from torch import Tensor

from omnishot.episodes.rows import Episode, Rows
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.encoders import ENCODERS
from omnishot.nn.fusion import FUSIONS

REGRESS = [n for n in LEARNERS.names() if "regress" in LEARNERS.load(n).serves]
garbage = st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e30, 0.0, -7.5, "random"])


def spoil(rows: Rows, what: float | str, seed: int) -> Rows:
    """The same rows with garbage in every absent cell (any token of the vocabulary, for texts)."""
    g = torch.Generator().manual_seed(seed)
    inputs = {}
    for i, (name, x) in enumerate(rows.inputs.items()):
        if x.is_floating_point():
            junk = (
                1e6 * torch.randn(x.shape, generator=g, dtype=x.dtype) if what == "random" else torch.full_like(x, what)
            )
        else:
            junk = torch.randint(0, helpers.VOCABULARY, x.shape, generator=g)
        absent = ~rows.present[..., i]
        inputs[name] = torch.where(absent.reshape(absent.shape + (1,) * (x.dim() - absent.dim())), junk, x)
    return Rows(inputs, rows.present, rows.target, rows.label, rows.ways)


def bits(x: Tensor) -> Tensor:
    return x.contiguous().view({8: torch.int64, 4: torch.int32}[x.element_size()])


def check(method: Learner, what: float | str, seed: int) -> None:
    modalities = {n: helpers.MODALITIES[n] for n in method.network.names}
    ways = 3 if method.objective.name == "classify" else None
    clean = helpers.random_episode(modalities, tasks=1, ways=ways, seed=seed)
    corrupted = Episode(spoil(clean.support, what, seed), spoil(clean.query, what, seed + 1))

    answers = []
    for batch in (clean, corrupted):
        state = method.adapt(batch.support.task(0))
        answers.append(method.answer(state, batch.query.task(0)))
    assert answers[0].isfinite().all()  # row 0 of support and of query has every cell missing
    assert torch.equal(bits(answers[0]), bits(answers[1]))

    if method.meta_trained:
        for plan in ("loop", "vmap"):
            clean_gradient = helpers.meta_gradient(method, clean, plan)
            corrupted_gradient = helpers.meta_gradient(method, corrupted, plan)
            for parameter, g in clean_gradient.items():
                assert g.isfinite().all(), parameter
                assert torch.equal(bits(g), bits(corrupted_gradient[parameter])), parameter


@pytest.mark.parametrize(("name", "fusion"), helpers.crossed(LEARNERS.names(), FUSIONS.names()))
@given(what=garbage, seed=st.integers(0, 99))
@settings(max_examples=2)
def test_absent_cells_change_nothing_in_any_fusion(name, fusion, what, seed):
    check(helpers.learner(name, helpers.mixed(name, fusion=fusion)), what, seed)


@pytest.mark.parametrize(("name", "encoder"), helpers.crossed(LEARNERS.names(), ENCODERS.names()))
@given(what=garbage, seed=st.integers(0, 99))
@settings(max_examples=2)
def test_absent_cells_change_nothing_in_any_encoder_alone(name, encoder, what, seed):
    net = helpers.network(helpers.READS[encoder], encoders=(encoder,))
    check(helpers.learner(name, net), what, seed)


@pytest.mark.parametrize(("name", "fusion"), helpers.crossed(REGRESS, FUSIONS.names()))
@given(what=garbage, seed=st.integers(0, 99))
@settings(max_examples=2)
def test_absent_cells_change_nothing_when_predicting_numbers(name, fusion, what, seed):
    check(helpers.learner(name, helpers.network("photo", "words", "facts", fusion=fusion), "regress"), what, seed)


@pytest.mark.parametrize(("name", "how"), helpers.crossed(LEARNERS.names(), helpers.OTHER_NETWORKS))
@given(what=garbage, seed=st.integers(0, 99))
@settings(max_examples=2)
def test_absent_cells_change_nothing_at_any_level_and_with_any_filling(name, how, what, seed):
    if helpers.refused(name, how):
        pytest.skip("refused")
    check(helpers.learner(name, helpers.mixed(name, **helpers.OTHER_NETWORKS[how])), what, seed)


@pytest.mark.parametrize("norm", ["layer", "group", "instance", "batch", "none"])
@given(what=garbage, seed=st.integers(0, 99))
@settings(max_examples=2)
def test_absent_cells_change_nothing_in_any_norm(norm, what, seed):
    check(helpers.learner("maml", helpers.network("photo", "sensor", norm=norm)), what, seed)


@given(what=garbage, seed=st.integers(0, 99))
@settings(max_examples=2)
def test_absent_cells_change_nothing_with_learned_rates_and_fixed_head(what, seed):
    options = {"learned_inner_lr": "tensor", "head": "linear", "ways": 3}
    check(helpers.learner("maml", helpers.network("photo", "words", fusion="attention"), **options), what, seed)


def test_a_present_cell_does_change_the_prediction():
    """The other tests would pass on a network that reads nothing."""
    for name, i in zip(helpers.MODALITIES, range(len(helpers.MODALITIES)), strict=True):
        method = helpers.learner("protonet", helpers.network(*helpers.MODALITIES, fusion="attention"))
        episode = helpers.random_episode(helpers.MODALITIES, tasks=1, here=1.0).task(0)
        before = method.answer(method.adapt(episode.support), episode.query)
        episode.query.present[:, i] = False
        after = method.answer(method.adapt(episode.support), episode.query)
        assert (before - after).abs().max() > 1e-6, name
