"""An input first met when a task is adapted to: what it says of rows, and to whom."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import helpers
from torch import Tensor

from omnishot.episodes.rows import Episode, Rows, concatenate
from omnishot.errors import DataError, UsageError
from omnishot.experiment.new_modality import DEFAULT_HINT_WEIGHT, HINT_WEIGHTS, NewModality, hint_weight
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.nn.network import build_network

SENSOR = {"sensor": helpers.MODALITIES["sensor"]}
WAYS, QUERIES = 5, 10
READ = [n for n in LEARNERS.names() if LEARNERS.load(n).fuses and LEARNERS.load(n).inputs_needed == 1]


def known(name: str = "protonet", **options) -> Learner:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build_network({"facts": helpers.tabular(8)}, dim=8, encoder_options={"facts": {"width": 16}})
    return helpers.learner(name, net, **options)


def second_view(target: Tensor, seed: int, noise: float) -> Rows:
    """Sensor cells that tell the classes of a task apart, but for noise."""
    g = torch.Generator().manual_seed(seed)
    centres = torch.randn(WAYS, 12, 2, generator=g)
    x = centres[target] + noise * torch.randn(len(target), 12, 2, generator=g)
    return Rows({"sensor": x.double()}, torch.ones(len(target), 1, dtype=torch.bool))


def task_of(seed: int, shots: int = 5, noise: float = 0.7) -> tuple[Episode, Rows, Rows]:
    """A task whose numbers tell little, and the sensor cells of its support and query rows."""
    task = helpers.blobs(seed, 1, WAYS, shots, QUERIES).task(0).to("cpu", torch.float64)
    cells = second_view(torch.cat([task.support.target, task.query.target]), seed, noise)
    return task, cells.select(slice(0, WAYS * shots)), cells.select(slice(WAYS * shots, None))


def accuracy(method: Learner, task: Episode) -> float:
    return method.objective.metrics(method.answer(method.adapt(task.support), task.query), task.query)["accuracy"]


def with_hints(method: Learner, task: Episode, support: Rows, query: Rows) -> tuple[NewModality, Episode]:
    new_modality = NewModality.fit(method, task.support, support, SENSOR)
    return new_modality, Episode(
        new_modality.add_hints(task.support, support, support=True), new_modality.add_hints(task.query, query)
    )


def improvements(method: Learner, shots: int, noise: float, tasks: int = 15) -> list[float]:
    results = []
    for seed in range(tasks):
        task, support, query = task_of(seed, shots, noise)
        results.append(accuracy(method, with_hints(method, task, support, query)[1]) - accuracy(method, task))
    return results


@pytest.mark.parametrize("shots", [2, 5])
def test_a_second_view_of_the_classes_helps_and_noise_costs_little(shots):
    method = known()
    assert np.mean(improvements(method, shots, noise=0.7)) > 0.1
    assert np.mean(improvements(method, shots, noise=1e4)) > -0.02


def test_what_tells_nothing_counts_little():
    method, counts = known(), {}
    for noise in (0.3, 1e4):
        results = (with_hints(method, *task_of(seed, 10, noise))[0] for seed in range(10))
        counts[noise] = np.mean([float(n.state["hint_weight"] * n.state["explained"]) for n in results])
    assert counts[1e4] < 0.05 < 0.2 < counts[0.3]


def test_rows_of_the_new_input_alone_are_learned_from_and_recognised():
    method, figures = known(), []
    for seed in range(20):
        task, support, query = task_of(seed, shots=10, noise=0.3)
        support_present, query_present = task.support.present.clone(), torch.zeros_like(task.query.present)
        support_present[::2] = False
        task = Episode(
            Rows(task.support.inputs, support_present, task.support.target, None, WAYS),
            Rows(task.query.inputs, query_present, task.query.target, None, WAYS),
        )
        new_modality, hinted = with_hints(method, task, support, query)
        assert new_modality.pairs == len(task.support) // 2
        assert torch.equal(hinted.support.hinted, ~support_present[:, 0])  # rows that have both keep their features
        figures.append(accuracy(method, hinted))
    assert np.mean(figures) > 0.6  # chance is 0.2


@pytest.mark.parametrize("junk", [math.nan, math.inf, 1e300, -7.0])
def test_the_content_of_a_missing_new_cell_changes_nothing(junk):
    method = known()
    task, *cells = task_of(0, shots=10, noise=0.3)
    answers = []
    for what in (0.0, junk):
        halves = []
        for half in cells:
            present = half.present.clone()
            present[1::3] = False
            x = torch.where(present[..., None], half.inputs["sensor"], what)
            halves.append(Rows({"sensor": x}, present))
        hinted = with_hints(method, task, *halves)[1]
        answers.append(method.answer(method.adapt(hinted.support), hinted.query))
    plain = method.answer(method.adapt(task.support), task.query)
    assert torch.equal(*answers)
    assert torch.equal(answers[0][1::3], plain[1::3])
    assert not torch.isclose(answers[0][::3], plain[::3]).all()


@pytest.mark.parametrize("name", READ)
def test_every_learner_that_reads_features_takes_hints(name):
    method = known(name)
    task, support, query = task_of(1)
    task.support.present[0] = False
    task.query.present[0] = False
    _, hinted = with_hints(method, task, support, query)
    state = method.adapt(hinted.support)
    answer, plain = method.answer(state, hinted.query), method.answer(method.adapt(task.support), task.query)
    assert answer.isfinite().all()
    assert ((answer - plain).abs().amax(-1) > 1e-9).all()
    empty = hinted.query.with_hint(hinted.query.hint, torch.zeros_like(hinted.query.hinted))
    assert torch.equal(method.answer(state, empty), method.answer(state, task.query))


@pytest.mark.parametrize("name", [n for n in LEARNERS.names() if n not in READ])
def test_a_learner_that_does_not_read_features_is_refused(name):
    method = helpers.learner(name, helpers.network("words", "facts"))
    support = helpers.random_rows({n: helpers.MODALITIES[n] for n in ("words", "facts")}, (6,))
    cells = helpers.random_rows(SENSOR, (6,), here=1.0)
    with pytest.raises(UsageError, match=f"learner '{name}' does not read the network's features.*leave sensor out"):
        NewModality.fit(method, support, cells, SENSOR)


@pytest.mark.parametrize("level", ["early", "intermediate", "token"])
def test_networks_of_every_level_take_hints(level):
    net = build_network({n: helpers.MODALITIES[n] for n in ("sensor", "facts")}, dim=8, level=level)
    method = helpers.learner("protonet", net)
    rows = helpers.random_rows(net.modalities, (6,), here=1.0)
    hint = torch.randn(6, net.out, dtype=torch.float64)
    hinted = torch.tensor([True, False] * 3)
    plain = method.features(method.params(), rows)
    torch.testing.assert_close(method.features(method.params(), rows.with_hint(hint, hinted))[::2], (plain + hint)[::2])
    assert torch.equal(method.features(method.params(), rows.with_hint(hint, hinted))[1::2], plain[1::2])
    rows.present[:] = False
    alone = method.features(method.params(), rows.with_hint(hint, hinted))
    assert torch.equal(alone[::2], hint[::2])
    assert torch.equal(alone[1::2], method.features(method.params(), rows)[1::2])


@pytest.mark.parametrize("name", ["protonet", "maml"])
def test_hints_go_with_rows_and_into_the_gradient(name):
    batch = helpers.random_episode({n: helpers.MODALITIES[n] for n in ("words", "facts")})
    method = helpers.learner(name, helpers.network("words", "facts"))
    g = torch.Generator().manual_seed(0)

    def hinted(rows: Rows) -> Rows:
        some = torch.rand(rows.present.shape[:-1], generator=g) < 0.5
        return rows.with_hint(torch.randn(*some.shape, method.network.out, generator=g, dtype=torch.float64), some)

    batch = Episode(hinted(batch.support), hinted(batch.query))
    loop, vmap = (helpers.meta_gradient(method, batch, plan) for plan in ("loop", "vmap"))
    assert helpers.relative_error(vmap, loop) < 1e-10
    task = batch.task(1)
    assert torch.equal(task.support.select([2, 0]).hint, batch.support.hint[1, [2, 0]])
    assert torch.equal(concatenate(task.support, task.query).hinted[:6], task.support.hinted)
    bare = Rows(task.query.inputs, task.query.present)
    assert concatenate(task.support, bare).hint is concatenate(bare, task.support).hint is None


def test_trust_is_judged_by_rows_left_out_of_their_class():
    g = torch.Generator().manual_seed(0)
    target = torch.arange(40) % 4
    features = torch.randn(40, 6, generator=g, dtype=torch.float64)
    of_class = 3 * torch.eye(6, dtype=torch.float64)[target]
    rows = Rows({}, torch.ones(40, 0, dtype=torch.bool), target, None, 4)
    assert hint_weight(features, of_class, rows) >= 2
    assert hint_weight(features + of_class, 5 * torch.randn(40, 6, generator=g, dtype=torch.float64), rows) == 0
    one_each = Rows({}, rows.present[:4], target[:4], None, 4)
    assert hint_weight(features[:4], of_class[:4], one_each) == DEFAULT_HINT_WEIGHT
    a_class_without_rows = Rows({}, rows.present, target, None, 7)
    assert hint_weight(features, of_class, a_class_without_rows) == hint_weight(features, of_class, rows)
    number = Rows({}, rows.present, of_class[:, :1] + of_class[:, 1:2])
    assert hint_weight(features, of_class, number) == max(HINT_WEIGHTS)
    assert hint_weight(of_class, features, number) == 0


def test_numbers_are_predicted_with_new_inputs_too():
    method = known("r2d2", objective="regress")
    g = torch.Generator().manual_seed(0)
    errors = []
    for _ in range(10):
        weight = torch.randn(24, 1, generator=g, dtype=torch.float64) / 5
        task = helpers.random_episode({"facts": helpers.tabular(8)}, 1, None, 10, 10, here=1.0).task(0)
        x = torch.randn(60, 24, generator=g, dtype=torch.float64)
        own = (x @ weight).split([30, 30])
        task = Episode(*(Rows(r.inputs, r.present, y) for r, y in zip((task.support, task.query), own, strict=True)))
        cells = [Rows({"sensor": half.unflatten(1, (12, 2))}, task.support.present) for half in x.split([30, 30])]
        new_modality, hinted = with_hints(method, task, *cells)
        assert new_modality.state["hint_weight"] in HINT_WEIGHTS
        errors.append([method.objective.metrics(method.answer(method.adapt(e.support), e.query), e.query)["mae"]
                       for e in (hinted, task)])  # fmt: skip
    assert np.isfinite(errors).all()


def test_two_pairs_are_needed():
    method, (task, support, query) = known(), task_of(0)
    support.present[1:] = False
    with pytest.raises(DataError, match=r"1 support rows have sensor and a known input \(facts\).*two such rows"):
        with_hints(method, task, support, query)
    support.present[:] = True
    task.support.present[:] = False
    with pytest.raises(DataError, match="0 support rows have sensor"):
        with_hints(method, task, support, query)


def test_several_new_inputs_count_equally_and_each_may_be_missing():
    method, (task, support, query) = known(), task_of(0)
    modalities = {"sensor": SENSOR["sensor"], "words": helpers.MODALITIES["words"]}

    def both(cells: Rows, seed: int) -> Rows:
        words = helpers.random_rows({"words": modalities["words"]}, (len(cells),), seed=seed)
        inputs = {"sensor": 1e3 * cells.inputs["sensor"], "words": words.inputs["words"]}
        return Rows(inputs, torch.cat([cells.present, words.present], 1))

    new_modality = NewModality.fit(method, task.support, both(support, 1), modalities)
    hinted = new_modality.add_hints(task.query, both(query, 2))
    assert hinted.hint.isfinite().all()
    assert hinted.hinted.all()
    assert list(new_modality.notes) == ["new input sensor and words"]
    again = NewModality.from_json(new_modality.to_json(), new_modality.state)
    assert torch.equal(again.add_hints(task.query, both(query, 2)).hint, hinted.hint)
