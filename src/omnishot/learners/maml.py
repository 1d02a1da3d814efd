"""Model-agnostic meta-learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them: memory hardly
            grows with their number, a meta-step takes longer. The gradient is the same.
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
        inner_checkpoint: bool = False,
        learn_rates: bool = False,
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(network, objective)
        choose("head", head, ("prototype", "fixed"))
        self.inner_steps, self.inner_rate, self.second_order = inner_steps, inner_rate, second_order
        self.inner_checkpoint = inner_checkpoint
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

    def known(self, params: Params, rows: Rows) -> Params:
        """What the features of these rows depend on beside what the inner loop moves."""
        return params

    def read(self, known: Params, task: Params, rows: Rows) -> Tensor:
        """The features `[rows, dim]` with what the inner loop has moved."""
        return self.features({**known, **task}, rows)

    def fit(self, params: Params, support: Rows) -> State:
        known = self.known(params, support)
        head = self.head.start(self._own_head(params), lambda: self.read(known, {}, support), support)
        start = {**params, **{HEAD + name: value for name, value in head.items()}}
        task = {name: start[name] for name in self.adapted_names()}

        def loss(task: Params, known: Params, tensors: dict[str, Any]) -> Tensor:
            rows = support.with_tensors(tensors)
            return self.objective.loss(linear(self._own_head(task), self.read(known, task, rows)), rows)

        rates: Sequence[Tensor | float] = [self.inner_rate] * len(task)
        if self.learn_rates:
            rates = params["rates"].unbind()
        return descend(
            loss,
            task,
            self.inner_steps,
            dict(zip(task, rates, strict=True)),
            self.second_order,
            self.factored,
            given=(known, support.tensors()),
            checkpoint=self.inner_checkpoint,
        )

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return linear(self._own_head(state), self.read(self.known(params, query), state, query))

    def _own_head(self, params: Params) -> Params:
        return {n.removeprefix(HEAD): p for n, p in params.items() if n.startswith(HEAD)}
