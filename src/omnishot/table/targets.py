"""What a table must know of an objective: what cells of the target hold, and what tasks are made of."""

from __future__ import annotations

from typing import NamedTuple

from omnishot.core.registries import registry
from omnishot.errors import choose

#: What a cell of the target holds; `TEXT` and `LABELS` may be lists.
CLASS, NUMBER, TEXT, LABELS = "class", "number", "text", "labels"
#: What tasks are made of without a group column: rows of some classes; any rows; or they need a group column.
OF_CLASSES, OF_ROWS, OF_GROUPS = "classes", "rows", "groups"


class Target(NamedTuple):
    """The target of an objective.

    Args:
        form: what a cell holds.
        tasks: what tasks are made of without a group column.
        several: whether several columns may be the target.
    """

    form: str
    tasks: str
    several: bool = False


#: Of this package's own objectives, so that reading a table imports none of them.
_TARGETS = {
    "answer": Target(TEXT, OF_ROWS),
    "caption": Target(TEXT, OF_ROWS),
    "classify": Target(CLASS, OF_CLASSES),
    "match": Target(NUMBER, OF_ROWS),
    "regress": Target(NUMBER, OF_GROUPS, several=True),
    "relate": Target(CLASS, OF_ROWS),
    "tag": Target(LABELS, OF_ROWS),
    "transcribe": Target(TEXT, OF_ROWS),
}


def objective_name(given: str | type) -> str:
    """The name of an objective that is given by name or as a class.

    Raises:
        UsageError: if there is no such objective, naming the nearest, or the class is none.
    """
    objectives = registry("objective")
    return choose("objective", objectives.name_of(given), objectives.names())


def target_of(objective: str) -> Target:
    """The target of an objective; one that is not this package's own is imported and says it itself.

    Raises:
        UsageError: if there is no such objective.
    """
    if objective in _TARGETS:
        return _TARGETS[objective]
    cls = registry("objective").load(objective)
    return Target(cls.target_form, cls.tasks_of, cls.several_targets)
