"""What is written down of a learner, beside its parameters, so that it can be rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from omnishot.episodes.loader import Range
from omnishot.experiment.config import Config
from omnishot.learners.base import Learner


@dataclass(frozen=True, kw_only=True)
class LearnerRecord:
    """What a learner is rebuilt from (`restore_learner`), as plain values that JSON can hold.

    Args:
        config: the options, as `Config.to_options` gives them.
        modalities: of the inputs, by name.
        objective: its name and settings.
        ways: classes of a training task, a number or a range; None where no class is predicted.
        labels: how many training classes there are; 0 where no class is predicted.
    """

    config: Mapping[str, Any]
    modalities: Mapping[str, Any]
    objective: Mapping[str, Any]
    ways: Range | None
    labels: int

    @staticmethod
    def of(learner: Learner, config: Config, ways: Range | None, labels: int) -> LearnerRecord:
        """The record of a learner as it is now."""
        return LearnerRecord(
            config=config.to_options(),
            modalities={name: m.to_json() for name, m in learner.network.modalities.items()},
            objective=learner.objective.to_json(),
            ways=ways,
            labels=labels,
        )

    def to_json(self) -> dict[str, Any]:
        """All fields, flat."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; further entries are ignored.

        Raises:
            KeyError: if an entry is missing.
        """
        values: dict[str, Any] = {name: record[name] for name in cls.__dataclass_fields__}
        return cls(**values | {name: tuple(value) for name, value in values.items() if isinstance(value, list)})
