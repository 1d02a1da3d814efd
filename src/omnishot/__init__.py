"""Omnishot: multimodal meta-learning on rows that mix pictures, text, sound, sensor series and numbers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from omnishot.core.version import VERSION as __version__

if TYPE_CHECKING:  # what a reader and a type checker see; `__getattr__` does the same when it is first used
    from omnishot.analysis.comparison.compare import compare as compare
    from omnishot.analysis.explain.explain import explain as explain
    from omnishot.analysis.robustness.sweep import robustness as robustness
    from omnishot.analysis.search.gallery import Gallery as Gallery
    from omnishot.analysis.search.gallery import search as search
    from omnishot.errors import DataError as DataError
    from omnishot.errors import OmnishotError as OmnishotError
    from omnishot.errors import UsageError as UsageError
    from omnishot.runs.estimators import FewShotClassifier as FewShotClassifier
    from omnishot.runs.estimators import FewShotRegressor as FewShotRegressor
    from omnishot.runs.load import evaluate as evaluate
    from omnishot.runs.load import load as load
    from omnishot.runs.model import Model as Model
    from omnishot.runs.run import Run as Run
    from omnishot.table.reading import read_table as read_table
    from omnishot.training.train import train as train

_PLACES = {
    "DataError": "errors",
    "FewShotClassifier": "runs.estimators",
    "FewShotRegressor": "runs.estimators",
    "Gallery": "analysis.search.gallery",
    "Model": "runs.model",
    "OmnishotError": "errors",
    "Run": "runs.run",
    "UsageError": "errors",
    "compare": "analysis.comparison.compare",
    "evaluate": "runs.load",
    "explain": "analysis.explain.explain",
    "load": "runs.load",
    "read_table": "table.reading",
    "robustness": "analysis.robustness.sweep",
    "search": "analysis.search.gallery",
    "train": "training.train",
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
