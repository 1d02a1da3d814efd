"""A transformer that learns a task by reading its support set."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, Params, State
from omnishot.learners.distances import squared_distances
from omnishot.nn.attend import attend, check_heads
from omnishot.nn.heads import class_mask, class_means
from omnishot.nn.layers import LayerNorm
from omnishot.nn.linear import Linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Block(nn.Module):
    """Pre-norm transformer block whose tokens attend to given keys and values."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)
        self.q, self.kv, self.out = Linear(width, width), Linear(width, 2 * width), Linear(width, width)
        self.mlp = nn.Sequential(Linear(width, 2 * width), nn.GELU(), Linear(2 * width, width))

    def context(self, x: Tensor) -> dict[str, Tensor]:
        """What others need of tokens `[rows, width]` to attend to them."""
        k, v = self.kv(self.norm1(x)).chunk(2, -1)
        return {"k": k, "v": v}

    def forward(self, x: Tensor, context: dict[str, Tensor], bias: Tensor | None) -> Tensor:
        mixed = attend(self.q(self.norm1(x)), context["k"], context["v"], self.heads, bias=bias)
        x = x + self.out(mixed)
        return x + self.mlp(self.norm2(x))


class Reader(nn.Module):
    """Features `[rows, dim]` to read-outs `[rows, out]`, through tokens that attend to the support rows' tokens.

    Support rows attend to each other and leave a context layer by layer; query rows attend to that context.
    """

    def __init__(self, dim: int, width: int, layers: int, heads: int, out: int, numbers: int):
        super().__init__()
        self.token = Linear(dim, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.out = LayerNorm(width), Linear(width, out)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        if numbers:
            self.number = Linear(numbers, width)
        else:  # how much more each head looks at rows of the same class; heads differ from the start
            self.same = nn.Parameter(torch.linspace(0, 2, heads).repeat(layers, 1))

    def forward(
        self, features: Tensor, state: State | None, number: Tensor | None = None, same: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Support rows come without a state and with their numbers `[rows, n]` or `same` class float `[rows, rows]`."""
        x = self.token(features)
        if number is not None:
            x = x + self.number(number)
        contexts = {}
        for i, block in enumerate(self.blocks):
            contexts[str(i)] = block.context(x) if state is None else state[str(i)]  # type: ignore[operator]
            bias = None if same is None else self.same[i][:, None, None] * same
            x = block(x, contexts[str(i)], bias)
        return self.out(self.norm(x)), contexts


class InContext(Learner):
    """A transformer reads the support rows and answers query rows with no gradient step.

    Support rows become tokens that attend to each other; query rows attend to them layer by layer and not to each
    other. As published for numbers, a support row's number is embedded and added to its token; the answer is the
    mean rather than a distribution over bins. Published classifiers embed and score a fixed number of classes. Here
    classes have no names: heads look more or less at rows of the same class, and a query row is scored by its distance
    to each class's mean, where both are the network's features plus what the transformer adds. It adds nothing at the
    start, which is a prototypical network.

    Args:
        layers: transformer blocks.
        heads: of their attention.
        width: of the tokens, a multiple of `heads`.

    Paper: Müller et al., Transformers Can Do Bayesian Inference, ICLR 2022
    """

    serves = ("classify", "regress")

    def __init__(self, network: Network, objective: Objective, *, layers: int = 4, heads: int = 4, width: int = 64):
        super().__init__(network, objective)
        check_heads(width, heads)
        if layers < 1:
            raise UsageError(f"a transformer of {layers} layers: use 1 or more")
        if objective.has_classes:
            self.reader = Reader(network.out, width, layers, heads, network.out, 0)
            self.log_scale = nn.Parameter(torch.tensor(-0.5 * math.log(network.out)))
        else:
            numbers = objective.outputs(None)
            self.reader = Reader(network.out, width, layers, heads, numbers, numbers)

    def fit(self, params: Params, support: Rows) -> State:
        assert support.target is not None
        features = self.features(params, support)
        if support.ways is None:
            return {"context": self.part("reader", params, features, None, support.target)[1]}
        members = class_mask(support.target, support.ways).to(features.dtype)
        added, context = self.part("reader", params, features, None, None, members @ members.transpose(-1, -2))
        return {"context": context, "prototypes": class_means(features + added, support.target, support.ways)}

    def predict(self, params: Params, state: State, query: Rows) -> Tensor:
        features = self.features(params, query)
        read, _ = self.part("reader", params, features, state["context"])
        if "prototypes" not in state:
            return read
        return -params["log_scale"].exp() * squared_distances(features + read, state["prototypes"])
