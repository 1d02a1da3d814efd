"""Transfer and joint against a loop with torch's own Adam, written out."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from support import helpers
from torch import Tensor, nn
from torch.func import vmap

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError

INPUTS = {n: helpers.MODALITIES[n] for n in ("photo", "words", "facts")}
STEPS, RATE = 4, 0.01
#: (learner, option, share of the new loss, share of the old loss)
MIXTURES = [
    ("transfer", {"old_weight": 0.0}, 1.0, 0.0),
    ("transfer", {"old_weight": 0.75}, 1.0, 0.75),
    ("transfer", {"old_weight": 4.0}, 1.0, 4.0),
    ("joint", {}, 0.5, 0.5),
    ("joint", {"new_weight": 0.875}, 0.875, 0.125),
]


def built(name: str, objective: str = "classify", **options):
    options = {"fit_steps": STEPS, "fit_lr": RATE, "memory": 7} | options
    if name == "finetune":
        options.pop("memory")
    return helpers.learner(name, helpers.network(*INPUTS), objective, **options)


def task(ways: int | None) -> tuple[Rows, Rows]:
    return tuple(helpers.random_rows(INPUTS, (9,), ways, seed, here=0.8) for seed in (0, 1))


def adam(parameters: list[Tensor], loss) -> None:
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()


@pytest.mark.parametrize(("name", "options", "new", "old"), MIXTURES)
def test_classes_equal_a_loop_written_out(name, options, new, old):
    method = built(name, **options)
    support, query = task(3)
    kept = helpers.random_rows(INPUTS, (7,), 3, seed=77)
    method.remember(kept)
    answer = method.answer(method.adapt(support), query)
    net, joint = copy.deepcopy(method.network), copy.deepcopy(method.joint)
    with torch.no_grad():
        features = net(support)
        means = torch.stack([features[support.target == k].mean(0) for k in range(3)])
    s = net.out**-0.5
    weight, bias = nn.Parameter(2 * s * means), nn.Parameter(-s * means.square().sum(1))

    def loss() -> Tensor:
        of_new = F.cross_entropy(net(support) @ weight.T + bias, support.target)
        of_old = F.cross_entropy(net(kept) @ joint.weight.T + joint.bias, kept.label)
        return new * of_new + old * of_old

    adam([*net.parameters(), *joint.parameters(), weight, bias], loss)
    assert torch.allclose(answer, net(query) @ weight.T + bias, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("name", "options", "new", "old"), MIXTURES)
@pytest.mark.parametrize("objective", ["regress", "classify"])
def test_one_head_for_old_and_new_equals_a_loop_written_out(objective, name, options, new, old):
    """Numbers, and classes that are the training classes (head joint)."""
    classify = objective == "classify"
    ways = helpers.LABELS if classify else None
    method = built(name, objective, **options, **({"head": "joint"} if classify else {}))
    support, query = task(ways)
    kept = helpers.random_rows(INPUTS, (7,), ways, seed=77)
    method.remember(kept)
    answer = method.answer(method.adapt(support), query)
    net, head = copy.deepcopy(method.network), copy.deepcopy(method.head)

    def of(rows: Rows, target: Tensor) -> Tensor:
        output = net(rows) @ head.weight.T + head.bias
        return F.cross_entropy(output, target) if classify else F.mse_loss(output, target)

    old_target = kept.label if classify else kept.target
    adam(
        [*net.parameters(), *head.parameters()], lambda: new * of(support, support.target) + old * of(kept, old_target)
    )
    assert torch.allclose(answer, net(query) @ head.weight.T + head.bias, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("objective", ["classify", "regress"])
def test_without_the_old_loss_it_is_fine_tuning(objective):
    support, query = task(3 if objective == "classify" else None)
    tuned = built("finetune", objective)
    expected = tuned.answer(tuned.adapt(support), query)
    for name, none, some in (("transfer", {"old_weight": 0.0}, {}), ("joint", {"new_weight": 1.0}, {})):
        answers = []
        for options in (none, some):
            method = built(name, objective, **options)
            method.load_state_dict(tuned.state_dict(), strict=False)
            answers.append(method.answer(method.adapt(support), query))
        assert torch.equal(answers[0], expected)
        assert (answers[1] - expected).abs().max() > 1e-6


@pytest.mark.parametrize("name", ["transfer", "joint"])
def test_an_empty_memory_has_no_say(name):
    support, query = task(3)
    options = {"old_weight": 1.0} if name == "transfer" else {"new_weight": 1.0}
    tuned, method = built("finetune"), built(name, **options)
    method.load_state_dict(tuned.state_dict(), strict=False)
    with torch.no_grad():
        method.memory.filled.zero_()
    answer = method.answer(method.adapt(support), query)
    assert torch.equal(answer, tuned.answer(tuned.adapt(support), query))


@pytest.mark.parametrize("objective", ["classify", "regress"])
@pytest.mark.parametrize("name", ["transfer", "joint"])
def test_tasks_at_once_are_learned_as_one_by_one(name, objective):
    method = built(name, objective)
    batch = helpers.random_episode(INPUTS, tasks=3, ways=3 if objective == "classify" else None)
    params = {n: p.detach() for n, p in method.named_parameters()}
    together = vmap(lambda tree: method.fit(params, batch.support.with_tensors(tree)))(batch.support.tensors())
    for t in range(3):
        alone = method.adapt(batch.support.task(t))
        assert alone.keys() == together.keys()
        assert all(torch.allclose(alone[n], together[n][t], atol=1e-10) for n in alone)


@pytest.mark.parametrize("name", ["transfer", "joint"])
def test_without_steps_it_is_plain_joint_training(name):
    method = built(name, "regress", fit_steps=0)
    support, query = task(None)
    with torch.no_grad():
        expected = method.network(query) @ method.head.weight.T + method.head.bias
    assert torch.equal(method.answer(method.adapt(support), query), expected)


@pytest.mark.parametrize("name", ["finetune", "joint", "transfer"])
def test_numbers_of_all_tasks_train_one_network(name):
    method = built(name, "regress")
    batch = helpers.random_episode(INPUTS, tasks=3, ways=None, here=1.0)
    rows = [half.task(t) for t in range(3) for half in (batch.support, batch.query)]
    output = torch.cat([method.network(r) @ method.head.weight.T + method.head.bias for r in rows])
    loss = F.mse_loss(output, torch.cat([r.target for r in rows]))
    trained = [n for n, p in method.named_parameters() if p.requires_grad]
    expected = dict(zip(trained, torch.autograd.grad(loss, [method.get_parameter(n) for n in trained]), strict=True))
    assert helpers.relative_error(helpers.meta_gradient(method, batch), expected) < 1e-12


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("transfer", {"old_weight": -0.1}, "old_weight must be at least 0"),
        ("transfer", {"old_weight": float("nan")}, "old_weight must be at least 0"),
        ("joint", {"new_weight": 1.5}, "new_weight must lie between 0 and 1"),
        ("joint", {"memory": 0}, "memory must be at least 1 row"),
    ],
)
def test_options_that_cannot_be_are_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        built(name, **options)


def test_the_weight_is_chosen_unless_it_is_said():
    assert built("transfer").needs.tuned.keys() == {"old_weight"}
    assert not built("transfer", old_weight=0.3).needs.tuned
    assert not built("joint").needs.tuned
