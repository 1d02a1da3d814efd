"""The learner's contract, two pure functions, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.nn.auxiliary.base import Auxiliaries
from omnishot.nn.calling import call_with
from omnishot.nn.heads import Head
from omnishot.nn.linear import Linear, written_out
from omnishot.nn.network import INTERMEDIATE, Network
from omnishot.objectives.base import Objective

Params = dict[str, Tensor]
#: Where the state of a task keeps what its targets are measured with.
SCALER = "scaler"
#: A tree (nested dicts) of tensors.
State = dict[str, Any]
#: What `Objective.loss` and `Objective.metrics` take: a tensor `[rows, out]`; of a decoder, what it would say.
Prediction = Any
#: The objectives of a head of their own, texts token by token or labels: any learner that moves a head by its loss
#: serves them.
GENERATIVE = ("caption", "answer", "transcribe", "tag")


class Learner(nn.Module):
    """What is learned across tasks.

    `params` are this module's own parameters by name. Subclasses write `fit` and `predict`; both are pure, and
    neither knows about training loops, devices, tables or files.
    """

    #: Objectives that the method serves.
    serves: ClassVar[tuple[str, ...]] = ("classify",)
    #: Whether anything is learned across tasks; if not, training has nothing to do.
    meta_trained: ClassVar[bool] = True
    #: How many inputs the network must have at least.
    inputs_needed: ClassVar[int] = 1
    #: Whether rows are read through the network's fusion; if not, how it weighs the inputs says nothing.
    fuses: ClassVar[bool] = True
    #: Whether it reads the inputs' embeddings before they are fused.
    reads_embeddings: ClassVar[bool] = False
    #: Whether it is given extra shots (`omnishot.episodes.shots`), by whoever has it fit a task.
    extra_shots: bool = False
    #: How far meta-training has come, 0…1, told before every step: what schedules of a method go by.
    progress: float = 1.0
    #: How many rows of the training part the learner keeps (`remember`).
    remembers: int = 0
    #: Numbers among the parameters, none of which a gradient trains, by name, and values of each: meta-training ends by
    #: leaving it at the one that is best on the validation tasks. Without a validation part it stays as it is.
    tuned: Mapping[str, Sequence[float]] = MappingProxyType({})

    def __init__(self, network: Network, objective: Objective):
        super().__init__()
        if objective.kind not in self.serves:
            raise UsageError(f"learner {self.called()!r} serves {', '.join(self.serves)}, not {objective.name}")
        if len(network.names) < self.inputs_needed:
            raise UsageError(
                f"learner {self.called()!r} needs {self.inputs_needed} inputs or more, the network reads "
                f"{len(network.names)} ({', '.join(network.names)}): add input columns, or choose another learner"
            )
        if self.reads_embeddings and network.level != INTERMEDIATE:
            raise UsageError(
                f"learner {self.called()!r} fuses embeddings in its own way: it needs level='intermediate', not "
                f"{network.level!r}"
            )
        self.network = network
        self.objective = objective
        #: What meta-training asks of the network beside this learner's loss.
        self.auxiliary: Auxiliaries | None = None

    @classmethod
    def called(cls) -> str:
        """The name in the registry, as messages say it."""
        return cls.__name__.lower()

    def fit(self, params: Params, support: Rows) -> State:
        """Learn one task from its support rows."""
        raise NotImplementedError(f"{type(self).__name__}.fit")

    def settle(self, params: Params, support: Rows) -> State:
        """`fit` where nothing is differentiated through any more."""
        return self.fit(params, support)

    def predict(self, params: Params, state: State, query: Rows) -> Prediction:
        """Predict one task's query rows: `[rows, out]`, or what a decoder would say of them."""
        raise NotImplementedError(f"{type(self).__name__}.predict")

    def loss(self, params: Params, episode: Episode) -> Tensor:
        """What meta-training minimises for one task: the loss on the query rows after learning the support rows."""
        state = self.fit(params, episode.support)
        return self.objective.loss(self.predict(params, state, episode.query), episode.query)

    def remember(self, rows: Rows) -> None:
        """Keep `remembers` rows of the training part, with their targets and labels: told before meta-training."""
        raise NotImplementedError(f"{type(self).__name__}.remember")

    def notes(self, state: State) -> dict[str, str]:
        """What people may want to know of how a task was learned, by name."""
        return {}

    # -- for whoever wants to see what happened to a task -----------------------------------------------

    def start(self, params: Params, support: Rows) -> Params:
        """Where what `fit` moves begins, by parameter name, as far as it is not where `params` are."""
        return {}

    def unadapted(self, params: Params, ways: int | None) -> State:
        """What `fit` would give had it seen no support row: where a task begins, to be predicted from as it is.

        Args:
            ways: classes of the task, None where it has none.

        Raises:
            UsageError: if this method predicts nothing before it has support rows.
        """
        raise UsageError(
            f"learner {self.called()!r} predicts from the support rows: there is no figure before adapting; learners "
            "that take steps from a learned start have one (maml, finetune, …)"
        )

    def adapted(self, params: Params, state: State) -> Params:
        """The parameters as a task has left them: what its state holds under a parameter's name takes its place."""
        return {**params, **{name: value for name, value in state.items() if name in params}}

    def represent(self, params: Params, state: State, rows: Rows) -> Tensor:
        """The features `[rows, dim]` that rows are told apart by once a task is learned."""
        return self.features(self.adapted(params, state), rows)

    # -- what follows from the two functions ------------------------------------------------------------

    @property
    def scheduled(self) -> bool:
        """Whether the loss depends on `progress`, so that its pass cannot be recorded once and replayed."""
        return False

    @property
    def splits(self) -> bool:
        """Whether the loss is that of predicting after fitting, and none of the method's own (plan `split`)."""
        return type(self).loss is Learner.loss

    @property
    def transductive(self) -> bool:
        """Whether predictions use the statistics of the query batch."""
        return self.network.transductive

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def params(self) -> Params:
        """This learner's parameters by name."""
        return dict(self.named_parameters())

    def features(self, params: Params, rows: Rows) -> Tensor:
        """The network's features `[rows, dim]` under `params`."""
        return self.part("network", params, rows)

    def embeddings(self, params: Params, rows: Rows) -> Tensor:
        """The embedding of every input of every row `[rows, inputs, dim]`, not fused, under `params`."""
        return self.part("network", params, rows, method="embeddings")

    def embedding(self, params: Params, name: str, cells: Tensor, present: Tensor) -> Tensor:
        """The embedding `[rows, dim]` of one input alone under `params`, in a space that all inputs share: of cells
        `[rows, *cell]`, zero where not `present` `[rows]`."""
        return self.part("network", params, name, cells, present, method="embedding")

    def head_inputs(self, head: Head, params: Params, rows: Rows) -> Any:
        """What a head reads of rows under `params`: the network's features `[rows, dim]`, or its memory."""
        return self.part("network", params, rows, method=head.reads)

    def part(self, name: str, params: Params, *args: Any, method: str = "__call__") -> Any:
        """What the module of this name, or a method of it, gives for `args` under `params`, all of the learner's."""
        return call_with(self.get_submodule(name), under(f"{name}.", params), *args, method=method)

    @property
    def factored(self) -> frozenset[str]:
        """Names of the weights that are used in linear layers only, whose updates may stay thin factors."""
        return frozenset(f"{name}.weight" for name, module in self.named_modules() if isinstance(module, Linear))

    @torch.no_grad()
    def adapt(self, support: Rows) -> State:
        """Learn one task with the present parameters; nothing is differentiated through."""
        scaler = self.objective.fit_scaler(support)
        params = {name: p.detach() for name, p in self.named_parameters()}
        state = self.settle(params, self.objective.transform(support, scaler))
        return written_out({**state, SCALER: dict(scaler)} if scaler else state)

    @torch.no_grad()
    def initial_state(self, ways: int | None) -> State:
        """A task before any of its rows is learned (`unadapted`) with the present parameters."""
        return self.unadapted({name: p.detach() for name, p in self.named_parameters()}, ways)

    @torch.no_grad()
    def answer(self, state: State, query: Rows) -> Prediction:
        """Predict one task's query rows with the present parameters."""
        return self.predict_unscaled({name: p.detach() for name, p in self.named_parameters()}, state, query)

    def predict_unscaled(self, params: Params, state: State, query: Rows) -> Prediction:
        """`predict` from a state that `adapt` has given, in what the table's targets are measured with."""
        own = {name: part for name, part in state.items() if name != SCALER}
        return self.objective.inverse_transform(self.predict(params, own, query), state.get(SCALER, {}))


def under(prefix: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those parameters whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): p for name, p in params.items() if name.startswith(prefix)}
