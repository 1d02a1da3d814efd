"""Every example runs as it is, and is short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
LINES = 60  # at most, so that an example is read at a glance


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_is_short(path):
    assert len(path.read_text().splitlines()) <= LINES
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_a_run_of_a_script_names_the_import_it_needs_elsewhere(tmp_path):
    """Trained in one process with a registered class; opened in others with and without that class."""
    (tmp_path / "things.py").write_text(
        "import omnishot as om\nfrom omnishot.learners.protonet import ProtoNet\n\n\n"
        "@om.register('learner', 'mine')\nclass Mine(ProtoNet): ...\n"
    )
    rows = "rows = [{'a': i % 8 + (i % 3) / 9, 'label': f'c{i % 8}', 'split': 'train' if i % 8 < 5 else 'val'}"
    rows += " for i in range(64)]\n"
    train = "run = om.train(rows, target='label', learner='mine', ways=2, steps=2, out='run')\n"
    train += "model = run.adapt(rows[:16])\nmodel.save('m.omni')\nprint(list(model.predict_proba(rows)[:, 0]))"

    def python(code: str) -> subprocess.CompletedProcess[str]:
        code = "import sys\nsys.path.insert(0, '.')\nimport omnishot as om\n" + rows + code
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)

    trained = python("import things\n" + train)
    assert trained.returncode == 0, trained.stderr
    for opened in ("om.load('m.omni')", "om.load('run')"):
        without = python(opened)
        assert "learner 'mine', things:Mine, which is not known here: import things" in without.stderr
    again = python("import things\nprint(list(om.load('m.omni').predict_proba(rows)[:, 0]))")
    assert again.stdout == trained.stdout
