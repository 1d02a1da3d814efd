"""The trial of plans: it chooses the fastest of those that fit, remembers it, and leaves the learner as it was."""

from __future__ import annotations

import pytest
import torch
from support import helpers

from omnishot.experiment.plan import WAYS, Plan
from omnishot.training.engine import autotune as trial

FACTS = {"facts": helpers.MODALITIES["facts"]}


@pytest.fixture
def pace(monkeypatch):
    """Makes plans take given seconds a task, and counts how often that is asked."""
    asked: list[str] = []

    def call(**seconds: float):
        def timed(learner, batch, plan):
            asked.append(str(plan))
            return seconds.get(str(plan).replace(":", "_"), 9.0)

        monkeypatch.setattr(trial, "_seconds", timed)
        return asked

    return call


def test_the_fastest_plan_is_chosen(pace):
    method, batch = helpers.learner("maml", helpers.network("facts")), helpers.random_episode(FACTS, tasks=8)
    pace(loop=3.0, split_2=2.0, split_4=1.0, split=1.5, vmap_2=2.5, vmap_4=2.6)
    plan, seconds = trial.choose(method, batch)
    assert plan == Plan("split", 4)
    assert list(seconds) == ["loop", "split:2", "split:4", "split", "vmap:2", "vmap:4"]  # vmap:8 would be no better


def test_a_learner_with_a_loss_of_its_own_is_not_split(pace):
    method, batch = helpers.learner("finetune", helpers.network("facts")), helpers.random_episode(FACTS, tasks=2)
    pace(loop=3.0, vmap=2.0)
    assert set(trial.choose(method, batch)[1]) == {"loop", "vmap"}


def test_a_choice_is_kept_for_the_same_shapes_and_made_anew_for_others(pace, tmp_path):
    asked = pace(loop=1.0)
    method, batch = helpers.learner("maml", helpers.network("facts")), helpers.random_episode(FACTS, tasks=2)
    first = trial.choose(method, batch, tmp_path)
    count = len(asked)
    again = helpers.learner("maml", helpers.network("facts"), seed=1)  # other parameters of the same shapes
    assert trial.choose(again, batch, tmp_path) == first
    assert len(asked) == count
    trial.choose(method, helpers.random_episode(FACTS, tasks=3), tmp_path)
    assert len(asked) > count
    count = len(asked)
    trial.choose(helpers.learner("maml", helpers.network("facts"), inner_steps=3), batch, tmp_path)
    assert len(asked) > count


def test_a_damaged_record_is_measured_again(pace, tmp_path):
    method, batch = helpers.learner("maml", helpers.network("facts")), helpers.random_episode(FACTS, tasks=2)
    pace(vmap=1.0)
    trial.choose(method, batch, tmp_path)
    (record,) = tmp_path.iterdir()
    record.write_text('{"plan": "quick"}')
    assert trial.choose(method, batch, tmp_path)[0] == Plan("vmap")


def test_a_real_trial_changes_neither_gradients_nor_random_numbers():
    method, batch = helpers.learner("maml", helpers.network("facts")), helpers.random_episode(FACTS, tasks=3)
    before = helpers.meta_gradient(method, batch)
    torch.manual_seed(5)
    plan, seconds = trial.choose(method, batch)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
    assert all(torch.equal(p.grad, before[n]) for n, p in method.named_parameters())
    assert str(plan) in seconds
    assert plan.way in WAYS
    assert min(seconds.values()) > 0


def test_a_kept_plan_is_for_the_steps_that_a_learner_takes():
    batch = helpers.random_episode(FACTS, tasks=2)

    def key(**options):
        return trial._key(helpers.learner("maml", helpers.network("facts"), **options), batch)

    assert key() == key(seed=1)
    changed = [{}, {"inner_steps": 3}, {"second_order": False}, {"adapt": "head"}, {"learned_inner_lr": "element"}]
    assert len({key(**options) for options in changed}) == len(changed)
