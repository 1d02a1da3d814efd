"""The training loop: step sizes, skipped steps, tuned numbers, rows kept in memory, random numbers."""

from __future__ import annotations

import json
import math
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import helpers, tables

import omnishot as om
from omnishot.core.storage import read_tensors
from omnishot.errors import DataError, UsageError
from omnishot.evaluation.evaluator import Evaluator
from omnishot.experiment.config import Config
from omnishot.learners.base import Needs
from omnishot.learners.maml import MAML
from omnishot.learners.protonet import ProtoNet
from omnishot.learners.transfer import WEIGHTS, Transfer
from omnishot.runs.checkpoint import CHECKPOINT
from omnishot.runs.run import Run
from omnishot.training import selection, trainer
from omnishot.training.train import train
from omnishot.training.trainer import Trainer

ATTACK: dict[str, Any] = {"epsilon": {"photo": 0.05}}
TRANSFER: dict[str, Any] = {"learner": "transfer", "fit_steps": 2, "memory": 8}


@pytest.fixture
def quick(birds: Path, tmp_path: Path) -> Callable[..., Run]:
    """Trains on the birds for a moment; `out` is a name."""

    def call(out: str = "run", **options: Any) -> Run:
        return train(birds, out=tmp_path / out, **{"target": "species", **tables.QUICK, **options})

    return call


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def read(folder: Path, which: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return read_tensors(folder / which / CHECKPOINT)


def test_what_acts_in_training_alone_acts_in_steps_alone(quick, monkeypatch):
    observed = {"loss": set(), "fit": set()}
    for name, called in observed.items():
        plain = getattr(MAML, name)
        monkeypatch.setattr(MAML, name, lambda self, *a, p=plain, c=called: (c.add(self.training), p(self, *a))[1])
    run = quick(learner="maml", steps=2, inner_steps=1)
    assert observed == {"loss": {True}, "fit": {True, False}}  # steps, and validation too
    assert not run.learner.training


def test_training_leaves_the_users_random_numbers_alone(quick):
    def draw() -> tuple[Any, ...]:
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()

    def seed() -> None:
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)

    seed()
    expected = draw()
    seed()
    run = quick(learner="maml", dropout=0.3, noise={"photo": 0.1}, auxiliary={"distil": 0.1})
    assert draw() == expected
    seed()
    run.evaluate(episodes=2, attack="fgsm", save=False, **ATTACK)
    assert draw() == expected


def test_a_training_does_not_depend_on_the_users_random_numbers(quick):
    torch.manual_seed(1)
    first = quick("first", auxiliary={"distil": 0.1}).learner.params()
    torch.manual_seed(2)
    second = quick("second", auxiliary={"distil": 0.1}).learner.params()
    assert all(torch.equal(first[name], second[name]) for name in first)


# -- the outer step size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("warmup", [0, 3])
def test_step_sizes(warmup):
    config = {s: Config(steps=10, lr=0.1, warmup=warmup, schedule=s) for s in ("cosine", "linear", "constant")}
    for step in range(10):
        rise = min(1, (step + 1) / (warmup + 1))
        got = {name: trainer.learning_rate(c, step) / (0.1 * rise) for name, c in config.items()}
        assert got["cosine"] == pytest.approx(math.cos(math.pi * step / 20) ** 2)
        assert got["linear"] == pytest.approx((10 - step) / 10)
        assert got["constant"] == pytest.approx(1)
    assert Config().schedule == "cosine"
    with pytest.raises(UsageError, match="unknown schedule 'cosin': did you mean 'cosine'"):
        Config(schedule="cosin")


def test_the_schedule_is_what_training_goes_by(quick, monkeypatch):
    observed = {}
    own = torch.optim.AdamW.step
    for schedule in ("linear", "constant"):
        used = observed[schedule] = []
        note = lambda self, *a, used=used: used.append(self.param_groups[0]["lr"]) or own(self, *a)  # noqa: E731
        monkeypatch.setattr(torch.optim.AdamW, "step", note)
        run = quick(schedule, schedule=schedule, warmup=0)
        assert run.config.schedule == schedule
    assert observed["linear"] == pytest.approx([1e-3 * (6 - step) / 6 for step in range(6)])
    assert observed["constant"] == [1e-3] * 6


# -- steps that are skipped --------------------------------------------------------------------------------


def break_steps(monkeypatch: pytest.MonkeyPatch, *steps: int, of: int, gradient: bool = False) -> None:
    """At some of `of` steps the loss is not a number, or finite with a gradient that is not."""
    own = ProtoNet.loss
    monkeypatch.setattr(ProtoNet, "needs", Needs(scheduled=True))  # so that its loss knows the step

    def loss(self, params, episode):
        loss = own(self, params, episode)
        if round(self.progress * of) not in steps:
            return loss
        p = params["log_scale"].sum()
        return loss + 0 * (p - p.detach()).sqrt() if gradient else loss * float("nan")

    monkeypatch.setattr(ProtoNet, "loss", loss)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("bad", [(0,), (3,), (1, 2, 5)])
