"""Fixtures that tests of every part share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes (pytest -n 2), a thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from support import tables
from support.command_line import omnishot  # noqa: F401  # a fixture

from omnishot.runs.run import Run
from omnishot.training.train import train

# No timing decides a test: a busy machine is no failure.
settings.register_profile("omnishot", deadline=None)
settings.load_profile("omnishot")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test touches the cache of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMNISHOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table written by hand (see `tests.tables.birds`); not to be changed."""
    return tables.birds(tmp_path_factory.mktemp("birds"))


@pytest.fixture(scope="session")
def run(birds: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run trained on `birds`; not to be changed."""
    out = tmp_path_factory.mktemp("run") / "birds"
    return train(birds, target="species", out=out, **tables.QUICK)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published files beside the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the published data sets in shared/data beside the repository")
    return folder
