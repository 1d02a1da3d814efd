"""The contents of a model file (`.omni`): a learner adapted to one task."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from omnishot.core.storage import FORMAT, flatten, unflatten, write_atomic
from omnishot.errors import DataError, OmnishotError, UsageError
from omnishot.experiment.build import restore_learner
from omnishot.experiment.new_modality import NewModality
from omnishot.experiment.record import LearnerRecord
from omnishot.learners.base import Learner, State
from omnishot.modality.features import frozen_weights
from omnishot.runs.checkpoint import load_params
from omnishot.table.schema import Schema

#: Weights of frozen encoders, in the file of a model that has any.
FROZEN = "frozen.safetensors"
#: State of inputs that the run was trained without.
NEW_MODALITY = "new_modality.safetensors"


@dataclass(frozen=True)
class AdaptedLearner:
    """A learner adapted to one task, and what is needed to predict tables with it and to save it.

    Args:
        learner: the learner with its meta-trained parameters.
        state: its state after adaptation to the support rows.
        schema: which columns are the inputs.
        classes_: the classes, or labels, sorted; empty where something else is predicted.
        record: how the learner is built.
        new_modality: the state of inputs that the run was trained without, if there are any.
        words: the task's own words where texts are predicted: words of its support rows that the run does not know.
    """

    learner: Learner
    state: State
    schema: Schema
    classes_: np.ndarray
    record: LearnerRecord
    new_modality: NewModality | None = None
    words: tuple[str, ...] = ()

    @property
    def notes(self) -> dict[str, str]:
        """Facts about the adaptation, by name, such as the architecture it chose; empty for most learners."""
        return self.learner.notes(self.state) | (self.new_modality.notes if self.new_modality else {})

    def save(self, path: str | Path) -> Path:
        """Write an `.omni` file: a zip of safetensors and JSON, nothing that runs code when it is opened."""
        path = check_name(path)
        about = {"format": FORMAT, **self.record.to_json()}
        about |= {"schema": self.schema.to_json(), "classes": self.classes_.tolist()}
        about |= {"words": list(self.words)} if self.words else {}
        about["notes"] = self.notes  # for people only: computed from the state
        if self.new_modality:
            about["new_modality"] = self.new_modality.to_json()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("model.json", json.dumps(about, indent=2, ensure_ascii=False))
            archive.writestr("params.safetensors", _bytes(self.learner.params()))
            archive.writestr("state.safetensors", _bytes(flatten(self.state)))
            if frozen := frozen_weights(self.learner.network.modalities):
                archive.writestr(FROZEN, _bytes(frozen))
            if self.new_modality:
                archive.writestr(NEW_MODALITY, _bytes(self.new_modality.state))
        write_atomic(path, buffer.getvalue())
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open an `.omni` file.

        Raises:
            DataError: if it does not exist, is damaged, is no model, or has a newer format.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                about = json.loads(archive.read("model.json"))
                params, state = (load_tensors(archive.read(f"{n}.safetensors")) for n in ("params", "state"))
                frozen = load_tensors(archive.read(FROZEN)) if FROZEN in archive.namelist() else {}
                new_state = load_tensors(archive.read(NEW_MODALITY)) if "new_modality" in about else {}
            if about["format"] > FORMAT:
                raise DataError(f"{path} has format {about['format']}, this Omnishot reads up to {FORMAT}: upgrade")
            record = LearnerRecord.from_json(about)
            _, learner = restore_learner(record, frozen)
            load_params(learner, params)
            schema, classes = Schema.from_json(about["schema"]), np.array(about["classes"])
            words = tuple(about.get("words", ()))
            new_modality = NewModality.from_json(about["new_modality"], new_state) if "new_modality" in about else None
        except FileNotFoundError:
            raise DataError(f"{path} does not exist") from None
        except OmnishotError:
            raise
        except Exception as error:  # whatever a damaged file makes the readers say
            raise DataError(f"{path} is not a whole Omnishot model: {error}") from error
        return cls(learner, unflatten(state), schema, classes, record, new_modality, words)


def check_name(path: str | Path) -> Path:
    """`path` as a path.

    Raises:
        UsageError: if it does not end in `.omni`.
    """
    if Path(path).suffix != ".omni":
        raise UsageError(f"a model's file name must end in .omni, not {Path(path).name!r}")
    return Path(path)


def _bytes(tensors: Mapping[str, Tensor]) -> bytes:
    return save_tensors({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()})
