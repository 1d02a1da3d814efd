"""The study of what robust meta-training gains and costs."""

from __future__ import annotations

import json

import pytest
from support import tables


@pytest.fixture(scope="module")
def bench(script):
    return script("studies/robustness")


def test_trainings_differ_in_what_they_are_to_withstand_alone(bench, birds, tmp_path, monkeypatch):
    trainings = {"plain": {}, "noisy": {"noise": {"*": 0.5}}, "adversarial": {"adversarial": {"photo": 0.1}}}
    parts = {
        "noise": {"levels": (1.0,), "inputs": ["photo"]},
        "photo": {"inputs": ["photo"], "attacks": ("fgsm",), "epsilons": (0.1,), "levels": ()},
    }
    monkeypatch.setattr(bench, "TRAININGS", trainings)
    monkeypatch.setattr(bench, "PARTS", parts)
    monkeypatch.setattr(bench, "TARGET", "species")
    monkeypatch.setattr(bench, "COMMON", {n: v for n, v in tables.QUICK.items() if n != "steps"})
    common = ["--table", birds, "--runs", tmp_path, "--steps", 3, "--episodes", 2, "--queries", 1]

    def run(*args) -> str:
        bench.main([str(arg) for arg in (*common, *args)])
        return (tmp_path / "t.md").read_text() if "--markdown" in args else ""

    run("--only", "plain", "--json", tmp_path / "a.json")
    run("--only", "noisy/noise,noisy/photo,adversarial", "--json", tmp_path / "b.json")
    assert list(json.loads((tmp_path / "a.json").read_text())["learners"]) == ["plain/noise", "plain/photo"]
    monkeypatch.setattr(bench.Hardship, "trained", None)  # nothing is left to train
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    text = run("--json", tmp_path / "c.json", "--merge", *files, "--markdown", tmp_path / "t.md",
               "--page", tmp_path / "page.html")  # fmt: skip
    assert text.splitlines()[0] == "| what | input | level or radius | plain | noisy | adversarial |"
    assert text.count("| as it is |") == 1
    assert "| fgsm | photo | 0.1 |" in text
    assert "noisy costs" in text
    assert "adversarial costs" in text
    assert (tmp_path / "page.png").exists()
    configs = [(tmp_path / name / "config.toml").read_text().splitlines() for name in trainings]
    assert {line for line in configs[1] if line not in configs[0]} == {'"*" = 0.5'}
    assert {line for line in configs[2] if line not in configs[0]} == {"photo = 0.1"}
