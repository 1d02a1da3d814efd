"""Answers, generated or chosen among those of the support rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.nn.decoders.tokens import EOS, PAD
from omnishot.objectives import OBJECTIVES
from omnishot.objectives.answer import Answer
from omnishot.objectives.vocabulary import words_of

WORDS = ("yes", "no", "red", "two")
SMALL = {"decoder_options": {"layers": 1, "heads": 2}, "longest": 4, "own_words": 2}


@pytest.fixture
def method():
    net = helpers.network("words", "sensor", **helpers.OTHER_NETWORKS["model"])
    return helpers.learner("maml", net, Answer(WORDS, **SMALL))


@pytest.fixture
def batch(method):
    return helpers.episode_for(method)


def test_what_is_chosen_is_the_likeliest_answer_of_the_support_rows(method, batch):
    task = batch.task(0)
    prediction = method.answer(method.adapt(task.support), task.query)
    texts = task.support.target.flatten(0, 1)
    logs = torch.stack([prediction.log_likelihood(t.expand(len(task.query), 1, -1))[:, 0] for t in texts], 1)
    logs[:, (texts == PAD).all(-1)] = -torch.inf
    expected = torch.nn.functional.pad(texts, (0, 4 - texts.shape[-1]))[logs.argmax(1)]
    assert torch.equal(prediction.likeliest_support_text(4), torch.where(expected == EOS, PAD, expected))
    assert method.objective.compact(prediction).shape == (len(task.query), 2, 4)


def test_the_plan_split_gives_the_gradient_of_the_loop(method, batch):
    loop, split = (helpers.meta_gradient(method, batch, plan) for plan in ("loop", "split"))
    assert helpers.relative_error(split, loop) < 1e-10


def test_figures_of_both_ways_and_the_one_that_counts_first():
    for among, expected in (("any", 0.5), ("task", 1.0)):
        objective = Answer(WORDS, among=among, **SMALL)
        target = objective.encode([["yes", "yes"], ["red"]])[0]
        written = np.stack([np.where(target[:, 0] == EOS, PAD, target[:, 0])] * 2, 1)
        written[1, 0] = 0  # nothing was generated of the second row
        figures = objective.aggregate([(written, target)])
        assert figures["soft_accuracy"][0] == figures[f"soft_accuracy_{'generated' if among == 'any' else 'chosen'}"][0]
        assert figures["soft_accuracy"][0] == expected
        assert objective.decode(torch.from_numpy(written), ()).tolist() == ["yes", "" if among == "any" else "red"]


def test_settings_come_back():
    objective = Answer(WORDS, among="task", **SMALL)
    settings = objective.to_json()
    assert settings.pop("name") == "answer"
    assert OBJECTIVES.load("answer")(**settings).to_json() == objective.to_json()


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="among"):
        Answer(WORDS, among="all")
    net = helpers.network("words", "sensor", **helpers.OTHER_NETWORKS["model"])
    with pytest.raises(UsageError, match="ctc"):
        LEARNERS.load("maml")(net, Answer(WORDS, decoder="ctc", own_words=0))
    assert words_of("Don't stop, café!") == ["don't", "stop", ",", "café", "!"]
