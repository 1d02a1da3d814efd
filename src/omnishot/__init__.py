"""Omnishot: multimodal meta-learning on rows that mix pictures, text, sound, sensor series and numbers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # what a reader and a type checker see; `__getattr__` does the same when it is first used
    from omnishot.api import evaluate as evaluate
    from omnishot.api import explain as explain
    from omnishot.api import load as load
    from omnishot.api import search as search
    from omnishot.comparison import compare as compare
    from omnishot.errors import DataError as DataError
    from omnishot.errors import OmnishotError as OmnishotError
    from omnishot.errors import UsageError as UsageError
    from omnishot.estimators import FewShotClassifier as FewShotClassifier
    from omnishot.estimators import FewShotRegressor as FewShotRegressor
    from omnishot.launch import train as train
    from omnishot.model import Model as Model
    from omnishot.run import Run as Run
    from omnishot.searching import Gallery as Gallery
    from omnishot.stress import robustness as robustness
    from omnishot.table.reading import read_table as read_table

_PLACES = {
    "DataError": "errors",
    "FewShotClassifier": "estimators",
    "FewShotRegressor": "estimators",
    "Gallery": "searching",
    "Model": "model",
    "OmnishotError": "errors",
    "Run": "run",
    "UsageError": "errors",
    "compare": "comparison",
    "evaluate": "api",
    "explain": "api",
    "load": "api",
    "read_table": "table.reading",
    "robustness": "stress",
    "search": "api",
    "train": "launch",
}

__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import omnishot` is quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'omnishot' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"omnishot.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
