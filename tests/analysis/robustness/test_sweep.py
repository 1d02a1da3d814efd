"""How figures fall: each condition is what `evaluate` measures, on the same tasks for all runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support import tables

import omnishot as om
from omnishot.analysis.robustness.degradation import ALL, CLEAN, NOISE, Point, Robustness
from omnishot.errors import UsageError
from omnishot.evaluation.figure import Figure
from omnishot.runs.run import Run
from omnishot.training.train import train

SMALL = {"episodes": 3, "levels": (0.0, 1.0)}


def by_key(found: Robustness) -> dict[tuple, Point]:
    return {(m.run, m.what, m.input, m.at): m for m in found.points}


def plain(figure: Figure) -> dict:
    return figure.to_json() | {"seconds": None}


def test_every_condition_is_what_evaluate_measures(run: Run):
    found = om.robustness(run, attacks=("fgsm", "pgd"), epsilons={"image": [0.1], "tabular": [0.5]}, attack_steps=2,
                          **SMALL)  # fmt: skip
    cells, name = by_key(found), run.folder.name
    told = {
        (CLEAN, ALL, 0.0): {},
        (NOISE, "photo", 1.0): {"noise": {"photo": 1.0}},
        (NOISE, "note", 1.0): {"noise": {"note": 1.0}},
        (NOISE, "tabular", 1.0): {"noise": {"tabular": 1.0}},
        (NOISE, ALL, 1.0): {"noise": {"*": 1.0}},
        ("dead", "tabular", 0.0): {"failure": {"tabular": "dead"}},
        ("fgsm", "photo", 0.1): {"attack": "fgsm", "epsilon": {"photo": 0.1}},
        ("pgd", "photo", 0.1): {"attack": "pgd", "epsilon": {"photo": 0.1}, "attack_steps": 2},
        ("fgsm", "tabular", 0.5): {"attack": "fgsm", "epsilon": {"tabular": 0.5}},
        ("pgd", "tabular", 0.5): {"attack": "pgd", "epsilon": {"tabular": 0.5}, "attack_steps": 2},
    }
    assert {key[1:] for key in cells} == told.keys()
    for key, options in told.items():
        own = run.evaluate(episodes=3, subsets=False, save=False, **options).figures[0]
        assert plain(cells[name, *key].figure) == plain(own), key
        assert own.metric == "accuracy"


def test_attacks_hurt_and_say_what_they_were(run: Run):
    figures = [
        run.evaluate(episodes=8, save=False, attack="pgd", epsilon={"photo": radius}).figures for radius in (0, 1)
    ]
    assert figures[0][0].mean == run.evaluate(episodes=8, save=False, subsets=False).mean
    losses = [next(f.mean for f in each if f.metric == "loss") for each in figures]
    assert losses[1] > losses[0]
    said = figures[1][0]
    assert said.corruption.attack.to_json() == {
        "name": "pgd", "epsilon": {"photo": 1}, "unit": {"photo": "of the way from black to white"}, "steps": 10,
        "step_size": {"photo": 0.25},
    }  # fmt: skip
    assert "pgd-10 within 1 on photo" in str(said)
    assert Figure.from_json(json.loads(json.dumps(said.to_json()))) == said
    old = {name: value for name, value in said.to_json().items() if name not in ("attack", "failure")}
    assert Figure.from_json(old).corruption.attack is None


@pytest.fixture(scope="module")
def other(birds: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on the same table and parts, adversarially trained with noise."""
    out = tmp_path_factory.mktemp("other") / "hardened"
    hard = {"adversarial": {"image": 0.1, "tabular": 0.2}, "noise": {"*": 0.5}}
    return train(birds, target="species", out=out, **tables.QUICK, **hard)


def test_several_runs_on_one_page(run: Run, other: Run, tmp_path: Path):
    out = tmp_path / "page.html"
    found = om.robustness([run.folder, other.folder], out, attacks=["fgsm"], inputs=["photo"], epsilons=[0.05], **SMALL)
    assert found.runs == [run.folder.name, "hardened"]
    assert {m.input for m in found.points} == {ALL, "photo"}
    assert Robustness.from_json(json.loads(out.with_suffix(".json").read_text())) == found
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    text = out.read_text()
    for said in ("hardened", "noise on photo", "attack on photo", "radius (of the way from black to white)"):
        assert said in text
    clean = found.clean("hardened")
    curve = found.curves["fgsm", "photo"]["hardened"]
    assert (curve[0].at, curve[0].figure) == (0.0, clean)
    assert curve[1].at == 0.05
    assert str(found).splitlines()[0].split()[-2:] == [run.folder.name, "hardened"]
    assert all(f.seed == 0 and f.episodes == 3 for f in found.figures)


