"""Small modalities, random rows and small learners that tests of several parts share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Episode, Rows
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.learners.engine import Plan
from omnishot.modality.audio import Audio
from omnishot.modality.base import Modality
from omnishot.modality.features import Features
from omnishot.modality.image import Image
from omnishot.modality.series import Series
from omnishot.modality.tabular import Tabular
from omnishot.modality.text import Text
from omnishot.nn.network import Network
from omnishot.objectives import OBJECTIVES
from omnishot.options import keywords

VOCABULARY, LEVELS, LABELS = 20, 3, 7

#: One small modality of every kind, by input name.
MODALITIES: dict[str, Modality] = {
    "photo": Image((16, 16), 1, (0.5,), (0.5,)),
    "words": Text("", 6, VOCABULARY),
    "sound": Audio(800, 200, 1.0),
    "sensor": Series(12, 2, (0.0, 0.0), (1.0, 1.0)),
    "facts": Tabular(
        ("size", "weight", "colour"),
        ("number", "number", "category"),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        ((), (), ("red", "green", "blue")[:LEVELS]),
    ),
    "traits": Features(Image((16, 16), 1, (0.5,), (0.5,)), "conv4", {}, 6, "", nn.Identity()),
}
#: Every encoder with the input that it reads here.
READS = {
    "conv4": "photo",
    "resnet": "photo",
    "transformer": "words",
    "gru": "words",
    "logmel": "sound",
    "conv1d": "sensor",
    "mlp": "facts",
    "scale": "traits",
}
#: Small enough for a test.
SMALL = {"conv4": 8, "resnet": 2, "transformer": 8, "gru": 6, "logmel": 4, "conv1d": 4, "mlp": 8}
#: Options of learners that have them: few steps, small enough that the loss is smooth along them.
QUICK = {"inner_steps": 2, "inner_rate": 0.05, "fit_steps": 3, "fit_rate": 0.01, "labels": LABELS}
#: Learners that are tested in every combination of encoders and fusions by default; the others are where it is slow.
EVERYWHERE = ("maml", "protonet")


def crossed(names: Iterable[str], others: Iterable[str]) -> list[Any]:
    """All pairs; those of a learner that is not one of EVERYWHERE are slow, but for its first."""
    others = list(others)
    return [
        pytest.param(name, other, marks=() if name in EVERYWHERE or other == others[0] else pytest.mark.slow)
        for name in names
        for other in others
    ]


def tabular(numbers: int) -> Modality:
    """A tabular input of `numbers` standardised number columns."""
    names = tuple(f"x{i}" for i in range(numbers))
    return Tabular(names, ("number",) * numbers, (0.0,) * numbers, (1.0,) * numbers, ((),) * numbers)


def network(
    *names: str, fusion: str = "concat", encoders: tuple[str, ...] = (), norm: str = "group", dim: int = 8
) -> Network:
    """A small network over some of MODALITIES; `encoders` replaces the default ones of the inputs they read."""
    chosen = {"photo": "conv4", "words": "transformer", "sound": "logmel", "sensor": "conv1d", "facts": "mlp"}
    chosen = {n: e for n, e in (chosen | {READS[e]: e for e in encoders}).items() if n in names}
    options: dict[str, dict[str, Any]] = {n: {"width": SMALL[e]} for n, e in chosen.items() if e in SMALL}
    for n, e in chosen.items():
        if e in ("conv4", "resnet", "logmel", "conv1d"):
            options[n]["norm"] = norm
        if e == "transformer":
            options[n]["heads"] = 2
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network({n: MODALITIES[n] for n in names}, fusion, dim, chosen, options)


def learner(name: str, net: Network, objective: str = "classify", seed: int = 0, **options: Any) -> Learner:
    """A float64 learner with every parameter away from its special starting value (zeros, ones)."""
    cls = LEARNERS.load(name)
    options = {n: value for n, value in QUICK.items() if n in keywords(cls)} | options
    built = cls(net, OBJECTIVES.load(objective)(), **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter_name, p in built.named_parameters():
            if parameter_name != "rates":
                p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return built


def random_cells(modality: Modality, shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    """Normalised cells `[*shape, *cell]` as the modality gives them."""
    if isinstance(modality, Text):
        return torch.randint(0, modality.vocabulary, (*shape, *modality.shape), generator=g)
    x = torch.randn((*shape, *modality.shape), generator=g)
    if isinstance(modality, Tabular):
        x[..., 1] = 1.0
        for i, c in enumerate(c for c in modality.cardinalities if c):
            x[..., modality.numbers + i, 0] = torch.randint(0, c, shape, generator=g).float()
    return x


def random_rows(
    modalities: dict[str, Modality],
    shape: tuple[int, ...],
    ways: int | None = 3,
    seed: int = 0,
    here: float = 0.6,
    dtype: torch.dtype = torch.float64,
) -> Rows:
    """Random rows of `shape` (`[rows]` or `[tasks, rows]`), a share `here` of their cells present."""
    g = torch.Generator().manual_seed(seed)
    inputs = {name: random_cells(m, shape, g) for name, m in modalities.items()}
    present = torch.rand((*shape, len(modalities)), generator=g) < here
    if ways is None:
        target = torch.randn((*shape, 1), generator=g)
    else:
        target = torch.arange(shape[-1]).remainder(ways).expand(shape).contiguous()
    label = torch.randint(0, LABELS, shape, generator=g)
    return Rows(inputs, present, target, label, ways).to("cpu", dtype)


def random_episode(
    modalities: dict[str, Modality],
    tasks: int = 2,
    ways: int | None = 3,
    shots: int = 2,
    queries: int = 2,
    seed: int = 0,
    here: float = 0.6,
    dtype: torch.dtype = torch.float64,
) -> Episode:
    """A random meta-batch; in every task one row has all of its cells missing, in support and in query."""
    classes = ways or 3
    halves = []
    for i, each in enumerate((shots, queries)):
        rows = random_rows(modalities, (tasks, classes * each), ways, 2 * seed + i, here, dtype)
        if here < 1:
            rows.present[:, 0] = False
        halves.append(rows)
    return Episode(*halves)


def meta_gradient(method: Learner, batch: Episode, plan: str = "loop") -> dict[str, Tensor]:
    """The meta-gradient by parameter name."""
    method.zero_grad(set_to_none=True)
    method.backward(batch, Plan.parse(plan))
    return {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


def relative_error(got: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """Norm of the difference over the norm of what is wanted, all parameters together."""
    assert got.keys() == wanted.keys()
    assert all(got[n].shape == wanted[n].shape for n in wanted)
    difference = sum((got[n] - wanted[n]).square().sum() for n in wanted)
    return float((difference / sum(w.square().sum() for w in wanted.values())) ** 0.5)
