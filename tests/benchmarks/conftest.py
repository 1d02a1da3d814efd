"""Scripts of the benchmarks, which find each other by their folders, as modules."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """Imports a script by its path below `benchmarks`, without `.py`."""

    def load(path: str) -> ModuleType:
        folder, name = (BENCHMARKS / path).parent, Path(path).name
        sys.path.insert(0, str(folder))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(folder))

    return load
