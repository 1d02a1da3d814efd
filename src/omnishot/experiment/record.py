"""The description of a learner, stored beside its parameters, from which it can be rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from omnishot.core.registries import imports_needed
from omnishot.episodes.loader import Range
from omnishot.experiment.config import Config
from omnishot.experiment.options import split_input_options
from omnishot.learners.base import Learner
from omnishot.modality.features import Features


@dataclass(frozen=True, kw_only=True)
class LearnerRecord:
    """The description of a learner (`restore_learner`), as plain values that JSON can hold.

    Args:
        config: the options, as `Config.to_options` gives them.
        modalities: of the inputs, by name.
        objective: its name and settings.
        ways: classes of a training task, a number or a range; None where no class is predicted.
        labels: number of training classes; 0 where no class is predicted.
        imports: the imports of the user's own classes, as "module:attribute" by kind of thing and name.
    """

    config: Mapping[str, Any]
    modalities: Mapping[str, Any]
    objective: Mapping[str, Any]
    ways: Range | None
    labels: int
    imports: Mapping[str, Mapping[str, str]]

    @staticmethod
    def of(learner: Learner, config: Config, ways: Range | None, labels: int) -> LearnerRecord:
        """The record of a learner as it is now."""
        return LearnerRecord(
            config=config.to_options(),
            modalities={name: m.to_json() for name, m in learner.network.modalities.items()},
            objective=learner.objective.to_json(),
            ways=ways,
            labels=labels,
            imports=_imports(learner, config),
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


def _imports(learner: Learner, config: Config) -> dict[str, dict[str, str]]:
    """The imports of the user's own classes that a learner consists of."""
    modalities = learner.network.modalities
    used = {"learner": [config.learner], "fusion": [config.fusion], "objective": [learner.objective.name]}
    used["modality"] = [m.cell_kind for m in modalities.values()]
    used["encoder"] = [split_input_options(config, name, m.cell_kind)[0] for name, m in modalities.items()]
    used["encoder"] += [m.encoder for m in modalities.values() if isinstance(m, Features)]
    return imports_needed(used)
