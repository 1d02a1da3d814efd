"""`omnishot --import MODULE`: things of a user's own on the command line, each command in a process of its own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''\
import omnishot as om


@om.register("fusion", "mine")
class Mine(om.Fusion):
    """The mean of the present embeddings."""

    def __init__(self, inputs, dim):
        super().__init__()

    def forward(self, embeddings, present):
        return embeddings.sum(-2) / present.sum(-1, keepdim=True).clamp(min=1)
'''


SMALL = ("--target=label", "--modality=words=text", "--ways=2", "--shots=1", "--steps=2", "--dim=8", "--tasks=1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table of two inputs, and a module beside it that registers a fusion."""
    (tmp_path / "things.py").write_text(MODULE)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "words", "label", "split"])
        for i in range(48):
            split = ("train", "train", "val", "test")[i % 8 // 2]
            writer.writerow([i % 8 + i % 3 / 9, f"{'far' if i % 2 else 'near'} {i % 5}", f"c{i % 8}", split])
    return tmp_path


def omnishot(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "omnishot", *args]
    env = dict(os.environ, PYTHONSAFEPATH="1")  # as the installed command: the working folder is not on the path
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True)


def test_a_fusion_of_an_imported_module_is_trained_and_needed_to_evaluate(folder):
    trained = omnishot(folder, "--import", "things", "train", "t.csv", "--out", "run", "--fusion", "mine", *SMALL)
    assert trained.returncode == 0, trained.stderr
    evaluate = ("evaluate", "run", "--episodes", "2")
    without = omnishot(folder, *evaluate)
    assert without.returncode == 2
    assert "fusion 'mine', things:Mine, which is not known here: import things" in without.stderr
    assert "omnishot --import things" in without.stderr
    assert "Traceback" not in without.stderr
    again = omnishot(folder, "--import", "things", *evaluate, "--json")
    assert again.returncode == 0, again.stderr
    assert '"fusion": "mine"' in again.stdout


def test_a_registered_thing_is_listed(folder):
    assert (
        "mine: The mean of the present embeddings." in omnishot(folder, "--import", "things", "list", "fusions").stdout
    )


@pytest.mark.parametrize(("code", "message"), [("import no_such_thing", "ModuleNotFoundError"), ("1 / 0", "Zero")])
def test_a_module_that_fails_is_named_with_its_error(folder, code, message):
    (folder / "broken.py").write_text(code)
    done = omnishot(folder, "--import", "broken", "list", "fusions")
    assert done.returncode == 2
    assert "--import broken: " in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
