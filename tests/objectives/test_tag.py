"""Several labels a row: numbered a task at a time, from a head at the means of the rows with and without."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score
from support import helpers
from torch.utils._pytree import tree_leaves

import omnishot as om
from omnishot.cli.main import main
from omnishot.episodes.labels import OwnLabels
from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.objectives.tag import Tag, TagHead
from omnishot.table.reading import read_table

INPUTS = {name: helpers.MODALITIES[name] for name in ("words", "facts")}
TAGGING = [name for name in LEARNERS.names() if Tag.kind in LEARNERS.load(name).serves]
QUICK = {"steps": 6, "tasks": 2, "val_episodes": 4, "dim": 8, "shots": 8, "queries": 6, "tabular": {"width": 8}}


def rows_of(target: np.ndarray) -> Rows:
    return Rows({}, torch.ones(len(target), 1, dtype=torch.bool), torch.from_numpy(target))


def episode(tasks: int = 2, labels: int = 4, seed: int = 0) -> Episode:
    """Random tasks; the last one has a label less, the first label of the first is every support row's."""
    g = torch.Generator().manual_seed(seed)
    batch = helpers.random_episode(INPUTS, tasks=tasks, ways=None, seed=seed)
    halves = []
    for half in (batch.support, batch.query):
        target = (torch.rand((*half.present.shape[:-1], labels), generator=g) < 0.4).double()
        target[-1, :, -1] = -1
        target[0, :, 0] = 1
        halves.append(dataclasses.replace(half, target=target))
    return Episode(*halves)


def tagger(name: str, **options) -> Learner:
    return helpers.learner(name, helpers.network(*INPUTS), "tag", **options)


def shapes(tasks: int = 8, rows: int = 24, seed: int = 0) -> list[dict]:
    """Rows of numbers: a label of the task's own says that one number of the row is high, and `any` is every row's."""
    rng = np.random.default_rng(seed)
    results = []
    for t in range(tasks):
        signs = rng.choice([-1, 1], 3)
        for x in rng.normal(size=(rows, 3)):
            tags = [f"t{t} l{i}" for i in range(3) if x[i] * signs[i] > 0] + ["any"]
            results.append({"x": x[0], "y": x[1], "z": x[2], "tags": tags, "who": f"w{t}"})
    return results


# -- labels of a task ------------------------------------------------------------------------------------


def test_a_task_has_the_labels_of_its_support_rows():
    labels, names = Tag().encode([["red", "big  one"], ["blue"], ["red"], ["new", "red"]])
    assert names == ("big one", "blue", "new", "red")
    own = OwnLabels(8)
    support, query = own.of_tasks(labels[None, :3], labels[None, 3:])
    assert own.of(labels[:3]).tolist() == [0, 1, 3]
    assert support.tolist() == [[[1, 0, 1], [0, 1, 0], [0, 0, 1]]]
    assert query.tolist() == [[[0, 0, 1]]]  # nobody has heard of "new"
    assert OwnLabels(2).of(labels[:3]).tolist() == [0, 3]  # red, and the first of those that one row bears


def test_tasks_of_fewer_labels_have_places_without_one():
    labels, _ = Tag().encode([["a", "b", "c"], ["a"], ["b"], ["b"]])
    support, query = OwnLabels(8).of_tasks(np.stack([labels[:2], labels[2:]]), np.stack([labels[2:], labels[:2]]))
    assert support[1].tolist() == [[1, -1, -1], [1, -1, -1]]
    assert query[1].tolist() == [[1, -1, -1], [0, -1, -1]]


# -- head, loss, figures ---------------------------------------------------------------------------------


def test_the_head_starts_between_the_means_of_rows_with_and_without():
    rng = np.random.default_rng(0)
    f, target = rng.normal(size=(9, 5)), np.zeros((9, 4))
    target[:4, 0], target[2:, 1], target[:, 2], target[:, 3] = 1, 1, 1, -1
    head = TagHead(5, scale=0.7)
    task = head.start({}, lambda: torch.from_numpy(f), rows_of(target))
    results, unseen = head.predict(task, torch.from_numpy(f)), rng.normal(size=(3, 5))
    assert torch.allclose(results[:, 3], torch.zeros(9, dtype=torch.float64))
    for label in range(3):
        yes, no = f[target[:, label] == 1], f[target[:, label] == 0]
        near, far = (part.mean(0) if len(part) else f.mean(0) for part in (yes, no))
        prior = np.log((len(yes) + 1) / (len(no) + 1))
        expected = [0.7 * (((x - far) ** 2).sum() - ((x - near) ** 2).sum()) + prior for x in unseen]
        np.testing.assert_allclose(head.predict(task, torch.from_numpy(unseen))[:, label], expected, atol=1e-10)
    assert torch.allclose(results[:, 2].sigmoid(), torch.tensor(10 / 11, dtype=torch.float64))  # every row has borne it


