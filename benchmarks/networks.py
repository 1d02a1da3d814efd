"""MAML over other networks than convolutions, beside a plain autograd loop, in meta-training steps per second.

A perceptron of 784-256-128-64-5, a recurrent and a transformer text encoder (12 tokens, none of them padding, width
64, vocabulary 500), and three inputs fused as in the world `glyphs` (picture, text, sound). 5-way 1-shot, 15 query
rows a class, 16 tasks a step, second order, a learned head. Everybody has a process of their own and the same weights;
before anything is timed, everybody's meta-gradient is compared in float64.

The plain loops go task by task, with `torch.autograd.grad` and what torch itself gives for the network: `F.linear`;
the GRU that `nn.GRU` calls, and beside it a cell written by hand; a transformer block of plain products, for fused
attention has no double backward. The fused network's plain loop calls the library's own modules by
`torch.func.functional_call`, as one would who uses them without its learners.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import contenders
import timing
import torch
import torch.nn.functional as F
from contenders import Backward, Race
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.learners.maml import MAML
from omnishot.modality.audio import Audio
from omnishot.modality.base import Modality
from omnishot.modality.image import Image
from omnishot.modality.tabular import Tabular
from omnishot.modality.text import PAD, UNKNOWN, Text
from omnishot.nn.network import build_network
from omnishot.objectives.classify import Classify

WAYS, SHOTS, QUERIES, RATE = 5, 1, 15, 0.1
TOKENS, VOCABULARY, WIDTH, HEADS = 12, 500, 64, 4
COLUMNS = 392  # a number and its presence flag each: 784 inputs
NUMBERS = Tabular(
    tuple(map(str, range(COLUMNS))),
    ("number",) * COLUMNS,
    (0.0,) * COLUMNS,
    (1.0,) * COLUMNS,
    ((),) * COLUMNS,
)

Params = dict[str, Tensor]
#: A model, parameters by name in place of its own, rows -> scores `[rows, ways]`.
Forward = Callable[[nn.Module, Params, Rows], Tensor]


def perceptron(_: nn.Module, p: Params, rows: Rows) -> Tensor:
    h = rows.inputs["facts"].flatten(1)
    for i in range(3):
        h = F.relu(_linear(p, f"{ENCODER}layers.{i}", h))
    return _linear(p, "head", h)


def torch_gru(_: nn.Module, p: Params, rows: Rows) -> Tensor:
    x = F.embedding(rows.inputs["words"], p[f"{ENCODER}tokens.weight"])
    weights = [p[ENCODER + n] for n in ("read.weight", "carry.weight", "read.bias", "carry.bias")]
    states, _h = torch.gru(x, x.new_zeros(1, len(x), WIDTH), weights, True, 1, 0.0, True, False, True)
    return _linear(p, "head", states.mean(1))


def written_gru(_: nn.Module, p: Params, rows: Rows) -> Tensor:
    reads = _linear(p, f"{ENCODER}read", F.embedding(rows.inputs["words"], p[f"{ENCODER}tokens.weight"]))
    h = reads.new_zeros(len(reads), WIDTH)
    states = []
    for read in reads.unbind(1):
        (r, z, n), (hr, hz, hn) = read.chunk(3, -1), _linear(p, f"{ENCODER}carry", h).chunk(3, -1)
        z = torch.sigmoid(z + hz)
        h = (1 - z) * torch.tanh(n + torch.sigmoid(r + hr) * hn) + z * h
        states.append(h)
    return _linear(p, "head", torch.stack(states, 1).mean(1))


def transformer(_: nn.Module, p: Params, rows: Rows) -> Tensor:
    x = F.embedding(rows.inputs["words"], p[f"{ENCODER}tokens.weight"]) + p[f"{ENCODER}positions"]
    block = f"{ENCODER}blocks.0."
    qkv = _linear(p, f"{block}attention.qkv", _norm(p, f"{block}norm1", x))
    q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in qkv.chunk(3, -1))
    mixed = (q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5).softmax(-1) @ v
    x = x + _linear(p, f"{block}attention.out", mixed.transpose(1, 2).flatten(-2))
    x = x + _linear(p, f"{block}mlp.2", F.gelu(_linear(p, f"{block}mlp.0", _norm(p, f"{block}norm2", x))))
    return _linear(p, "head", _norm(p, f"{ENCODER}norm", x).mean(1))


def library_modules(model: nn.Module, p: Params, rows: Rows) -> Tensor:
    own = {name.removeprefix("network."): w for name, w in p.items() if name.startswith("network.")}
    assert isinstance(model, MAML)
    return _linear(p, "head", torch.func.functional_call(model.network, own, (rows,)))


def _linear(p: Params, name: str, x: Tensor) -> Tensor:
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def _norm(p: Params, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, (WIDTH,), p[f"{name}.scale"], p[f"{name}.shift"])


@dataclass(frozen=True)
class Case:
    """A network, and the plain ways to write it.

    Args:
        required: by number of inner steps, the ratio to the fastest plain loop that is required for.
    """

    title: str
    modalities: Mapping[str, Modality]
    plain: Mapping[str, Forward]
    required: Mapping[int, float]
    encoder: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


ENCODER = "network.encoders.0."
WORDS = {"words": Text("", TOKENS, VOCABULARY)}
# As `omnishot data make glyphs` gives them, once read.
GLYPHS = {
    "picture": Image((28, 28), 1, (0.5,), (0.5,)),
    "sound": Audio(8000, 6400, 0.118),
    "text": Text("", 31, 2170),
}
CASES = {
    "mlp": Case(
        "MLP 784-256-128-64-5",
        {"facts": NUMBERS},
        {"plain autograd loop": perceptron},
        {1: 2.3, 5: 3.5},
        options={"facts": {"width": (256, 128, 64)}},
    ),
    "gru": Case(
        "recurrent text encoder",
        WORDS,
        {"plain autograd loop, nn.GRU": torch_gru, "plain autograd loop, GRU written by hand": written_gru},
        {1: 1.5, 5: 1.5},
        encoder={"words": "gru"},
    ),
    "transformer": Case("text transformer block", WORDS, {"plain autograd loop": transformer}, {1: 1.5, 5: 1.5}),
    "fused": Case(
        "picture, sound and text fused",
        GLYPHS,
        {"plain autograd loop, the library's modules": library_modules},
        {1: 1.5, 5: 1.5},
    ),
}


def learner(case: str, steps: int, dtype: torch.dtype) -> MAML:
    """The library's learner, laid out as `omnishot train` does; its weights are the same each time."""
    torch.manual_seed(0)
    about = CASES[case]
    network = build_network(about.modalities, encoder=about.encoder, encoder_options=about.options)
    model = MAML(network, Classify(), head="linear", ways=WAYS, inner_steps=steps, inner_lr=RATE)
    return model.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]


