"""The objective of a table: chosen by its schema, with the options of a config, fitted to its training rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnishot.objectives import OBJECTIVES
from omnishot.objectives.base import Objective
from omnishot.table.schema import Schema


def objective_class(schema: Schema) -> type[Objective]:
    """The class of the objective that a table's target is predicted by.

    Raises:
        UsageError: if the table has no target.
    """
    return OBJECTIVES.load(schema.objective or "")


def restore_objective(settings: Mapping[str, Any]) -> Objective:
    """The inverse of `Objective.to_json`."""
    return OBJECTIVES.load(settings["name"])(**{name: value for name, value in settings.items() if name != "name"})
