"""Fixtures that tests of every part share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# No timing decides a test: a busy machine is no failure.
settings.register_profile("omnishot", deadline=None)
settings.load_profile("omnishot")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published files beside the repository."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the published data sets in shared/data beside the repository")
    return folder
