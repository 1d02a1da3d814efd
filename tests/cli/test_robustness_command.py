from __future__ import annotations

import json

import pytest


def test_robustness_prints_plots_and_keeps_figures(omnishot, run, tmp_path):
    out = tmp_path / "robust.html"
    args = ["--levels", "0,1", "--inputs", "photo", "--attack", "fgsm,pgd", "--epsilons", "photo=0.05,0.1",
            "--attack-steps", 2, "--episodes", 2, "--queries", 1]  # fmt: skip
    done = omnishot("robustness", run.folder, "--out", out, *args, "--json")
    assert done.code == 0, done.err
    records = done.json()
    assert json.loads(out.with_suffix(".json").read_text()) == records
    assert [(r["what"], r["at"]) for r in records] == [
        ("as it is", 0), ("noise", 1), ("fgsm", 0.05), ("fgsm", 0.1), ("pgd", 0.05), ("pgd", 0.1),
    ]  # fmt: skip
    assert all(r["figure"]["queries"] == 1 for r in records)
    assert "the page is" in done.err
    done = omnishot("robustness", run.folder, "--out", out, "--levels", "1", "--failures", "dead", "--episodes", 2)
    assert done.code == 0, done.err
    assert "dead" in done.out
    assert out.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["--epsilons", "photo=a"], "--epsilons takes [INPUT=]R,R"),
        (["--epsilons", "0.1", "--epsilons", "photo=0.1"], "--epsilons takes one list for all inputs"),
        (["--levels", "much"], "--levels"),
        (["--attack", "fgms"], "unknown attack 'fgms'"),
    ],
)
def test_wrong_usage(omnishot, run, tmp_path, args, match):
    done = omnishot("robustness", run.folder, "--out", tmp_path / "p.html", "--episodes", 2, *args)
    assert done.code == 2
    assert match in done.err


def test_evaluate_takes_failures_and_attacks(omnishot, run):
    done = omnishot("evaluate", run.folder, "--episodes", 2, "--attack", "pgd", "--epsilon", "photo=0.05",
                    "--attack-steps", 2, "--failure", "tabular=dead", "--json")  # fmt: skip
    assert done.code == 0, done.err
    first = done.json()[0]
    assert first["failure"] == {"tabular": "dead"}
    assert first["attack"]["epsilon"] == {"photo": 0.05}
    assert first["attack"]["steps"] == 2
