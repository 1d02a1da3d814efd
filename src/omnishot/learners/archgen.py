"""A generator of architectures, one a task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError, choose
from omnishot.learners.base import Learner, Needs, Params, State
from omnishot.learners.distances import full_precision, squared_distances
from omnishot.learners.r2d2 import ridge
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.heads import class_means
from omnishot.nn.layers import mask
from omnishot.nn.linear import Linear
from omnishot.nn.network import Network
from omnishot.nn.taskset import TaskSet
from omnishot.nn.tower import Tower
from omnishot.objectives.base import Objective


class ArchGen(Learner):
    """The support set chooses the architecture of its task's model: depth, width and fusion.

    That is how many residual blocks follow each input's encoder, how many of their channels are used, and, of several
    inputs, which operator fuses them.

    A deep set over the support rows' embeddings gives a task vector, and a linear layer of it (whose bias is the prior
    of all tasks) scores the options of each choice. In meta-training the options are mixed by the softmax of their
    scores over a temperature that falls, step by step, from 1 to `temperature`, so that mixtures become picks while
    the weights that they share still learn. A task that is adapted to gets the option of the highest score alone, and
    its prototypes (for numbers, ridge regression) anew with it; `notes` say what was picked. Validation and evaluation
    adapt, so they judge the picks.

    Elsken et al. anneal a relaxation in the same way, but find a task's architecture by gradient steps (here: in one
    pass over the support set) and search the operations of convolutional cells. All options are computed and
    multiplied by their weight, so a pick changes what the model is, not how long it takes.

    Args:
        depth: residual blocks at most.
        widths: shares of the channels to choose from.
        fusions: operators to choose from, beside the network's own.
        temperature: of the softmax at the end of meta-training.
        task_dim: width of the task vector.

    Paper: Elsken et al., Meta-Learning of Neural Architectures for Few-Shot Learning, CVPR 2020
    """

    reads_embeddings = True
    serves = ("classify", "regress")
    fuses = False  # but through several, mixed

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        depth: int = 2,
        widths: Sequence[float] = (0.25, 0.5, 1.0),
        fusions: Sequence[str] = ("concat", "sum", "attention"),
        temperature: float = 0.1,
        task_dim: int = 64,
    ):
        super().__init__(network, objective)
        if depth < 0 or not widths or not all(0 < fraction <= 1 for fraction in widths) or not 0 < temperature <= 1:
            raise UsageError(
                f"depth={depth}, widths={list(widths)}, temperature={temperature}: use a depth of 0 or more, at least "
                "one width, widths and temperature above 0 and at most 1"
            )
        self.temperature = temperature
        inputs, dim = network.names, network.out
        #: By choice, what its options are called.
        self.options: dict[str, list[str]] = {}
        for name in inputs:
            of = f" of {name}" if len(inputs) > 1 else ""
            self.options["depth" + of] = [str(d) for d in range(depth + 1)]
            self.options["width" + of] = [str(Fraction(width).limit_denominator(100)) for width in widths]
        self.towers = nn.ModuleList(Tower(dim, depth, widths) for _ in inputs)
        #: Where the operators of a fusion are found; the network's own is one of them.
        self.operators: dict[str, str] = {}
        if len(inputs) > 1:
            own = next(n for n in FUSIONS.names() if type(network.fusion) is FUSIONS.load(n))
            others = [n for n in dict.fromkeys(fusions) if choose("fusion", n, FUSIONS.names()) != own]
            self.fusions = nn.ModuleDict({n: FUSIONS.load(n)(len(inputs), dim) for n in others})
            self.operators = {own: "network.fusion"} | {n: f"fusions.{n}" for n in others}
            self.options["fusion"] = list(self.operators)
        classify = objective.has_classes
        self.reader = TaskSet(len(inputs) * dim, task_dim, 0 if classify else objective.outputs(None))
        self.chooser = Linear(task_dim, sum(map(len, self.options.values())))
        nn.init.zeros_(self.chooser.bias)
        if classify:
            self.log_scale = nn.Parameter(torch.tensor(-0.5 * math.log(dim)))
        else:
            self.log_ridge = nn.Parameter(torch.zeros(()))

    @property
    def needs(self) -> Needs:
        return Needs(scheduled=True)

    def fit(self, params: Params, support: Rows) -> State:
        return self._learned(params, support, picked=False)

    def settle(self, params: Params, support: Rows) -> State:
        return self._learned(params, support, picked=True)

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        x = self.represent(params, state, query)
        if self.objective.has_classes:
            return -params["log_scale"].exp() * squared_distances(x, state["prototypes"])
        return _with_one(x) @ state["weight"]

    def represent(self, params: Params, state: State, rows: Rows) -> Tensor:
        return self._built(params, self._embedded(params, rows), rows, state)

    def notes(self, state: State) -> dict[str, str]:
        return {choice: names[int(state[choice].argmax())] for choice, names in self.options.items()}

    def choices(self, params: Params, embeddings: Tensor, support: Rows, picked: bool) -> State:
        """The weights of the options of every choice: `picked`, one for the best; else by how good they are."""
        z = self.part("reader", params, embeddings.flatten(-2), support)
        scores = self.part("chooser", params, z).split([len(names) for names in self.options.values()], -1)
        if picked:
            weights = [F.one_hot(s.argmax(-1), s.shape[-1]).to(s.dtype) for s in scores]
        else:
            warmth = self.temperature ** min(1.0, self.progress)
            weights = [(s / warmth).softmax(-1) for s in scores]
        return dict(zip(self.options, weights, strict=True))

    def _learned(self, params: Params, support: Rows, picked: bool) -> State:
        assert support.target is not None
        embeddings = self._embedded(params, support)
        state = self.choices(params, embeddings, support, picked)
        x = self._built(params, embeddings, support, state)
        if support.ways is not None:
            return {**state, "prototypes": class_means(x, support.target, support.ways)}
        with torch.autocast(x.device.type, enabled=False):
            weight = ridge(_with_one(full_precision(x)), support.target.to(x.dtype), params["log_ridge"].exp())
        return {**state, "weight": weight}

    def _embedded(self, params: Params, rows: Rows) -> Tensor:
        """What the encoders give, `[rows, inputs, dim]`."""
        return self.embeddings(params, rows)

    def _built(self, params: Params, embeddings: Tensor, rows: Rows, weights: State) -> Tensor:
        """The features `[rows, dim]` of the architecture that the weights make."""
        named = list(self.options)
        towers = []
        for i, x in enumerate(embeddings.unbind(-2)):
            depth, width = (weights[choice] for choice in named[2 * i : 2 * i + 2])
            towers.append(mask(self.part(f"towers.{i}", params, x, depth, width), rows.present[..., i]))
        if len(towers) == 1:
            return towers[0]
        stacked = torch.stack(towers, -2)
        fused = [self.part(where, params, stacked, rows.present) for where in self.operators.values()]
        return torch.stack(fused, -1) @ weights["fusion"]


def _with_one(x: Tensor) -> Tensor:
    """Features `[rows, dim]` and a one, `[rows, dim + 1]`."""
    return torch.cat([x, torch.ones_like(x[..., :1])], -1)
