"""The architecture generator: picks follow the task, are what is judged, and cost little."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from support import helpers
from torch import Tensor

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.experiment.plan import Plan
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.network import build_network
from omnishot.objectives import OBJECTIVES
from omnishot.training.engine.backward import backward

INPUTS = {n: helpers.MODALITIES[n] for n in ("words", "facts")}
OBJECTIVE = ["classify", "regress"]


def built(objective: str = "classify", fusion: str = "concat", **options) -> Learner:
    return helpers.learner("archgen", helpers.network(*INPUTS, fusion=fusion), objective, **options)


def a_task(objective: str = "classify", seed: int = 0) -> Episode:
    return helpers.random_episode(INPUTS, tasks=1, ways=3 if objective == "classify" else None, seed=seed).task(0)


@pytest.mark.parametrize("objective", OBJECTIVE)
def test_training_mixes_and_adapting_picks(objective):
    method = built(objective)
    support = a_task(objective).support
    mixed, picked = method.fit(method.params(), support), method.adapt(support)
    assert list(method.options) == [
        "depth of words", "width of words", "depth of facts", "width of facts", "fusion"]  # fmt: skip
    for choice, names in method.options.items():
        assert mixed[choice].shape == (len(names),)
        assert mixed[choice].sum().item() == pytest.approx(1)
        assert (mixed[choice] > 0).all()
        assert sorted(picked[choice].tolist()) == [0.0] * (len(names) - 1) + [1.0]
        assert mixed[choice].argmax() == picked[choice].argmax()
        assert method.notes(picked)[choice] == names[int(picked[choice].argmax())]


def test_mixtures_become_picks_as_training_goes_on():
    method, support, sharp = built(), a_task().support, []
    scores = []
    for progress in (0.0, 0.5, 1.0):
        weights = method.at(progress).fit(method.params(), support)["fusion"]
        sharp.append(weights.max().item())
        scores.append((weights.log() - weights.log().mean()) * method.temperature**progress)
    assert sharp == sorted(sharp)
    assert sharp[0] < sharp[2]
    assert all(torch.allclose(s, scores[0], atol=1e-9) for s in scores)  # the same scores, from 1 to `temperature`
    assert method.needs.scheduled


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_the_picked_model_is_a_plain_network_of_that_shape(fusion):
    """Written out with the pick alone: its towers, its one fusion and its prototypes."""
    method = built(fusion=fusion)
    for seed in range(4):
        task = a_task(seed=seed)
        state = method.adapt(task.support)
        notes = method.notes(state)

        def features(rows: Rows, notes: dict[str, str] = notes) -> Tensor:
            cells = []
            for i, (name, x) in enumerate(zip(INPUTS, method.network.embeddings(rows).unbind(-2), strict=True)):
                tower, share = method.towers[i], {"1/4": 0.25, "1/2": 0.5, "1": 1.0}[notes[f"width of {name}"]]
                keep = torch.arange(8) < 8 * share
                h = x * keep
                for d in range(int(notes[f"depth of {name}"])):
                    h = h + keep * tower.back[d](keep * torch.nn.functional.gelu(tower.into[d](h)))
                cells.append(h * rows.present[:, i, None])
            operator = method.network.fusion if notes["fusion"] == fusion else method.fusions[notes["fusion"]]
            return operator(torch.stack(cells, -2), rows.present)

        x, q = features(task.support), features(task.query)
        means = torch.stack([x[task.support.target == k].mean(0) for k in range(3)])
        expected = -method.log_scale.exp() * torch.cdist(q, means).square()
        assert torch.allclose(method.answer(state, task.query), expected, atol=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVE)
def test_the_order_of_support_rows_does_not_matter(objective):
    method, task = built(objective), a_task(objective)
    for learn in (method.adapt, lambda rows: method.fit(method.params(), rows)):
        one, other = learn(task.support), learn(task.support.select([3, 5, 0, 1, 4, 2]))
        assert all(torch.allclose(one[n], other[n], atol=1e-10) for n in one)


@pytest.mark.parametrize("progress", [0.0, 1.0])
@pytest.mark.parametrize("objective", OBJECTIVE)
def test_gradient_equals_finite_differences(objective, progress):
    torch.manual_seed(0)
    net = build_network({n: helpers.tabular(1) for n in "ab"}, "sum", 3, encoder_options={"tabular": {"width": 6}})
    method = helpers.learner("archgen", net, objective, task_dim=2, depth=1, widths=(0.4, 1.0))
    method = method.at(progress)
    ways = 2 if objective == "classify" else None
    batch = helpers.random_episode(net.modalities, ways=ways, here=1.0, seed=4)
    assert helpers.slope_error(method, batch) < 1e-7


def test_one_input_has_nothing_to_fuse():
    method = helpers.learner("archgen", helpers.network("facts"), widths=(0.5, 1), depth=1)
    assert method.options == {"depth": ["0", "1"], "width": ["1/2", "1"]}
    support = helpers.random_rows({"facts": INPUTS["facts"]}, (4,), 2)
    assert method.notes(method.adapt(support)).keys() == {"depth", "width"}


def test_the_networks_own_fusion_is_one_of_the_operators_and_is_kept_once():
    method = built(fusion="sum", fusions=("sum", "attention"))
    assert method.options["fusion"] == ["sum", "attention"]
    assert method.params().keys() == method.state_dict().keys()


@pytest.mark.parametrize("options", [{"depth": -1}, {"widths": ()}, {"widths": (0.5, 2.0)}, {"temperature": 0.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=r"use a depth of 0 or more"):
        built(**options)
    with pytest.raises(UsageError, match="did you mean 'concat'"):
        built(fusion="sum", fusions=("conact",))


# -- two families of tasks that one metric does not serve ---------------------------------------------------


def family(seed: int, tasks: int, second: bool) -> Episode:
    """Four classes, three shots: they differ in the first two of four numbers, or in the last two; the others are
    noise as loud."""
    g = torch.Generator().manual_seed(2 * seed + second)
    ways, shots, rows = 4, 3, 9
    telling = 3 * torch.randn(tasks, ways, 1, 2, generator=g) + 0.5 * torch.randn(tasks, ways, rows, 2, generator=g)
    noise = 4 * torch.randn(tasks, ways, rows, 2, generator=g)
    x = torch.cat([noise, telling] if second else [telling, noise], -1)
    halves = []
    for part in (x[:, :, :shots], x[:, :, shots:]):
        target = torch.arange(ways).repeat_interleave(part.shape[2]).expand(tasks, -1).contiguous()
        halves.append(helpers.numbers(part.flatten(1, 2), target, ways))
    return Episode(*halves)


def of_both(seed: int, tasks: int) -> list[Episode]:
    return [family(seed, tasks, second) for second in (False, True)]


def accuracy(method: Learner, batch: Episode, relaxed: bool) -> float:
    right = []
    for t in range(batch.tasks):
        task = batch.task(t)
        state = method.fit(method.params(), task.support) if relaxed else method.adapt(task.support)
        right.append(method.objective.metrics(method.answer(state, task.query), task.query)["accuracy"])
    return sum(right) / len(right)


def trained(name: str, steps: int = 120) -> Learner:
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(4)}, encoder_options={"facts": {"width": 32}})
    method = LEARNERS.load(name)(net, OBJECTIVES.load("classify")())
    optimiser = torch.optim.Adam(method.parameters(), lr=3e-3)
    for step in range(steps):
        optimiser.zero_grad()
        for batch in of_both(step, 6):
            backward(method.at(step / steps), batch, Plan("vmap"))
        optimiser.step()
    return method


def test_unlike_tasks_get_unlike_architectures_that_are_as_good_as_the_mixtures():
    method, one_for_all = trained("archgen"), trained("protonet")
    unseen = of_both(10**6, 40)
    picks = []
    for batch in unseen:
        notes = [tuple(method.notes(method.adapt(batch.support.task(t))).values()) for t in range(batch.tasks)]
        picks.append(Counter(notes).most_common(1)[0])
        picked, mixed = accuracy(method, batch, relaxed=False), accuracy(method, batch, relaxed=True)
        assert picked > mixed - 0.02
        assert picked > accuracy(one_for_all, batch, relaxed=False) + 0.05
    (one, ones), (other, others) = picks
    assert one != other
    assert min(ones, others) >= 36  # of 40: alike tasks get the same


def test_it_learns_sinusoids():
    torch.manual_seed(0)
    net = build_network({"facts": helpers.tabular(1)}, encoder_options={"facts": {"width": 40}})
    method = LEARNERS.load("archgen")(net, OBJECTIVES.load("regress")())
    unseen = helpers.sinusoids(10**6, 50)
    before = helpers.judged(method, unseen)
    helpers.trained(method, lambda step: helpers.sinusoids(step, 25), 60, rate=5e-3)
    assert helpers.judged(method, unseen) < 0.2 * before
