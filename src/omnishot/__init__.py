"""Omnishot: multimodal meta-learning on rows that mix pictures, text, sound, sensor series and numbers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from omnishot.core.version import VERSION as __version__

if TYPE_CHECKING:  # for readers and type checkers; `__getattr__` does the same when a name is first used
    from omnishot.analysis.comparison.compare import compare as compare
    from omnishot.analysis.explain.explain import explain as explain
    from omnishot.analysis.robustness.sweep import robustness as robustness
    from omnishot.analysis.search.gallery import Gallery as Gallery
    from omnishot.analysis.search.gallery import search as search
    from omnishot.core.registries import register as register
    from omnishot.errors import DataError as DataError
    from omnishot.errors import OmnishotError as OmnishotError
    from omnishot.errors import UsageError as UsageError
    from omnishot.learners.base import Learner as Learner
    from omnishot.modality.base import Modality as Modality
    from omnishot.nn.encoders.base import Encoder as Encoder
    from omnishot.nn.fusion.base import Fusion as Fusion
    from omnishot.objectives.base import Objective as Objective
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
    "Encoder": "nn.encoders.base",
    "FewShotClassifier": "runs.estimators",
    "FewShotRegressor": "runs.estimators",
    "Fusion": "nn.fusion.base",
    "Gallery": "analysis.search.gallery",
    "Learner": "learners.base",
    "Modality": "modality.base",
    "Model": "runs.model",
    "Objective": "objectives.base",
    "OmnishotError": "errors",
    "Run": "runs.run",
    "UsageError": "errors",
    "compare": "analysis.comparison.compare",
    "evaluate": "runs.load",
    "explain": "analysis.explain.explain",
    "load": "runs.load",
    "read_table": "table.reading",
    "register": "core.registries",
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
