"""A network that writes a task's model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.learners.base import Learner, Params, State
from omnishot.nn.heads import class_means, linear
from omnishot.nn.linear import Linear
from omnishot.nn.modulation import Modulation
from omnishot.nn.network import Network
from omnishot.nn.taskset import TaskSet
from omnishot.objectives.base import Objective


class HyperNet(Learner):
    """A network reads the support set and writes the model: scale and shift of the network's channels, and the head.

    A deep set over the support rows' features gives a task vector; a linear map of it, the changes of the network's
    scales and shifts; the network so changed, the features. A class's weights and bias are those of a prototypical
    network's linear head, times a learned scale, plus what a perceptron makes of the class mean and the task vector:
    one perceptron for every class, so any number of them in any order. For a number it makes weights and bias of the
    task vector alone. No gradient is taken to adapt.

    As in CNAPs one set encoder conditions both the body, by FiLM, and the head. Theirs has an encoder of its own and a
    body that was trained before; here the network reads its own unchanged features and all is learned together.

    Args:
        task_dim: width of the task vector.
        hidden: width of the perceptrons that read the set and write the head.

    Paper: Requeima et al., Fast and Flexible Multi-Task Classification Using CNAPs, NeurIPS 2019
    """

    serves = ("classify", "regress")

    def __init__(self, network: Network, objective: Objective, *, task_dim: int = 64, hidden: int = 64):
        super().__init__(network, objective)
        dim, classify = network.out, objective.has_classes
        self.targets = 0 if classify else objective.outputs(None)
        self.reader = TaskSet(dim, task_dim, self.targets, hidden)
        self.modulation = Modulation(network, task_dim)
        reads, writes = (dim + task_dim, dim + 1) if classify else (task_dim, self.targets * (dim + 1))
        last = Linear(hidden, writes)
        self.writer = nn.Sequential(Linear(reads, hidden), nn.GELU(), last)
        if classify:
            self.log_scale = nn.Parameter(torch.tensor(-0.5 * math.log(dim)))  # as PrototypeHead has
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def fit(self, params: Params, support: Rows) -> State:
        z = self.part("reader", params, self.features(params, support), support)
        changed = self.modulation.modulated(params, z)
        state = {name: changed[name] for name in self.modulation.names}
        if self.targets:
            weight, bias = self.part("writer", params, z).unflatten(-1, (self.targets, -1)).split([self._dim, 1], -1)
            return {**state, "head.weight": weight, "head.bias": bias.squeeze(-1)}
        assert support.target is not None
        assert support.ways is not None
        means = class_means(self.features(changed, support), support.target, support.ways)
        written = self.part("writer", params, torch.cat([means, z.expand(support.ways, -1)], -1))
        scale = params["log_scale"].exp()
        weight, bias = written.split([self._dim, 1], -1)
        return {
            **state,
            "head.weight": 2 * scale * means + weight,
            "head.bias": -scale * means.square().sum(-1) + bias.squeeze(-1),
        }

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        changed = {**params, **{name: state[name] for name in self.modulation.names}}
        return linear({name: state[f"head.{name}"] for name in ("weight", "bias")}, self.features(changed, query))

    @property
    def _dim(self) -> int:
        return self.network.out
