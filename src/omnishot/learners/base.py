"""The learner's contract: two pure functions, `fit` and `predict`, and what follows from them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.functional import Params, under
from omnishot.learners.inspection import Inspectable, State
from omnishot.nn.auxiliary.base import Auxiliaries
from omnishot.nn.linear import written_out
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective

__all__ = ["SCALER", "Learner", "Needs", "Params", "Prediction", "State", "under"]

#: Where a task's state keeps the scaler of its targets.
SCALER = "scaler"
#: What `Objective.loss` and `Objective.metrics` take: a tensor `[rows, out]`, or the output of a decoder.
Prediction = Any


@dataclass(frozen=True)
class Needs:
    """What a learner needs of its training beside meta-batches.

    Args:
        rows: how many rows of the training part it is given before meta-training (`Learner.remember`).
        tuned: scalar parameters that no gradient trains, by name, with the values to try: training ends by setting each
            to the value that is best on the validation tasks. Without validation tasks it stays as it is.
        scheduled: whether the loss depends on how far meta-training has come (`Learner.at`), so that a recorded step
            must not be replayed.
    """

    rows: int = 0
    tuned: Mapping[str, Sequence[float]] = field(default_factory=dict)
    scheduled: bool = False


class Learner(Inspectable):
    """What is learned across tasks.

    A subclass writes `fit` and `predict`. Both are pure functions of `params`, the module's own parameters by name, and
    of rows; neither knows about training loops, devices, tables or files. All else has a default.
    """

    #: Objectives that the method serves, by `Objective.kind`.
    serves: ClassVar[tuple[str, ...]] = ("classify",)
    #: Whether anything is learned across tasks; if not, training has nothing to do.
    meta_trained: ClassVar[bool] = True
    #: How many inputs the network must have at least.
    inputs_needed: ClassVar[int] = 1
    #: Whether rows are read through the network's fusion; if not, the fusion's weights of the inputs say nothing.
    fuses: ClassVar[bool] = True
    #: Whether it reads the inputs' embeddings before fusion.
    reads_embeddings: ClassVar[bool] = False
    #: The attribute that holds the number of gradient steps on a new task's support rows; None: it takes none.
    steps_attribute: ClassVar[str | None] = None
    #: The share of meta-training that is done, 0…1: what a schedule of the loss goes by. `at` sets it on a copy.
    progress: float = 1.0

    def __init__(self, network: Network, objective: Objective):
        """
        Raises:
            UsageError: if the method does not serve the objective, or cannot use the network.
        """
        super().__init__()
        if objective.kind not in self.serves:
            raise UsageError(f"learner {self.called()!r} serves {', '.join(self.serves)}, not {objective.name}")
        if len(network.names) < self.inputs_needed:
            raise UsageError(
                f"learner {self.called()!r} needs {self.inputs_needed} inputs or more, the network reads "
                f"{len(network.names)} ({', '.join(network.names)}): add input columns, or choose another learner"
            )
        if self.reads_embeddings and not network.one_token_per_input:
            raise UsageError(
                f"learner {self.called()!r} fuses embeddings in its own way: it needs level='intermediate', not "
                f"{network.level!r}"
            )
        self.network = network
        self.objective = objective
        self.auxiliary: Auxiliaries | None = None

    @classmethod
    def called(cls) -> str:
        """The name in the registry, for messages."""
        return cls.__name__.lower()

    # -- the two functions -------------------------------------------------------------------------------

    def fit(self, params: Params, support: Rows) -> State:
        """Learn one task from its support rows."""
        raise NotImplementedError(f"{type(self).__name__}.fit")

    def predict(self, params: Params, state: State, query: Rows) -> Prediction:
        """Predict one task's query rows: `[rows, out]`, or the output of a decoder."""
        raise NotImplementedError(f"{type(self).__name__}.predict")

    # -- what a method may do otherwise ------------------------------------------------------------------

    def loss(self, params: Params, episode: Episode) -> Tensor:
        """What meta-training minimises for one task: the loss on the query rows after learning the support rows."""
        state = self.fit(params, episode.support)
        return self.objective.loss(self.predict(params, state, episode.query), episode.query)

    def settle(self, params: Params, support: Rows) -> State:
        """`fit`, where nothing will be differentiated through the state."""
        return self.fit(params, support)

    def initial_state(self, params: Params, ways: int | None) -> State:
        """The state of a task before any support row is learned.

        Args:
            ways: classes of the task, None where it has none.

        Raises:
            UsageError: if the method predicts nothing without support rows.
        """
        raise UsageError(
            f"learner {self.called()!r} predicts from the support rows: there is no figure before adapting; learners "
            "that take steps from a learned start have one (maml, finetune, …)"
        )

    @property
    def needs(self) -> Needs:
        """What it needs of its training beside meta-batches."""
        return Needs()

    def remember(self, rows: Rows) -> None:
        """Keep, or learn from, `needs.rows` rows of the training part with their targets and labels."""
        raise NotImplementedError(f"{type(self).__name__}.remember")

    @property
    def has_initial_state(self) -> bool:
        """Whether the method predicts something before it has support rows (`initial_state`)."""
        return type(self).initial_state is not Learner.initial_state

    @property
    def splits(self) -> bool:
        """Whether the loss is the objective's of `predict` after `fit`, and none of the method's own (plan `split`)."""
        return type(self).loss is Learner.loss

    @property
    def transductive(self) -> bool:
        """Whether predictions use the statistics of the query batch."""
        return self.network.transductive

    # -- what follows ------------------------------------------------------------------------------------

    @property
    def steps(self) -> int | None:
        """How many gradient steps it takes on a new task's support rows; None if the method takes none."""
        return None if self.steps_attribute is None else getattr(self, self.steps_attribute)

    def with_steps(self, steps: int) -> Self:
        """This learner, its parameters shared, taking another number of steps on a new task.

        Raises:
            UsageError: if the method takes none.
        """
        if self.steps_attribute is None:
            raise UsageError(f"learner {self.called()!r} takes no gradient steps on a new task")
        return self._with(self.steps_attribute, steps)

    def at(self, progress: float) -> Self:
        """This learner, its parameters shared, as meta-training uses it when a share `progress` (0…1) is done."""
        return self._with("progress", progress) if self.needs.scheduled else self

    def _with(self, attribute: str, value: Any) -> Self:
        other = copy.copy(self)
        setattr(other, attribute, value)
        return other

    @torch.no_grad()
    def adapt(self, support: Rows) -> State:
        """Learn one task with the present parameters; nothing is differentiated through."""
        scaler = self.objective.fit_scaler(support)
        state = self.settle(self.detached(), self.objective.transform(support, scaler))
        return written_out({**state, SCALER: dict(scaler)} if scaler else state)

    @torch.no_grad()
    def answer(self, state: State, query: Rows) -> Prediction:
        """Predict one task's query rows with the present parameters, in the units of the table's targets."""
        return self.predict_unscaled(self.detached(), state, query)

    def predict_unscaled(self, params: Params, state: State, query: Rows) -> Prediction:
        """`predict` from a state that `adapt` gave, in the units of the table's targets."""
        own = {name: part for name, part in state.items() if name != SCALER}
        return self.objective.inverse_transform(self.predict(params, own, query), state.get(SCALER, {}))
