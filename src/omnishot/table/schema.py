"""The role and modality of each column: given by the user, or inferred from its cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from omnishot.core.registry import registered
from omnishot.errors import UsageError, choose
from omnishot.table.inference import infer_modality, infer_objective, tabular_kind
from omnishot.table.targets import objective_name, target_of

MEDIA = ("image", "audio", "video", "series")
VALUES = ("text", "number", "category")
TABULAR = ("number", "category")
KINDS = (*MEDIA, *VALUES, "tabular", "note")
TARGET_NAMES = ("label", "target", "class", "y")


@dataclass(frozen=True)
class Column:
    """One column of a table; `modality` is None unless the role is "input"."""

    name: str
    role: str
    modality: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns in table order, and the name of the objective (None without a target)."""

    columns: tuple[Column, ...]
    objective: str | None

    @property
    def target_form(self) -> str | None:
        """What a cell of the target holds (`omnishot.table.targets`); None without a target."""
        return None if self.objective is None else target_of(self.objective).form

    @property
    def tasks_of(self) -> str | None:
        """What tasks are made of without a group column (`omnishot.table.targets`); None without a target."""
        return None if self.objective is None else target_of(self.objective).tasks

    @property
    def target(self) -> str | None:
        """The column to predict, of several the first."""
        return self._named("target")

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict; several are numbers."""
        return tuple(column.name for column in self.columns if column.role == "target")

    @property
    def group(self) -> str | None:
        """The column whose values are tasks."""
        return self._named("group")

    @property
    def split(self) -> str | None:
        """The column that holds train, val or test."""
        return self._named("split")

    def inputs(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Inputs by name: modality and columns. All number and category columns are one, named "tabular"."""
        inputs: dict[str, tuple[str, tuple[str, ...]]] = {}
        for column in self.columns:
            if column.modality in TABULAR:
                inputs["tabular"] = ("tabular", (*inputs.get("tabular", ("", ()))[1], column.name))
            elif column.modality is not None:
                inputs[column.name] = (column.modality, (column.name,))
        return inputs

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            UsageError: with the nearest name, if there is none.
        """
        choose("column", name, [column.name for column in self.columns])
        return next(column for column in self.columns if column.name == name)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return dataclasses.asdict(self) | {"columns": [dataclasses.asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Schema:
        """The inverse of `to_json`."""
        columns = tuple(Column(**column) for column in saved["columns"])
        return cls(columns, saved["objective"])

    def _named(self, role: str) -> str | None:
        return next((column.name for column in self.columns if column.role == role), None)


def infer(
    frame: pd.DataFrame,
    *,
    target: str | Sequence[str] | None = None,
    group: str | None = None,
    modality: Mapping[str, str] | None = None,
    inputs: Sequence[str] | None = None,
    split: str | None = "split",
    objective: str | None = None,
) -> Schema:
    """The schema of a clean frame: what the options give, the rest inferred (see `inference.infer_modality`).

    Raises:
        UsageError: if an option names an unknown column, modality or objective, or two options contradict.
    """
    names, kinds = list(frame.columns), dict(modality or {})
    targets = parse_targets(target, names)
    for name in (*targets, group, *kinds, *(inputs or ())):
        if name is not None:
            choose("column", name, names)
    for kind in kinds.values():
        choose("modality", kind, (*KINDS, *registered("modality")))
    if split is not None and split != "split":
        choose("column", split, names)
    named = {*kinds, *(inputs or ())}
    if not targets:
        targets = _default_target([n for n in names if n not in named and n not in (group, split)])
    given_roles = ((split, "split"), (group, "group"), *((name, "target") for name in targets))
    roles = {name: role for name, role in given_roles if name in names}
    if len(roles) < sum(name in names for name, _ in given_roles):
        of = ", ".join(targets)
        raise UsageError(f"one column cannot be two of target ({of}), group ({group}) and split ({split})")
    for name in roles.keys() & {*(inputs or ()), *(n for n, kind in kinds.items() if kind != "note")}:
        raise UsageError(f"column {name!r} is the {roles[name]} and cannot be an input too")

    def column(name: str) -> Column:
        if name in roles:
            return Column(name, roles[name])
        kind = "note" if inputs is not None and name not in inputs else kinds.get(name)
        if kind == "tabular":
            kind = tabular_kind(frame[name])
        kind = kind or infer_modality(name, frame[name], chosen=inputs is not None)
        return Column(name, "note") if kind == "note" else Column(name, "input", kind)

    columns = tuple(column(name) for name in names)
    if any(c.name == "tabular" and c.modality not in (*TABULAR, None) for c in columns):
        raise UsageError("no image, text, audio, video or series column may be named 'tabular': rename it")
    if objective is not None:
        objective = objective_name(objective)
    elif targets:
        objective = "regress" if len(targets) > 1 else infer_objective(frame[targets[0]])
        if objective == "regress" and len(targets) == 1 and group is None and _paired(columns):
            objective = "match"
    if objective == "match" and targets and tabular_kind(frame[targets[0]]) == "category":
        objective = "relate"
    if len(targets) > 1 and not (objective and target_of(objective).several):
        raise UsageError(f"only numbers can be several targets: to {objective}, say one of {', '.join(targets)}")
    return Schema(columns, objective)


def _paired(columns: Sequence[Column]) -> bool:
    """Whether the inputs are two of one kind, texts or media, which `match` compares."""
    kinds = [column.modality for column in columns if column.role == "input"]
    return len(kinds) == 2 and kinds[0] == kinds[1] and kinds[0] in (*MEDIA, "text")


def parse_targets(target: str | Sequence[str] | None, names: Sequence[str]) -> tuple[str, ...]:
    """The target columns: one, or several joined by commas where no column has the whole name."""
    if isinstance(target, str):
        return (target,) if target in names else tuple(name.strip() for name in target.split(","))
    return tuple(target or ())


def _default_target(names: Sequence[str]) -> tuple[str, ...]:
    candidates = [name for name in names if name.lower() in TARGET_NAMES]
    return tuple(candidates) if len(candidates) == 1 else ()
