"""What every learner must do: any classes, any shots, refuse what it does not serve, leave itself unchanged."""

from __future__ import annotations

import pytest
import torch
from support import helpers
from support.covering import rotated
from torch.utils._pytree import tree_leaves

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.objectives import OBJECTIVES
from omnishot.objectives.base import Objective

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}
REGRESS = [n for n in LEARNERS.names() if "regress" in LEARNERS.load(n).serves]


def built(name: str, objective: str | Objective = "classify", **options) -> Learner:
    return helpers.learner(name, helpers.network(*INPUTS), objective, **options)


def support_of(target: list[int], ways: int, seed: int = 0) -> Rows:
    rows = helpers.random_rows(INPUTS, (len(target),), ways, seed, here=1.0)
    return Rows(rows.inputs, rows.present, torch.tensor(target), rows.label, ways)


#: Classes of the support rows of a task.
TARGETS = [
    ([0, 0, 0, 1, 2, 2], 3),  # unequal shots, one of them a single row
    ([2, 0, 1], 3),  # one row a class
    ([0, 1] * 4, 2),
    (list(range(11)), 11),
    ([0, 0, 2, 2], 3),  # a class without a row
    ([0, 0, 0], 1),
]


@pytest.mark.parametrize(("name", "task"), rotated(LEARNERS.names(), TARGETS, 2))
def test_any_classes_and_shots(name, task):
    target, ways = task
    method = built(name)
    query = helpers.random_rows(INPUTS, (5,), ways, seed=9)
    query.present[0] = False
    answer = method.answer(method.adapt(support_of(target, ways)), query)
    assert answer.shape == (5, ways)
    assert answer.isfinite().all()


@pytest.mark.parametrize("name", LEARNERS.names())
def test_the_names_of_the_classes_do_not_matter(name):
    """Renumbered classes give renumbered predictions, whatever order the support rows come in."""
    method = built(name)
    support, query = support_of([0, 0, 1, 1, 2, 2], 3), helpers.random_rows(INPUTS, (5,), 3, seed=9)
    plain = method.answer(method.adapt(support), query)
    renumbered = torch.tensor([2, 0, 1])
    other = Rows(support.inputs, support.present, renumbered[support.target], None, 3).select([5, 0, 3, 1, 4, 2])
    again = method.answer(method.adapt(other), query)
    close = {"logreg": 1e-3}.get(name, 1e-8)  # scikit-learn's solver stops at a tolerance
    assert torch.allclose(again[:, renumbered], plain, atol=close)


@pytest.mark.parametrize("name", LEARNERS.names())
def test_adapting_and_answering_change_nothing_and_keep_no_graph(name):
    method = built(name)
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    support, query = support_of([0, 1, 2], 3), helpers.random_rows(INPUTS, (4,), 3)
    state = method.adapt(support)
    first = method.answer(state, query)
    assert not any(t.requires_grad for t in tree_leaves([first, state]))
    assert torch.equal(method.answer(state, query), first)
    assert torch.equal(method.answer(method.adapt(support), query), first)
    assert all(torch.equal(p, before[n]) for n, p in method.named_parameters())
    assert all(p.grad is None for p in method.parameters())


@pytest.mark.parametrize("name", LEARNERS.names())
def test_what_users_get_is_what_training_minimises(name):
    """adapt and answer take no gradients; fit and predict in training do; the loss is the same."""
    method = built(name)
    if not method.splits:
        pytest.skip("its loss is its own")
    if type(method).settle is not Learner.settle:
        pytest.skip("it adapts in another way than it trains, which its own tests judge")
    task = helpers.random_episode(INPUTS, tasks=1).task(0)
    answered = method.objective.loss(method.answer(method.adapt(task.support), task.query), task.query)
    trained = method.loss(method.params(), task)
    assert answered.item() == pytest.approx(trained.item(), rel=1e-12)


@pytest.mark.parametrize("name", LEARNERS.names())
def test_objectives_not_served_are_refused(name):
    cls = LEARNERS.load(name)
    net = helpers.network(*INPUTS)
    assert "classify" in cls.serves
    for objective in (OBJECTIVES.load(called)() for called in OBJECTIVES.names()):
        if objective.kind in cls.serves:
            built(name, objective)
        else:
            served = ", ".join(cls.serves)
            with pytest.raises(UsageError, match=f"learner '{name}' serves {served}, not {objective.name}"):
                cls(net, objective)


@pytest.mark.parametrize("name", REGRESS)
def test_numbers(name):
    method = built(name, "regress")
    batch = helpers.random_episode(INPUTS, tasks=1, ways=None).task(0)
    answer = method.answer(method.adapt(batch.support), batch.query)
    assert answer.shape == batch.query.target.shape
    one = Rows(batch.support.inputs, batch.support.present, batch.support.target).select([0])
    assert method.answer(method.adapt(one), batch.query).isfinite().all()


@pytest.mark.parametrize("name", ["maml", "anil"])
def test_a_linear_head_refuses_another_number_of_classes(name):
    with pytest.raises(UsageError, match=r"head='linear' needs one number of classes.*protomaml"):
        built(name, head="linear")
    with pytest.raises(UsageError, match="unknown head 'linaer': did you mean 'linear'"):
        built(name, head="linaer")
    method = built(name, head="linear", ways=3)
    assert method.answer(method.adapt(support_of([0, 1, 2], 3)), support_of([0, 1, 2], 3)).shape == (3, 3)
    for ways in (2, 5):
        with pytest.raises(UsageError, match=rf"linear head is for 3 classes, the task has {ways}.*protomaml"):
            method.adapt(support_of(list(range(ways)), ways))


def test_a_learner_that_nobody_wrote_says_so():
    method = Learner(helpers.network(*INPUTS), OBJECTIVES.load("classify")())
    with pytest.raises(NotImplementedError, match=r"Learner\.fit"):
        method.fit({}, support_of([0], 1))
    with pytest.raises(NotImplementedError, match=r"Learner\.predict"):
        method.predict({}, {}, support_of([0], 1))


def test_labels_are_no_part_of_an_inner_task():
    """What a row is among all training classes must not leak into episodic learners."""
    batch = helpers.random_episode(INPUTS)
    other = Episode(*(Rows(h.inputs, h.present, h.target, 0 * h.label, h.ways) for h in (batch.support, batch.query)))
    for name in ("maml", "anil", "protonet"):
        method = built(name)
        one, two = helpers.meta_gradient(method, batch), helpers.meta_gradient(method, other)
        assert all(torch.equal(one[n], two[n]) for n in one)
