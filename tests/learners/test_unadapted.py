"""What learners predict before they have seen a support row."""

from __future__ import annotations

import pytest
import torch
from support import helpers
from torch.utils._pytree import tree_leaves

from omnishot.core.options import keywords
from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.decoders import DECODERS
from omnishot.nn.decoders.tokens import EOS
from omnishot.objectives.base import OWN_HEAD
from omnishot.objectives.text import TextObjective

INPUTS = {name: helpers.MODALITIES[name] for name in ("words", "facts")}
SAYING = [name for name in LEARNERS.names() if OWN_HEAD in LEARNERS.load(name).serves]
#: Learners whose start the support rows tell.
TOLD = {"mmaml", "probe"}


def regressor(name: str, **options) -> Learner:
    return helpers.learner(name, helpers.network(*INPUTS), "regress", **options)


def rows(seed: int, count: int = 4) -> Rows:
    return helpers.random_rows(INPUTS, (count,), None, seed)


@pytest.mark.parametrize("name", [n for n in LEARNERS.names() if "regress" in LEARNERS.load(n).serves])
def test_no_step_is_no_adapting(name):
    """Where the start is learned, it is what no step on any support rows would give; others say that they have none."""
    method = regressor(name)
    if name in TOLD or method.steps is None:
        with pytest.raises(UsageError, match=f"{name}.* predicts from the support rows.*before adapting"):
            method.initial_state(method.detached(), None)
        return
    query = rows(9)
    state = method.initial_state(method.detached(), None)
    before = method.answer(state, query)
    moved = method.answer(method.adapt(rows(1)), query)
    assert not torch.equal(before, moved)
    still = method.with_steps(0).adapt(rows(1))
    assert torch.equal(method.answer(still, query), before)
    assert {*still} == {*state}
    assert len(tree_leaves(still)) == len(tree_leaves(state))


@pytest.mark.parametrize("name", ["maml", "cavia", "scratch", "finetune"])
def test_a_head_at_the_class_means_has_no_start(name):
    method = helpers.learner(name, helpers.network(*INPUTS))
    with pytest.raises(UsageError, match="class means of the support rows: it predicts nothing before adapting"):
        method.initial_state(method.detached(), 3)


def test_a_fixed_head_has_one_for_as_many_classes():
    method = helpers.learner("maml", helpers.network(*INPUTS), head="linear", ways=3)
    assert method.answer(method.initial_state(method.detached(), 3), rows(9)).shape == (4, 3)
    with pytest.raises(UsageError, match="for 3 classes, the task has 4"):
        method.initial_state(method.detached(), 4)


@pytest.mark.parametrize("decoder", DECODERS.names())
@pytest.mark.parametrize("name", ["maml", "finetune", "cavia"])
def test_a_decoder_does_not_know_the_words_of_the_task(name, decoder):
    """Nothing of the support rows is known, so that a word which only they say is never said."""
    net = helpers.network(*INPUTS, level="token", fusion="transformer")
    objective = TextObjective(("a", "b"), decoder=decoder, longest=4, own_words=0 if decoder == "ctc" else 2)
    objective.name = "caption"
    options = {n: value for n, value in helpers.QUICK.items() if n in keywords(LEARNERS.load(name))}
    method = LEARNERS.load(name)(net, objective, **options).double()
    query, shared, own = rows(9), len(objective.vocabulary), objective.outputs(None)
    said = method.answer(method.initial_state(method.detached(), None), query)
    target = torch.tensor([shared - 1, EOS, 0, 0]).expand(len(query), 1, 4)
    assert said.log_likelihood(target).isfinite().all()
    assert (said.log_likelihood(target) > -1e3).any()
    if decoder != "ctc":  # which has no words of a task at all
        assert (said.log_likelihood(torch.where(target == shared - 1, own - 1, target)) < -1e3).all()
    assert (said.decode(1, 4) < shared).all()
