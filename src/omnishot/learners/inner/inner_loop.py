"""Learning a task by gradient descent on its support rows: what MAML's family shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, Prediction, State, under
from omnishot.learners.inner.descent import descend
from omnishot.learners.inner.parts import ALL, HEAD, LORA, chosen, listed
from omnishot.learners.inner.presets import preset
from omnishot.learners.inner.step_sizes import StepSizes
from omnishot.nn.linear import Weight
from omnishot.nn.lora import LoRA
from omnishot.nn.network import Network
from omnishot.objectives.base import OWN_HEAD, Objective

OF_HEAD = "head."


class InnerLoop(Learner):
    """Adapts to a task by a few steps of gradient descent on its support rows.

    With φ₀ the initial values of what the task moves, L the loss on the support rows and α the step size,

        φₖ₊₁ = φₖ − α ∇L(φₖ),    k = 0 … inner_steps − 1.

    What moves is the network, the head, or parts of them (`adapt`). The query rows are predicted with the last φ.
    Meta-training differentiates the loss on the query rows by φ₀ and by whatever does not move, through all steps
    (second order), or takes each ∇L as a constant (first order).

    Subclasses have these options, but for those that they fix: `class ANIL(InnerLoop, fixed={"adapt": "head"})`; other
    defaults are given alike, as `defaults`.

    Args:
        inner_steps: gradient steps on the support rows.
        inner_lr: their step size (where it starts, if learned).
        adapt: what the steps move, joined by commas: `all` (network and head), `head`, parts of the network
            (`omnishot.learners.inner.parts`), or `lora`, low-rank changes of all weights.
        learned_inner_lr: which step sizes are learned across tasks (`omnishot.learners.inner.step_sizes`).
        second_order: differentiate through the steps.
        inner_checkpoint: compute the steps again in the backward pass instead of keeping them (activation
            checkpointing): memory hardly grows with their number, a meta-step takes longer, the gradient is the same.
        head: where the head for classes starts: `prototype`, at the class means of the support rows, for any number of
            classes; or `linear`, at learned values, with `ways` outputs. Numbers always have a learned head.
        ways: outputs of a linear head.
        lora_rank: rank of the low-rank changes.

    Raises:
        UsageError: for parts that this network does not have.
    """

    serves: ClassVar[tuple[str, ...]] = ("classify", "regress", OWN_HEAD)
    steps_attribute: ClassVar[str | None] = "inner_steps"

    def __init_subclass__(
        cls, fixed: Mapping[str, Any] | None = None, defaults: Mapping[str, Any] | None = None, **more: Any
    ):
        super().__init_subclass__(**more)
        if fixed or defaults:
            preset(cls, fixed or {}, defaults or {})

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 0.1,
        adapt: str = "all",
        learned_inner_lr: str = "none",
        second_order: bool = True,
        inner_checkpoint: bool = False,
        head: str = "prototype",
        ways: int | None = None,
        lora_rank: int = 4,
    ):
        super().__init__(network, objective)
        self.inner_steps, self.second_order, self.inner_checkpoint = inner_steps, second_order, inner_checkpoint
        self.head = objective.head(network, head, ways)
        of_network, parts = chosen(network, adapt), listed(adapt)
        shapes = {f"network.{n}": tuple(p.shape) for n, p in network.named_parameters() if n in of_network}
        self.has_lora = LORA in parts
        if self.has_lora:
            self.lora = LoRA(network, lora_rank)
            shapes |= {f"lora.{n}": tuple(p.shape) for n, p in self.lora.named_parameters()}
        self.network_stays = not shapes  # then the network's features are the same before and after
        if {ALL, HEAD} & {*parts}:
            shapes |= {OF_HEAD + name: shape for name, shape in self.head.shapes().items()}
        if not shapes:
            raise UsageError(f"adapt = {adapt!r} leaves the inner loop nothing to move: say all, head, or other parts")
        self.names = list(shapes)
        self.step_sizes = StepSizes(learned_inner_lr, inner_lr, shapes, inner_steps)

    @property
    def factored(self) -> frozenset[str]:
        """Weights of linear layers, unless each of their numbers has a step size of its own."""
        return frozenset() if self.step_sizes.kind == "element" else super().factored | {OF_HEAD + "weight"}

    @property
    def differentiable(self) -> bool:
        """Whether the outer gradient goes through the steps."""
        return self.second_order

    def known(self, params: Params, rows: Rows) -> Params:
        """What the features of these rows depend on beside what the inner loop moves."""
        if self.network_stays:
            return {"features": self.head_inputs(self.head, params, rows)}  # once, for every inner step
        return params

    def read(self, known: Params, task: Params, rows: Rows) -> Any:
        """What the head reads of rows, with what the inner loop has moved."""
        if self.network_stays and "features" in known:
            return known["features"]
        return self.head_inputs(self.head, self.adapted(known, task), rows)

    def adapted(self, params: Params, state: State) -> Params:
        """The parameters with what the inner loop has moved in their place; low-rank changes are in the weights."""
        moved: dict[str, Any] = {**params, **state}
        if not self.has_lora:
            return moved
        changed = self.lora.changed(under("lora.", moved), under("network.", moved))
        kept = {name: weight for name, weight in moved.items() if not name.startswith("lora.")}
        return kept | {f"network.{name}": weight for name, weight in changed.items()}

    def start(self, params: Params, support: Rows) -> Params:
        return whole(*self.begin(params, support))

    def initial_state(self, params: Params, ways: int | None) -> State:
        start = params | {OF_HEAD + n: p for n, p in self.head.initial_params(under(OF_HEAD, params), ways).items()}
        return {name: p for name, p in start.items() if name in self.names or name.startswith(OF_HEAD)}

    def begin(self, params: Params, support: Rows) -> tuple[Params, Params]:
        """Where what the steps move begins, and what else the task's loss depends on."""
        known = self.known(params, support)
        head = self.head.start(under(OF_HEAD, params), lambda: self.read(known, {}, support), support)
        start = params | {OF_HEAD + name: value for name, value in head.items()}
        task = {name: start[name] for name in self.names}
        return task, known | {n: p for n, p in start.items() if n.startswith(OF_HEAD) and n not in task}

    def error(self, task: Params, known: Params, rows: Rows) -> Tensor:
        """The loss on these rows, for which `known` must have been asked."""
        head = under(OF_HEAD, known | task)
        return self.objective.loss(self.head.predict(head, self.read(known, task, rows)), rows)

    def path(self, params: Params, support: Rows) -> list[State]:
        """What was learned at the start and after each step."""
        task, known = self.begin(params, support)
        own = under("step_sizes.", params)
        steps = descend(
            lambda task, known, tensors: self.error(task, known, support.with_tensors(tensors)),
            task,
            [self.step_sizes.at(own, step) for step in range(self.inner_steps)],
            self.differentiable,
            self.factored,
            given=(known, support.tensors()),
            checkpoint=self.inner_checkpoint,
        )
        return [whole(step, known) for step in steps]

    def fit(self, params: Params, support: Rows) -> State:
        return self.path(params, support)[-1]

    def predict(self, params: Params, state: State, query: Rows) -> Prediction:
        return self.head.predict(under(OF_HEAD, state), self.read(self.known(params, query), state, query))


def whole(task: Mapping[str, Weight], known: Params) -> State:
    """What the steps have moved, and the head even if they have not."""
    return {**{name: p for name, p in known.items() if name.startswith(OF_HEAD) and name not in task}, **task}