def ours(case: str, steps: int, dtype: torch.dtype) -> tuple[nn.Module, Backward | None]:
    return learner(case, steps, dtype), None


def plain(case: str, way: str, steps: int, dtype: torch.dtype) -> tuple[nn.Module, Backward | None]:
    """MAML as one writes it with `torch.autograd.grad` and a forward pass that takes its weights."""
    model, forward = learner(case, steps, dtype), CASES[case].plain[way]

    def loss(p: Params, rows: Rows) -> Tensor:
        return F.cross_entropy(forward(model, p, rows), rows.target)  # type: ignore[arg-type]

    def backward(batch: Episode) -> None:
        for t in range(batch.tasks):
            task = batch.task(t)
            fast: Params = dict(model.named_parameters())
            for _ in range(steps):
                grads = torch.autograd.grad(loss(fast, task.support), list(fast.values()), create_graph=True)
                fast = {n: p - RATE * g for (n, p), g in zip(fast.items(), grads, strict=True)}
            (loss(fast, task.query) / batch.tasks).backward()

    return model, backward


def random_batch(case: str, tasks: int, dtype: torch.dtype) -> Episode:
    """A meta-batch of noise with every cell there; how long a step takes does not depend on what is in it."""
    g = torch.Generator().manual_seed(1)

    def cells(modality: Modality, n: int) -> Tensor:
        shape = (tasks, n, *modality.shape)
        if isinstance(modality, Text):
            return torch.randint(max(PAD, UNKNOWN) + 1, modality.vocabulary, shape, generator=g)
        return torch.randn(shape, generator=g, dtype=torch.float64).to(dtype)

    def rows(each: int) -> Rows:
        n = WAYS * each
        inputs = {name: cells(modality, n) for name, modality in CASES[case].modalities.items()}
        target = torch.arange(WAYS).repeat_interleave(each).repeat(tasks, 1)
        return Rows(inputs, torch.ones(tasks, n, len(inputs), dtype=torch.bool), target, ways=WAYS)

    return Episode(rows(SHOTS), rows(QUERIES))


def main() -> None:
    parser = timing.arguments(__doc__, rounds=7)
    contenders.arguments(parser)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="networks")
    parser.add_argument("--inner-steps", nargs="+", type=int, default=[1, 5], help="one line each")
    parser.add_argument("--steps", type=int, default=3, help="meta-steps a turn: some are short")
    args = parser.parse_args()
    records = []
    for case in args.only:
        race = Race(partial(random_batch, case), args.tasks, args.allocator, args.steps)
        for steps in args.inner_steps:
            builds = {way: partial(plain, case, way, steps) for way in CASES[case].plain}
            seconds = contenders.run(race, {"omnishot": partial(ours, case, steps), **builds}, args.rounds)
            title = race.titled(f"MAML, {CASES[case].title}, inner steps: {steps}")
            records += contenders.against_fastest(title, seconds, CASES[case].required.get(steps))
    timing.report(args, records, ("omnishot",))


if __name__ == "__main__":
    main()
