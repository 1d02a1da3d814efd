"""A fresh network trained on the support rows alone."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, Prediction, State, under
from omnishot.learners.inner.descent import adam
from omnishot.nn.network import Network
from omnishot.objectives.base import OWN_HEAD, Objective

HEAD = "head."


class Scratch(Learner):
    """A fresh network, trained by Adam on the support rows and nothing else: what meta-learning must beat.

    Args:
        fit_steps: Adam steps on the support rows.
        fit_lr: Adam's step size.

    Paper: Kingma & Ba, Adam, ICLR 2015 (the optimiser); the baseline of Finn et al. 2017, §5
    """

    serves: ClassVar[tuple[str, ...]] = ("classify", "regress", OWN_HEAD)
    meta_trained = False
    steps_attribute: ClassVar[str | None] = "fit_steps"

    def __init__(self, network: Network, objective: Objective, *, fit_steps: int = 20, fit_lr: float = 1e-3):
        super().__init__(network, objective)
        self.fit_steps, self.fit_lr = fit_steps, fit_lr
        self.head = objective.head(network, "prototype", None)

    def fit(self, params: Params, support: Rows) -> State:
        start, moved = self.start(params, support), self.head.shapes()
        still = {n: p for n, p in start.items() if n.startswith(HEAD) and n.removeprefix(HEAD) not in moved}
        task = {n: p for n, p in start.items() if n not in still}
        return still | adam(lambda t: self.fit_loss(params, still | t, support), task, self.fit_steps, self.fit_lr)

    def predict(self, params: Params, state: State, query: Rows) -> Prediction:
        return self.output(state, query)

    def start(self, params: Params, support: Rows) -> Params:
        """What the steps on the support rows move, where it starts: the network and the task's head."""
        head = self.head.start(under(HEAD, params), lambda: self.head_inputs(self.head, params, support), support)
        network = {n: p for n, p in params.items() if n.startswith("network.")}
        return network | {HEAD + name: value for name, value in head.items()}

    def initial_state(self, params: Params, ways: int | None) -> State:
        network = {n: p for n, p in params.items() if n.startswith("network.")}
        return network | {HEAD + name: p for name, p in self.head.initial_params(under(HEAD, params), ways).items()}

    def fit_loss(self, params: Params, task: Params, support: Rows) -> Tensor:
        """What the steps on the support rows minimise over `task`."""
        return self.objective.loss(self.output(task, support), support)

    def output(self, task: Params, rows: Rows) -> Prediction:
        """What the network and the head, both in `task`, say of rows."""
        return self.head.predict(under(HEAD, task), self.head_inputs(self.head, task, rows))
