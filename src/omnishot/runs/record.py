"""What `table.json` in a run folder holds: the table that a run was trained on, and its learner's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from omnishot.core.storage import FORMAT, read_json
from omnishot.episodes.loader import Range
from omnishot.errors import DataError
from omnishot.experiment.options import read_toml
from omnishot.experiment.record import LearnerRecord
from omnishot.modality.features import joined
from omnishot.table.schema import Schema


@dataclass(frozen=True, kw_only=True)
class RunRecord(LearnerRecord):
    """A run as it began.

    Args:
        val_ways: classes of a validation task; None without validation, and where no class is predicted.
        shots: support rows a class (or group) of a training task, a number or a range.
        source: the table's path; None for a table in memory.
        fingerprint: of the table's cells.
        schema: what each column of the table is.
        trained_on: names of the training classes, or of the groups where each group is a task; sorted.
        rows: how many rows each part has.
        format: version of the layout.
    """

    val_ways: int | None
    shots: Range
    source: str | None
    fingerprint: str
    schema: Schema
    trained_on: tuple[str, ...]
    rows: Mapping[str, int]
    format: int = FORMAT

    @property
    def encoders_trained_on(self) -> dict[str, tuple[str, ...]]:
        """What its encoders were trained on, by this run or by those that its frozen ones come from: sorted names of
        classes or groups by column."""
        frozen = [settings.get("trained_on", {}) for settings in self.modalities.values()]
        column = self.schema.group or self.schema.target
        return joined([*frozen, {column: self.trained_on} if column and self.trained_on else {}])

    @classmethod
    def read(cls, folder: Path) -> RunRecord:
        """The record of the run in a folder.

        Raises:
            DataError: if the folder holds no run, or one that is damaged, edited, or of a newer format.
        """
        path, config = folder / "table.json", folder / "config.toml"
        if not path.exists() or not config.exists():
            raise DataError(f"{folder} is not a run: it lacks table.json or config.toml")
        values = read_json(path)
        if not isinstance(values, dict) or "format" not in values:
            raise DataError(f"{path} was not written by Omnishot")
        if values["format"] > FORMAT:
            raise DataError(
                f"{folder} has format {values['format']}, this Omnishot reads up to {FORMAT}: upgrade Omnishot"
            )
        if read_toml(config) != values.get("config"):
            raise DataError(f"{config} is not what the run was trained with: it is damaged, or was edited")
        try:
            return cls.from_json(values)
        except KeyError as error:
            raise DataError(f"{path} is damaged: it lacks {error}") from None

    def to_json(self) -> dict[str, Any]:
        """All fields, flat."""
        return super().to_json() | {"schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return super().from_json({**record, "schema": Schema.from_json(record["schema"])})
