"""A fresh network trained on the support rows alone."""

from __future__ import annotations

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.descent import adam
from omnishot.nn.heads import LinearHead, PrototypeHead, linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective

HEAD = "head."


class Scratch(Learner):
    """A fresh network, trained by Adam on the support rows and nothing else: what meta-learning must beat.

    Args:
        fit_steps: Adam steps on the support rows.
        fit_rate: Adam's step size.

    Paper: Kingma & Ba, Adam, ICLR 2015 (the optimiser); the baseline of Finn et al. 2017, §5
    """

    serves = ("classify", "regress")
    meta_trained = False

    def __init__(self, network: Network, objective: Objective, *, fit_steps: int = 20, fit_rate: float = 1e-3):
        super().__init__(network, objective)
        self.fit_steps, self.fit_rate = fit_steps, fit_rate
        classify = objective.name == "classify"
        self.head = PrototypeHead(network.out) if classify else LinearHead(network.out, objective.outputs(None))

    def fit(self, params: Params, support: Rows) -> State:
        start = self.start(params, support)
        return adam(lambda task: self.fit_loss(params, task, support), start, self.fit_steps, self.fit_rate)

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return self.output(state, query)

    def start(self, params: Params, support: Rows) -> Params:
        """What the steps on the support rows move, where it starts: the network and the task's head."""
        own = {n.removeprefix(HEAD): p for n, p in params.items() if n.startswith(HEAD)}
        head = self.head.start(own, lambda: self.features(params, support), support)
        network = {n: p for n, p in params.items() if n.startswith("network.")}
        return network | {HEAD + name: value for name, value in head.items()}

    def fit_loss(self, params: Params, task: Params, support: Rows) -> Tensor:
        """What the steps on the support rows minimise over `task`."""
        return self.objective.loss(self.output(task, support), support)

    def output(self, task: Params, rows: Rows, head: str = HEAD) -> Tensor:
        """What the network and a head, both in `task`, say of rows, `[rows, out]`."""
        return linear({n: task[head + n] for n in ("weight", "bias")}, self.features(task, rows))