def test_failures_are_bars_of_each_run(run: Run):
    found = om.robustness(run, failures=["dead"], levels=[], episodes=2)
    assert [m.what for m in found.points] == [CLEAN, "dead"]
    assert not found.curves
    assert [f.corruption.failure for f in found.failures[run.folder.name]] == [{}, {"tabular": "dead"}]


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"levels": [1.5]}, "a level of noise must lie between 0 and 1, not 1.5"),
        ({"inputs": ["phto"]}, "no input 'phto': did you mean 'photo'"),
        ({"failures": ["dead"], "inputs": ["note"]}, r"input 'note' \(text\) has no failure 'dead'"),
        ({"attacks": ["fmsg"]}, "unknown attack 'fmsg': did you mean 'fgsm'"),
        ({"attacks": ["fgsm"], "inputs": ["note"]}, "none of note can be attacked"),
        ({"attacks": ["fgsm"], "epsilons": {"note": [0.1]}}, r"input 'note' \(text\) cannot be attacked"),
        ({"epsilons": [0.1]}, "epsilons need attacks"),
        ({"out": "page.htm"}, "must end in .html, not 'page.htm'"),
        ({"episodes": 1}, "episodes must be at least 2"),
    ],
)
def test_what_cannot_be_measured_is_said(run: Run, said, match):
    with pytest.raises(UsageError, match=match):
        om.robustness(run, **{"episodes": 2, "levels": [], **said})


def test_runs_that_cannot_be_compared_are_refused(run: Run, birds: Path, tmp_path: Path):
    def trained(name: str, **options) -> Run:
        return train(birds, target="species", out=tmp_path / name, **{**tables.QUICK, "steps": 1, **options})

    with pytest.raises(UsageError, match="no run is given"):
        om.robustness([])
    with pytest.raises(UsageError, match="a run is given twice"):
        om.robustness([run, run.folder])
    with pytest.raises(UsageError, match="the run seeded splits its table into other parts than"):
        om.robustness([run, trained("seeded", split_seed=1)], episodes=2)
    small = {name: value for name, value in tables.QUICK.items() if name != "tabular"}
    few = train(birds, target="species", out=tmp_path / "few", inputs=["photo", "note"], **small)
    with pytest.raises(UsageError, match="the run few reads photo, note, birds photo, note, tabular"):
        om.robustness([run, few], episodes=2)
    shutil.copytree(birds.parent, tmp_path / "copy")
    (tmp_path / "copy" / birds.name).write_text(birds.read_text() + birds.read_text().splitlines()[-1] + "\n")
    more = train(tmp_path / "copy" / birds.name, target="species", out=tmp_path / "more", **tables.QUICK)
    with pytest.raises(UsageError, match="the run more was trained on another table than"):
        om.robustness([run, more], episodes=2)


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"epsilon": {"photo": 0.1}}, r"an epsilon \(photo\) needs an attack"),
        ({"attack_steps": 3}, "attack_steps = 3 without an attack"),
        ({"attack": "pgd"}, "attack 'pgd' needs an epsilon"),
        ({"failure": {"photo": "dead"}}, r"input 'photo' \(image\) has no failure 'dead'"),
        ({"failure": {"tabula": "dead"}}, "no input 'tabula': did you mean 'tabular'"),
    ],
)
def test_evaluate_refuses_what_does_not_go_together(run: Run, said, match):
    with pytest.raises(UsageError, match=match):
        run.evaluate(episodes=2, **said)


def test_training_refuses_what_cannot_be_attacked(birds: Path, tmp_path: Path):
    for said, match in (({"note": 0.1}, "cannot be attacked"), ({"fotos": 0.1}, "no input 'fotos'")):
        with pytest.raises(UsageError, match=match):
            train(birds, target="species", out=tmp_path / "run", adversarial=said, **tables.QUICK)
        assert not (tmp_path / "run").exists()
