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
        start = {n.removeprefix(HEAD): p for n, p in params.items() if n.startswith(HEAD)}
        head = self.head.start(start, lambda: self.features(params, support), support)
        task = {n: p for n, p in params.items() if n.startswith("network.")}
        task |= {HEAD + name: value for name, value in head.items()}
        return adam(
            lambda task: self.objective.loss(self._output(task, support), support),
            task,
            self.fit_steps,
            self.fit_rate,
        )

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        return self._output(state, query)

    def _output(self, task: Params, rows: Rows) -> Tensor:
        return linear({n: task[HEAD + n] for n in ("weight", "bias")}, self.features(task, rows))
