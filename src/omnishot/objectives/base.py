"""The contract of an objective: loss, metrics, encoding of targets and decoding of predictions."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from torch import Tensor

from omnishot.core.options import keywords, typed
from omnishot.episodes.rows import Episode, Rows, target_of
from omnishot.errors import UsageError, nearest
from omnishot.metrics.metric import Metric, add_metrics, metric_of
from omnishot.nn.heads import Head
from omnishot.nn.network import Network
from omnishot.objectives.targets import TableTarget, TaskTarget, codes_of
from omnishot.table.table import Table
from omnishot.table.targets import OF_GROUPS

#: The scaler of a task's targets, tensors by name; empty where targets keep the unit of the table's.
Scaler = Mapping[str, Tensor]
#: Kinds of objective by what a learner must read of a support target: class codes, numbers, or nothing: such an
#: objective brings a head of its own, and any learner that trains a head by its loss serves it.
CLASSES, NUMBERS, OWN_HEAD = "classify", "regress", "head"


class Objective(ABC):
    """The kind of thing predicted.

    A prediction is the output of a learner's head: a tensor `[rows, out]`, or a decoder's distribution over texts.
    What it needs of the table is fitted to the training rows (`fit_table`) and given to the constructor by position;
    its options are keyword-only.
    """

    #: The name in the registry.
    name: ClassVar[str]
    #: What is predicted of a row, in two words.
    gives: ClassVar[str]
    #: What a learner must be able to read: `CLASSES`, `NUMBERS` or `OWN_HEAD`.
    kind: ClassVar[str] = OWN_HEAD
    #: What a cell of the target holds, and what tasks are made of without a group column (`omnishot.table.targets`).
    target_form: ClassVar[str]
    tasks_of: ClassVar[str] = OF_GROUPS
    #: Whether several columns may be the target.
    several_targets: ClassVar[bool] = False
    #: The metric that selects models.
    metric: ClassVar[str]
    #: Metrics of this objective that the table of metrics lacks, by name (`omnishot.metrics.metric`).
    own_metrics: ClassVar[Mapping[str, Metric]] = MappingProxyType({})
    #: Options of a training that serve this objective, unless others are given.
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    #: The kind of head (see `head`) that MAML has for it.
    published_head: ClassVar[str] = "prototype"
    #: Settings that `calibrated` fits to validation episodes.
    fitted: ClassVar[tuple[str, ...]] = ()
    #: Whether an answer is one class or one number, so that what moves it can be measured (`value`, `prior_value`).
    explainable: ClassVar[bool] = False
    #: Whether predictions are texts that a decoder writes.
    writes_texts: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        add_metrics(cls.own_metrics)

    @property
    def higher_is_better(self) -> bool:
        """Whether more of `metric` is better."""
        return metric_of(self.metric).higher_is_better

    @property
    def has_classes(self) -> bool:
        """Whether a task has classes, of which a row is one (`Rows.ways`)."""
        return self.kind == CLASSES

    @property
    def scales_by_task(self) -> bool:
        """Whether `fit_scaler` depends on the task, so that targets of different tasks cannot be compared."""
        return False

    # -- options -----------------------------------------------------------------------------------------

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
        options: dict[str, Any] = {}
        for each in cls.__mro__:
            options = keywords(each) | options
            if all(p.kind is not p.VAR_KEYWORD for p in inspect.signature(each).parameters.values()):
                break
        return options

    @classmethod
    def typed_options(cls, given: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
        """`given` with values of `types`, by name; see `read_options`."""
        for name in given:
            if name not in types:
                known = nearest(name, types) if types else "it has no options"
                raise UsageError(f"objective {cls.name!r} has no option {name!r}: {known}")
        return {name: typed(f"objective_options.{name}", value, types[name]) for name, value in given.items()}

    def to_json(self) -> dict[str, Any]:
        """All settings as the constructor takes them, and the name."""
        return {"name": self.name}

    # -- tables ------------------------------------------------------------------------------------------

    def group_rows(self, table: Table, parts: np.ndarray, seed: int) -> np.ndarray | None:
        """The task of each row of a table without a group column, int64 `[rows]`, -1 for a row of none.

        No two parts (text `[rows]`) share a task. None: tasks are made of classes.
        """
        return None

    def fit_table(self, table: Table, training: np.ndarray, tasks: np.ndarray | None) -> Self:
        """This objective with what training rows (bool `[rows]`) settle; `tasks` `[rows]` are their groups, if any."""
        return self

    @abstractmethod
    def encode_table(self, table: Table) -> TableTarget:
        """The target of every row of a table."""

    @abstractmethod
    def encode_task(self, table: Table) -> TaskTarget:
        """The target of the labelled rows of one task.

        Raises:
            DataError: if they give nothing to learn, such as a single class.
        """

    def own_words_of(self, target: np.ndarray | None, support: np.ndarray, words: Sequence[str]) -> tuple[str, ...]:
        """The own words of the task that is learned from the rows `support` of an encoded table, by number."""
        return ()

    # -- learning ----------------------------------------------------------------------------------------

    @abstractmethod
    def outputs(self, ways: int | None) -> int:
        """Width of a linear head."""

    @abstractmethod
    def head(self, network: Network, kind: str, ways: int | None) -> Head:
        """The head on top of a network.

        Args:
            kind: where a task's head starts: `prototype`, at the class means, or `linear`, at learned parameters.
            ways: outputs of a linear head for classes.

        Raises:
            UsageError: if this objective has no head of that kind.
        """

    @abstractmethod
    def loss(self, prediction: Any, rows: Rows) -> Tensor:
        """Mean loss over rows, a scalar."""

    def fit_scaler(self, support: Rows) -> Scaler:
        """The scaler of the targets of the task, or tasks, of these rows; empty: the table's unit."""
        return {}

    def transform(self, rows: Rows, scaler: Scaler) -> Rows:
        """Rows of a task with scaled targets."""
        return rows

    def inverse_transform(self, prediction: Any, scaler: Scaler) -> Any:
        """A prediction of scaled targets, in the table's unit."""
        return prediction

    def transform_episode(self, episode: Episode) -> Episode:
        """An episode, or a meta-batch, with scaled targets."""
        scaler = self.fit_scaler(episode.support)
        return Episode(self.transform(episode.support, scaler), self.transform(episode.query, scaler))

    # -- figures -----------------------------------------------------------------------------------------

    @abstractmethod
    def metrics(self, prediction: Any, rows: Rows) -> dict[str, float]:
        """Figures of one task's query rows."""

    def to_arrays(self, prediction: Any, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """A prediction of labelled rows and their target, as `aggregate` takes them."""
        return self.compact(prediction).cpu().numpy(), target_of(rows).cpu().numpy()

    def aggregate(self, episodes: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[float, float]]:
        """Figures that need all episodes together, as (value, half-width of the 95% interval).

        `episodes` holds a (prediction `[rows, out]`, target) pair for each episode.
        """
        return {}

    def calibrated(self, episodes: Sequence[tuple[np.ndarray, np.ndarray]]) -> Self:
        """This objective with the `fitted` settings that suit validation episodes best, given as for `aggregate`."""
        return self

    def familiarity(self, prediction: Any) -> dict[str, np.ndarray]:
        """Scores that are high for rows of the task's classes and low for others: metric -> `[rows]`; none: {}."""
        return {}

    # -- answers -----------------------------------------------------------------------------------------

    def compact(self, prediction: Any) -> Tensor:
        """What decoding needs of a prediction, `[rows, …]`: a large table is predicted a part at a time."""
        return prediction

    @abstractmethod
    def decode(self, compact: Tensor, names: Sequence[str]) -> np.ndarray:
        """The answer to each row, `[rows]` (several numbers: `[rows, targets]`).

        Args:
            compact: of all rows, `[rows, …]` (`compact`).
            names: of the task's classes, or of its own words.
        """

    def probabilities(self, compact: Tensor) -> np.ndarray | None:
        """The probability of each class or label, float64 `[rows, classes]`; None if there are none."""
        return None

    def columns(self, compact: Tensor, names: Sequence[str], targets: Sequence[str]) -> dict[str, Any]:
        """The columns of a table of answers, by name; `targets` are the columns predicted."""
        answers = self.decode(compact, names)
        if answers.ndim == 1:
            return {"prediction": answers}
        return {f"prediction({name})": answers[:, i] for i, name in enumerate(targets)}

    # -- explanations ------------------------------------------------------------------------------------

    def value(self, compact: Tensor) -> np.ndarray:
        """The answer to each row as `target_value` has targets, `[rows]`; for objectives that are `explainable`."""
        raise NotImplementedError(f"{type(self).__name__}.value")

    def target_value(self, target: Tensor) -> np.ndarray:
        """A target as class codes, or as numbers in their own unit, `[rows]`."""
        return target.numpy()

    def prior_value(self, ways: int) -> float:
        """The value of an answer by which nothing is known of a row; for objectives that are `explainable`."""
        raise NotImplementedError(f"{type(self).__name__}.prior_value")

    def known_values(self, column: pd.Series | None, rows: int, names: tuple[str, ...]) -> np.ndarray:
        """The target of `rows` cells, `[rows]`, as `target_value` has it; -1 or NaN where it is unknown."""
        return codes_of(column, rows, names)