def test_a_bad_step_leaves_parameters_and_optimiser_as_they_were(quick, monkeypatch, bad, gradient):
    break_steps(monkeypatch, *bad, of=6, gradient=gradient)
    own, before, skipped = Trainer.step, [], []

    def watched(self, step, batch):
        def all_of() -> list[torch.Tensor]:
            averages = [t.clone() for values in self.optimizer.state.values() for t in values.values()]
            return [*(p.detach().clone() for p in self.learner.parameters()), *averages]

        was = all_of()
        done = own(self, step, batch)
        same = len(was) == len(now := all_of()) and all(torch.equal(a, b) for a, b in zip(was, now, strict=True))
        (skipped if same else before).append(step)
        return done

    monkeypatch.setattr(Trainer, "step", watched)
    with pytest.warns(UserWarning, match=rf"step {bad[0] + 1} was skipped: .* not finite.*metrics\.jsonl") as warned:
        run = quick()
    assert len([w for w in warned if "was skipped" in str(w.message)]) == 1
    assert tuple(skipped) == bad
    logged = [r for r in records(run.folder) if "loss" in r or "skipped" in r]
    assert [r["step"] for r in logged] == [1, 2, 3, 4, 5, 6]
    assert [r["step"] - 1 for r in logged if "skipped" in r] == list(bad)
    reason = "the meta-gradient was not finite" if gradient else "the loss of 2 of 2 tasks was not finite"
    assert {r["skipped"] for r in logged if "skipped" in r} == {reason}
    assert all(p.isfinite().all() for p in run.learner.parameters())


@pytest.mark.filterwarnings("ignore:step")
def test_a_run_with_bad_steps_resumes_to_the_same_result(quick, monkeypatch, birds, tmp_path):
    break_steps(monkeypatch, 2, 3, 4, 5, 9, of=12)
    options = {"steps": 12, "val_every": 4, "plan": "loop"}
    whole = quick("whole", **options)
    own = Trainer.step

    def stop(self, step, batch):
        if step == 5:
            raise KeyboardInterrupt
        return own(self, step, batch)

    monkeypatch.setattr(Trainer, "step", stop)
    with pytest.raises(KeyboardInterrupt):
        quick("stopped", **options)
    monkeypatch.setattr(Trainer, "step", own)
    assert read(tmp_path / "stopped", "last")[1]["skipped"] == 2
    resumed = train(birds, out=tmp_path / "stopped", resume=True)
    assert records(whole.folder) == records(resumed.folder)
    for name, value in read(whole.folder, "last")[0].items():
        assert torch.equal(value, read(resumed.folder, "last")[0][name])


@pytest.mark.filterwarnings("ignore:step")
def test_many_bad_steps_end_the_training_with_a_whole_checkpoint(quick, monkeypatch, birds, tmp_path):
    break_steps(monkeypatch, *range(3, 40), of=40)
    with pytest.raises(DataError, match=r"not finite at step 13, .* 10 last.*try a smaller lr.*is whole"):
        quick(steps=40, val_every=2)
    tensors, state = read(tmp_path / "run", "last")
    assert (state["step"], state["skipped"]) == (13, 10)
    assert all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())
    assert Run.load(tmp_path / "run").evaluate(episodes=2).figures  # the best checkpoint is there too
    with pytest.raises(DataError, match="at step 14"):  # it goes on, and no further
        train(birds, out=tmp_path / "run", resume=True)


@pytest.mark.filterwarnings("ignore:step")
def test_a_diverging_inner_loop_ends_a_short_training_too(quick):
    with pytest.raises(DataError, match=r"not finite at step 6, .*inner_lr"):
        quick(learner="maml", inner_lr=1e30)


def test_validation_that_is_no_number_selects_nothing(quick, monkeypatch):
    """A first figure that is not a number must not stand as the best for ever."""
    own, calls = Evaluator.results, []

    def scores(*args, **options):
        figures = own(*args, **options)
        calls.append(1)
        return figures | {"accuracy": (math.nan, math.nan)} if len(calls) == 1 else figures

    monkeypatch.setattr(Evaluator, "results", scores)
    run = quick(val_every=2)
    assert run.summary()["best_step"] in (4, 6)
    assert math.isfinite(run.summary()["best"])


# -- numbers that are tuned --------------------------------------------------------------------------------


@pytest.mark.parametrize("best", WEIGHTS)
def test_validation_chooses_the_value_with_the_best_figure(quick, monkeypatch, best):
    """Right answers only under one value, which then is the run's, and the model's."""
    own = Transfer.predict

    def predict(self, params, state, query):
        right = torch.isclose(params["old_weight"], torch.tensor(best))
        return own(self, params, state, query) if not right else 100 * torch.eye(query.ways)[query.target]

    monkeypatch.setattr(Transfer, "predict", predict)
    run = quick(**TRANSFER, val_every=6)
    assert run.learner.old_weight.item() == pytest.approx(best)
    chosen = [r for r in records(run.folder) if r.get("tuned") == "old_weight"]
    assert [(r["step"], r["tuned"], r["value"]) for r in chosen] == [(6, "old_weight", best)]
    tried = chosen[0]["val_accuracy"]
    assert list(tried) == [str(w) for w in WEIGHTS]
    assert tried[str(best)] == 1 == max(tried.values())
    assert Run.load(run.folder).learner.old_weight == run.learner.old_weight