def test_places_without_a_label_count_for_nothing():
    logits, target = torch.randn(6, 3, dtype=torch.float64), np.random.default_rng(1).integers(0, 2, (6, 3)) * 1.0
    more = torch.cat([logits, torch.full((6, 2), 50.0)], 1), np.concatenate([target, np.full((6, 2), -1.0)], 1)
    figures = Tag().metrics(logits, rows_of(target))
    assert Tag().metrics(more[0], rows_of(more[1])) == pytest.approx(figures)
    p = logits.sigmoid().numpy()
    assert figures["mean_average_precision"] == pytest.approx(average_precision_score(target, p, average="macro"))
    assert figures["f1_micro"] == pytest.approx(f1_score(target, p >= 0.5, average="micro"))
    likelihood = target * np.log(p) + (1 - target) * np.log1p(-p)
    assert figures["loss"] == pytest.approx(-likelihood.mean())


@pytest.mark.parametrize("name", TAGGING)
def test_every_plan_gives_the_same_finite_gradient(name):
    batch, method = episode(3), tagger(name)
    looped = helpers.meta_gradient(method, batch)
    assert all(torch.isfinite(g).all() for g in tree_leaves(looped))
    assert helpers.relative_error(helpers.meta_gradient(method, batch, "vmap"), looped) < 1e-10


def test_labels_past_a_tasks_own_change_nothing():
    method, task = tagger("maml"), episode().task(1)
    without = Episode(*(dataclasses.replace(h, target=h.target[:, :-1]) for h in (task.support, task.query)))
    results = method.answer(method.adapt(task.support), task.query)
    plain = method.answer(method.adapt(without.support), without.query)
    assert torch.allclose(results[:, :-1], plain, atol=1e-12)
    losses = [method.loss(method.params(), each).item() for each in (task, without)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


# -- tables ----------------------------------------------------------------------------------------------


def test_lists_of_words_are_tags():
    rows = [{"x": i / 3, "tags": ["red", "very round"]} for i in range(9)]
    assert read_table(rows, target="tags").schema.objective == "tag"
    rows = [{"x": i / 3, "tags": ["a red thing", "it is very round"]} for i in range(9)]
    assert read_table(rows, target="tags").schema.objective == "caption"


def test_from_a_table_to_a_model(tmp_path):
    run = om.train(shapes(), target="tags", group="who", out=tmp_path / "run", **QUICK)
    assert isinstance(run.learner.objective, Tag)
    results = run.evaluate(shapes(), split="train", episodes=4)
    assert results.figures[0].metric == "mean_average_precision"
    new = [{**row, "tags": [tag.replace("t0", "new") for tag in row["tags"]]} for row in shapes() if row["who"] == "w0"]
    model = om.Run.load(tmp_path / "run").adapt(new[:16])
    assert model.classes_.tolist() == ["any", "new l0", "new l1", "new l2"]
    unseen = [{k: v for k, v in row.items() if k not in ("tags", "who")} for row in new[16:]]
    written, p = model.predict(unseen), model.predict_proba(unseen)
    assert p.shape == (8, 4)
    assert [list(labels) for labels in written] == [
        [n for n, x in zip(model.classes_, r, strict=True) if x > 0.5] for r in p
    ]
    assert all("any" in labels for labels in written)
    answers = model.answers(unseen)
    assert [json.loads(cell) for cell in answers["prediction"]] == list(written)
    model.save(tmp_path / "m.omni")
    again = om.load(tmp_path / "m.omni")
    np.testing.assert_array_equal(again.predict_proba(unseen), p)
    with pytest.raises(UsageError, match="predicts labels: it has no probability to abstain by"):
        model.predict(unseen, abstain=0.5)


def test_without_a_group_tasks_are_rows_of_alike_labels_on_the_command_line(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("x,y,z,tags\n" + "\n".join(
        ",".join([*(f"{row[n]:.3f}" for n in "xyz"), '"' + json.dumps(row["tags"]).replace('"', '""') + '"'])
        for row in shapes(16))
    )  # fmt: skip
    written = [f"--{n}={v}" for n, v in QUICK.items() if n not in ("tabular", "val_episodes")]
    run = str(tmp_path / "run")
    assert main(["train", str(table), "--target", "tags", "--out", run, *written]) == 0
    capsys.readouterr()
    assert main(["evaluate", run, "--episodes", "3", "--json"]) == 0
    assert {"mean_average_precision", "f1_micro"} <= {r["metric"] for r in json.loads(capsys.readouterr().out)}


def test_a_fixed_head_is_refused():
    with pytest.raises(UsageError, match="head='linear': labels differ from task to task"):
        tagger("maml", head="linear", ways=3)
