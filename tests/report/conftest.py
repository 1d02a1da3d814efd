"""Runs that the tests of reports share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.page_runs import every_kind as every_kind
from support.page_runs import numbers as numbers

from omnishot.runs.run import Run


@pytest.fixture
def copied(run: Run, tmp_path: Path) -> Run:
    """The small run, free to be changed."""
    return Run.load(shutil.copytree(run.folder, tmp_path / "run"))