def test_a_value_that_is_given_or_has_no_validation_tasks_stays(quick, birds, tmp_path):
    run = quick(**TRANSFER, old_weight=0.7)
    assert run.learner.old_weight.item() == pytest.approx(0.7)
    assert [r["tuned"] for r in records(run.folder) if "tuned" in r] == ["temperature"]  # the objective's
    rows = [row for row in tables.read(birds) if row["species"] in tables.SPECIES[:4]]
    table = tables.write(birds.parent / "four.csv", rows)
    run = train(table, target="species", out=tmp_path / "none", **tables.QUICK | TRANSFER)
    assert run.learner.old_weight.item() == pytest.approx(0.1)


def test_the_choice_is_made_once_and_resuming_keeps_it(quick, birds, monkeypatch):
    run = quick(**TRANSFER)
    before = records(run.folder), read(run.folder, "best"), read(run.folder, "last")[0]
    monkeypatch.setattr(selection.Selection, "_tune", lambda *a: pytest.fail("chosen again"))
    train(birds, out=run.folder, resume=True)
    after = records(run.folder), read(run.folder, "best"), read(run.folder, "last")[0]
    assert before[0] == after[0]
    assert before[1][1] == after[1][1]
    for was, now in ((before[1][0], after[1][0]), (before[2], after[2])):
        assert was.keys() == now.keys()
        assert all(torch.equal(was[name], now[name]) for name in was)


@pytest.mark.parametrize("when", ["within", "before it is kept"])
def test_a_choice_that_was_cut_off_is_made_again(quick, birds, monkeypatch, tmp_path, when):
    whole = quick("whole", **TRANSFER)
    own = selection.Selection._tune

    def tune(*args: Any) -> Any:
        if when != "within":
            own(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(selection.Selection, "_tune", tune)
    with pytest.raises(KeyboardInterrupt):
        quick("stopped", **TRANSFER)
    monkeypatch.setattr(selection.Selection, "_tune", own)
    resumed = train(birds, out=tmp_path / "stopped", resume=True)
    assert records(whole.folder) == records(resumed.folder)
    assert torch.equal(whole.learner.old_weight, resumed.learner.old_weight)


# -- rows that are remembered ------------------------------------------------------------------------------


def memory_of(learner: Any) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in learner.named_parameters() if n.startswith("memory.")}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def test_remembered_rows_are_training_rows_drawn_by_the_seed(quick):
    run = quick(**TRANSFER, old_weight=0.5)
    data = run.dataset()
    index = np.flatnonzero(data.parts == "train")
    of_table = data.store.gather(index)
    labels = torch.from_numpy(data.labels()[index])
    memory = run.learner.memory
    kept = memory.rows(dict(memory.named_parameters()))
    rows = []
    for i in range(8):
        same_cells = [(of_table.inputs[n] == kept.inputs[n][i]).flatten(1).all(1) for n in kept.inputs]
        where = torch.stack([*same_cells, (of_table.present == kept.present[i]).all(1)]).all(0).nonzero()
        assert kept.label[i] in labels[where[:, 0]]
        rows.append(int(where[0]))
    assert len(set(rows)) == 8
    assert same(memory_of(quick("again", **TRANSFER, old_weight=0.5).learner), memory_of(run.learner))
    assert not same(memory_of(quick("other", **TRANSFER, old_weight=0.5, seed=1).learner), memory_of(run.learner))


def test_more_places_than_training_rows_are_filled_with_some_rows_twice(quick):
    run = quick(**TRANSFER | {"memory": 50})
    rows = run.record.rows["train"]
    kept = run.learner.memory.inputs[0].flatten(1)
    assert rows < 50
    assert torch.equal(kept[rows:], kept[: 50 - rows])


def test_memory_survives_checkpoints_models_and_resuming(quick, birds, tmp_path):
    run = quick(**TRANSFER)
    memory = memory_of(run.learner)
    assert memory["memory.filled"] == 1
    assert same(memory_of(Run.load(run.folder).learner), memory)
    model = run.adapt(birds)
    model.save(tmp_path / "birds.omni")
    again = om.load(tmp_path / "birds.omni")
    assert same(memory_of(again.learner), memory)
    assert np.array_equal(again.predict_proba(birds), model.predict_proba(birds))
    with zipfile.ZipFile(tmp_path / "birds.omni") as archive:
        assert "params.safetensors" in archive.namelist()
    assert same(memory_of(train(birds, out=run.folder, resume=True).learner), memory)


def test_maml_remembers_nothing_and_tunes_nothing():
    method = helpers.learner("maml", helpers.network("facts"))
    assert method.needs.rows == 0
    assert not method.needs.tuned
