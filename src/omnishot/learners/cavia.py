"""Context adaptation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, Prediction, State, under
from omnishot.learners.inner.descent import descend
from omnishot.nn.modulation import Modulation
from omnishot.nn.network import Network
from omnishot.objectives.base import OWN_HEAD, Objective


class CAVIA(Learner):
    """MAML whose inner loop moves a few context parameters only; they modulate a network that all tasks share.

    The context starts at zero, and a learned linear map takes it to changes of scale and shift of every channel (of
    the biases, where an encoder has no norm), as published for convolutions (FiLM); network and map are learned across
    tasks.

    Args:
        inner_steps: gradient steps on the support rows.
        inner_lr: their step size.
        context: how many context parameters there are.
        second_order: differentiate through the inner steps.
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them.
        head: `prototype` puts a linear head at the class means under the present context, for any number of classes;
            `linear` is the published form, a learned head of `ways` outputs that all tasks share. Numbers always have
            a learned head.
        ways: outputs of a linear head.

    Paper: Zintgraf et al., Fast Context Adaptation via Meta-Learning, ICML 2019
    """

    serves = ("classify", "regress", OWN_HEAD)
    steps_attribute = "inner_steps"

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 2,
        inner_lr: float = 1.0,
        context: int = 32,
        second_order: bool = True,
        inner_checkpoint: bool = False,
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(network, objective)
        if context < 1:
            raise UsageError(f"context = {context} leaves the inner loop nothing to move: use 1 or more")
        self.inner_steps, self.inner_lr, self.context = inner_steps, inner_lr, context
        self.second_order, self.inner_checkpoint = second_order, inner_checkpoint
        self.head = objective.head(network, head, ways)
        # The context starts at zero, so the map must not, or no gradient would reach either.
        self.modulation = Modulation(network, context, spread=context**-0.5)

    def initial_state(self, params: Params, ways: int | None) -> State:
        return self._context(params) | self.head.initial_params(under("head.", params), ways)

    def path(self, params: Params, support: Rows) -> list[State]:
        """What was learned at the start and after each step."""

        def loss(task: State, params: Params, tensors: dict[str, Any]) -> Tensor:
            rows = support.with_tensors(tensors)
            features = self.read(params, task, rows)
            return self.objective.loss(self.head.predict(self._head(params, features, rows), features), rows)

        steps = descend(
            loss,
            self._context(params),
            [{"context": self.inner_lr}] * self.inner_steps,
            self.second_order,
            given=(params, support.tensors()),
            checkpoint=self.inner_checkpoint,
        )
        return [*steps]

    def read(self, params: Params, task: State, rows: Rows) -> Any:
        """What the head reads of rows under a context."""
        return self.head_inputs(self.head, self.adapted(params, task), rows)

    def adapted(self, params: Params, state: State) -> Params:
        """The parameters as a context modulates them."""
        return self.modulation.modulated(params, state["context"])

    def fit(self, params: Params, support: Rows) -> State:
        task = self.path(params, support)[-1]
        return task | self._head(params, self.read(params, task, support), support)

    def predict(self, params: Params, state: State, query: Rows) -> Prediction:
        head = {name: p for name, p in state.items() if name != "context"}
        return self.head.predict(head, self.read(params, state, query))

    def _context(self, params: Params) -> Params:
        """The context of no task."""
        return {"context": params["modulation.weight"].new_zeros(self.context)}

    def _head(self, params: Params, features: Any, support: Rows) -> Params:
        return self.head.start(under("head.", params), lambda: features, support)
