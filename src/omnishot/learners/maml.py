"""Model-agnostic meta-learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, choose
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.descent import descend
from omnishot.nn.heads import LinearHead, PrototypeHead, linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective

HEAD = "head."


class MAML(Learner):
    """Learn initial parameters from which a few gradient steps on a task's support rows predict its query rows.

    Args:
        inner_steps: gradient steps on the support rows.
        inner_rate: their step size (where it starts, if learned).
        second_order: differentiate through the inner steps; False is first-order MAML.
        learn_rates: learn one step size per parameter tensor (Antoniou et al. 2019, §4, per layer).
        head: `prototype` starts a linear head at the class means, for any number of classes; `fixed` is the
            published form, a learned head of `ways` outputs. Numbers are always predicted by a learned head.
        ways: outputs of a fixed head.

    Paper: Finn et al., Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks, ICML 2017
    """

    serves = ("classify", "regress")

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_rate: float = 0.1,
        second_order: bool = True,
        learn_rates: bool = False,
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(network, objective)
        choose("head", head, ("prototype", "fixed"))
        self.inner_steps, self.inner_rate, self.second_order = inner_steps, inner_rate, second_order
        if objective.name == "classify" and head == "prototype":
            self.head: PrototypeHead | LinearHead = PrototypeHead(network.out)
        elif objective.name == "classify" and ways is None:
            raise UsageError("head='fixed' needs the number of classes: set ways to a number")
        else:
            self.head = LinearHead(network.out, objective.outputs(ways))
        if learn_rates:
            names = self.adapted_names()
            self.rates = nn.Parameter(torch.full((len(names),), float(inner_rate)))
        self.learn_rates = learn_rates

    def adapted_names(self) -> list[str]:
        """Names of what the inner loop moves: the network's parameters and the task head's weight and bias."""
        body = [name for name, _ in self.named_parameters() if name.startswith("network.")]
        return [*body, HEAD + "weight", HEAD + "bias"]

    @property
    def factored(self) -> frozenset[str]:
        return super().factored | {HEAD + "weight"}

    def reader(self, params: Params, rows: Rows) -> Callable[[Params], Tensor]:
        """The features `[rows, dim]` of these rows as a function of what the inner loop has moved."""
        return lambda task: self.features({**params, **task}, rows)

    def fit(self, params: Params, support: Rows) -> State:
        features = self.reader(params, support)
        head = self.head.start(self._own_head(params), lambda: features({}), support)
        start = {**params, **{HEAD + name: value for name, value in head.items()}}
        task = {name: start[name] for name in self.adapted_names()}

        def loss(task: Params) -> Tensor:
            return self.objective.loss(linear(self._own_head(task), features(task)), support)

        rates: Sequence[Tensor | float] = [self.inner_rate] * len(task)
        if self.learn_rates:
            rates = params["rates"].unbind()
        return descend(
            loss, task, self.inner_steps, dict(zip(task, rates, strict=True)), self.second_order, self.factored
        )

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return linear(self._own_head(state), self.reader(params, query)(state))

    def _own_head(self, params: Params) -> Params:
        return {n.removeprefix(HEAD): p for n, p in params.items() if n.startswith(HEAD)}
