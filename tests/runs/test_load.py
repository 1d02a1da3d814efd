from __future__ import annotations

import subprocess
import sys

import pytest

import omnishot as om
from omnishot.errors import DataError
from omnishot.runs.model import Model
from omnishot.runs.run import Run


def test_every_public_name_is_there():
    for name in om.__all__:
        assert getattr(om, name) is not None
    assert set(om.__all__) <= set(dir(om))
    with pytest.raises(AttributeError, match="module 'omnishot' has no attribute 'trian'"):
        om.trian  # noqa: B018


def test_import_is_quick():
    code = "import sys, omnishot; print({'torch', 'pandas', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_load_opens_runs_and_models(run, birds, tmp_path):
    assert isinstance(om.load(str(run.folder)), Run)
    assert isinstance(om.load(run.adapt(birds).save(tmp_path / "m.omni")), Model)
    with pytest.raises(DataError, match=r"nowhere does not exist: give a run folder or an \.omni file"):
        om.load("nowhere")


def test_evaluate_takes_a_run_or_its_folder(run):
    here, there = (om.evaluate(each, episodes=2, save=False, subsets=False) for each in (run, str(run.folder)))
    assert here.metrics == there.metrics
