"""What every objective is."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from omnishot.core.options import keywords, typed
from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError, nearest
from omnishot.metrics.metric import Metric, add_metrics, metric_of
from omnishot.nn.heads import Head
from omnishot.nn.network import Network

#: What a task's targets are measured with, tensors by name; empty where it is what the table's are.
Scaler = Mapping[str, Tensor]


class Objective(ABC):
    """The kind of thing predicted. A prediction is what a learner's head gives: a tensor `[rows, out]`, or what a
    decoder would say."""

    name: ClassVar[str]
    #: What people are told of a row, in two words.
    gives: ClassVar[str]
    #: The metric that selects models.
    metric: ClassVar[str]
    #: Metrics of this objective that the table of metrics lacks, by name (`omnishot.metrics.metric`).
    own_metrics: ClassVar[Mapping[str, Metric]] = MappingProxyType({})
    #: Settings that `calibrated` fits to validation episodes.
    fitted: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        add_metrics(cls.own_metrics)

    @property
    def higher_is_better(self) -> bool:
        """Whether more of `metric` is better."""
        return metric_of(self.metric).higher_is_better

    @classmethod
    def read_options(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Options as users give them (values may be text), checked and typed as the constructor takes them.

        Raises:
            UsageError: for an unknown option, with the nearest right name, or a value that does not fit.
        """
        return cls.typed_options(given, cls.options())

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Names and types of the constructor's keyword-only parameters, with those that it hands on to its base."""
        found: dict[str, Any] = {}
        for each in cls.__mro__:
            found = keywords(each) | found
            if all(p.kind is not p.VAR_KEYWORD for p in inspect.signature(each).parameters.values()):
                break
        return found

    @classmethod
    def typed_options(cls, given: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
        """`given` with values of `types`, by name; see `read_options`."""
        for name in given.keys() - types.keys():
            known = nearest(name, types) if types else "it has no options"
            raise UsageError(f"objective {cls.name!r} has no option {name!r}: {known}")
        return {name: typed(f"objective_options.{name}", value, types[name]) for name, value in given.items()}

    @abstractmethod
    def outputs(self, ways: int | None) -> int:
        """Width of a fixed head."""

    @abstractmethod
    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        """The head on top of a network.

        Args:
            kind: where a task's head starts: `prototype`, at the class means, or `fixed`, at learned parameters.
            ways: outputs of a fixed head for classes.

        Raises:
            UsageError: if this objective has no head of that kind.
        """

    @abstractmethod
    def loss(self, prediction: Any, rows: Rows) -> Tensor:
        """Mean loss over rows, a scalar."""

    @abstractmethod
    def metrics(self, prediction: Any, rows: Rows) -> dict[str, float]:
        """Figures of one task's query rows."""

    def kept(self, prediction: Any) -> Tensor:
        """What is left of a prediction when a large table is predicted a part at a time: `[rows, …]`."""
        return prediction

    @abstractmethod
    def answers(self, kept: Tensor, names: Sequence[str]) -> np.ndarray:
        """What people are told of each row, `[rows]` (several numbers: `[rows, targets]`).

        Args:
            kept: of all rows, `[rows, …]`.
            names: of the task's classes, or of its own words.
        """

    @property
    def kind(self) -> str:
        """What learners take it for: `classify`, `regress`, or what its name says."""
        return self.name

    # -- what a task's targets are measured with ---------------------------------------------------------

    def fit_scaler(self, support: Rows) -> Scaler:
        """What targets are measured with in the task, or tasks, of these rows; nothing: with what the table's are."""
        return {}

    def transform(self, rows: Rows, scaler: Scaler) -> Rows:
        """Rows of a task with their target in its measure."""
        return rows

    def inverse_transform(self, prediction: Any, scaler: Scaler) -> Any:
        """A prediction in a task's measure as one in the table's."""
        return prediction

    def transform_episode(self, episode: Episode) -> Episode:
        """An episode, or a meta-batch, with its targets in the task's measure."""
        scaler = self.fit_scaler(episode.support)
        return Episode(self.transform(episode.support, scaler), self.transform(episode.query, scaler))

    def to_arrays(self, prediction: Any, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """A prediction of labelled rows and their target, as `pooled` takes them."""
        assert rows.target is not None
        return prediction.cpu().numpy(), rows.target.cpu().numpy()

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Figures that need all episodes together, as (value, half-width of the 95% interval).

        `episodes` holds a (prediction `[rows, out]`, target) pair for each episode.
        """
        return {}

    def calibrated(self, episodes: Sequence[tuple[np.ndarray, np.ndarray]]) -> Self:
        """This objective with the `fitted` settings that suit validation episodes best, given as for `pooled`."""
        return self

    def to_json(self) -> dict[str, Any]:
        """The settings, with the name."""
        return {"name": self.name}
