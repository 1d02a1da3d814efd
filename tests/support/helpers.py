"""Small modalities, random rows and small learners that tests of several parts share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import pytest
import torch
from support.covering import rotated
from torch import Tensor, nn

from omnishot.core.options import keywords
from omnishot.episodes.rows import Episode, Rows
from omnishot.experiment.plan import Plan
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.modality.audio import Audio
from omnishot.modality.base import Modality
from omnishot.modality.features import Features
from omnishot.modality.image import Image
from omnishot.modality.series import Series
from omnishot.modality.tabular import Tabular
from omnishot.modality.text import Text
from omnishot.modality.video import Video
from omnishot.nn.decoders.tokens import BOS, EOS, PAD, UNKNOWN
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.network import Network, build_network
from omnishot.objectives import OBJECTIVES
from omnishot.objectives.base import OWN_HEAD, Objective
from omnishot.objectives.text import TextObjective
from omnishot.training.engine.backward import backward

VOCABULARY, LEVELS, LABELS = 20, 3, 7

#: One small modality of every kind, by input name.
MODALITIES: dict[str, Modality] = {
    "photo": Image((16, 16), 1, (0.5,), (0.5,)),
    "words": Text("", 6, VOCABULARY),
    "sound": Audio(800, 200, 1.0),
    "clip": Video(2, (16, 16), 1, (0.5,), (0.5,)),
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
    "lenet": "photo",
    "transformer": "words",
    "gru": "words",
    "logmel": "sound",
    "framewise": "clip",
    "conv1d": "sensor",
    "mlp": "facts",
    "scale": "traits",
}
#: Small enough for a test.
SMALL = {"conv4": 8, "resnet": 2, "lenet": 2, "transformer": 8, "gru": 6, "logmel": 4, "framewise": 4, "conv1d": 4}
SMALL |= {"mlp": 8}
#: Options of learners that have them: few steps, small enough that the loss is smooth along them; a head for any ways.
QUICK: dict[str, Any] = {
    "head": "prototype",
    "inner_steps": 2,
    "inner_lr": 0.05,
    "fit_steps": 3,
    "fit_lr": 0.01,
    "labels": LABELS,
    "memory": 4,
}
#: Learners that are tested with every encoder and fusion by default.
EVERYWHERE = ("maml", "protonet")
#: Learners that do not read the network by `Learner.features`: they move its parameters, modulate its layers, or
#: take its embeddings before they are fused.
OWN_READING = (*EVERYWHERE, "mmaml", "cavia", "hypernet", "am3", "archgen", "cca")


#: Networks that bring inputs together in another way than by masked embeddings.
OTHER_NETWORKS: dict[str, dict[str, Any]] = {
    "feature": {"level": "early"},
    "model": {"level": "token", "fusion": "transformer"},
    "placeholder": {"imputation": "placeholder"},
    "impute": {"imputation": "impute", "fusion": "attention"},
}
#: The decoders, each with the objective that it is tested with: words of a task's own for those that learn any.
SPEAKERS: dict[str, tuple[str, dict[str, Any]]] = {
    "transformer": ("caption", {"decoder_options": {"layers": 1, "heads": 2}, "longest": 5, "own_words": 3}),
    "gru": ("caption", {"decoder_options": {"heads": 2}, "longest": 5, "own_words": 3}),
    "ctc": ("transcribe", {"decoder_options": {"layers": 1, "heads": 2}, "longest": 5, "own_words": 0}),
}
#: Learners that are trained and whose head may be a decoder.
SPEAKING = [n for n in LEARNERS.names() if LEARNERS.load(n).meta_trained and OWN_HEAD in LEARNERS.load(n).serves]
#: Tokens that all tasks share.
SHARED = ("a", "red", "bird", "sings", "here")


def crossed(names: Iterable[str], others: Iterable[str]) -> list[Any]:
    """Learners with encoders, or fusions, or kinds of network.

    Learners that read the network in a way of their own (OWN_READING) meet every other one, most of them only in slow
    runs; learners that use `Learner.features` meet them in turn, since what they do cannot depend on which it is.
    """
    names, others = list(names), list(others)
    quick = next((name for name in ("mlp", "impute") if name in others), others[0])
    own = [name for name in names if name in OWN_READING]
    fast = {(name, quick) for name in own} | set(rotated([name for name in own if name in EVERYWHERE], others, 3))
    full = [
        pytest.param(name, other, marks=() if (name, other) in fast else pytest.mark.slow)
        for name in own
        for other in others
    ]
    return full + [pytest.param(*pair) for pair in rotated([n for n in names if n not in OWN_READING], others)]


def speaking(names: Iterable[str]) -> list[Any]:
    """Learners with decoders: every decoder with those of EVERYWHERE, the others in turn, slow."""
    names = list(names)
    quick = [*product(EVERYWHERE, SPEAKERS), ("finetune", "transformer")]
    others = rotated([name for name in names if name not in EVERYWHERE], SPEAKERS)
    return [
        *(pytest.param(*pair) for pair in quick if pair[0] in names),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in others if pair not in quick),
    ]


def mixed(name: str, **options: Any) -> Network:
    """A network of many inputs to test a learner with: all there are for those of EVERYWHERE, else three quick ones."""
    return network(*(MODALITIES if name in EVERYWHERE else ("words", "sensor", "facts")), **options)


def tabular(numbers: int) -> Modality:
    """A tabular input of `numbers` standardised number columns."""
    names = tuple(f"x{i}" for i in range(numbers))
    return Tabular(names, ("number",) * numbers, (0.0,) * numbers, (1.0,) * numbers, ((),) * numbers)


def network(
    *names: str,
    fusion: str = "concat",
    encoders: tuple[str, ...] = (),
    norm: str = "group",
    dim: int = 8,
    **settings: str,
) -> Network:
    """A small network over some of MODALITIES, as many as the fusion takes; `encoders` replaces the default ones of the
    inputs they read."""
    names = names[: FUSIONS.load(fusion).takes] if len(names) > 1 else names
    chosen = {"photo": "conv4", "words": "transformer", "sound": "logmel", "clip": "framewise", "sensor": "conv1d"}
    chosen |= {"facts": "mlp"}
    chosen = {n: e for n, e in (chosen | {READS[e]: e for e in encoders}).items() if n in names}
    options: dict[str, dict[str, Any]] = {n: {"width": SMALL[e]} for n, e in chosen.items() if e in SMALL}
    for n, e in chosen.items():
        if e in ("conv4", "resnet", "lenet", "logmel", "conv1d", "framewise"):
            options[n]["norm"] = norm
        if e in ("transformer", "framewise"):
            options[n]["heads"] = 2
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network({n: MODALITIES[n] for n in names}, fusion, dim, chosen, options, **settings)


def refused(name: str, how: str) -> bool:
    """Whether a learner is refused one of OTHER_NETWORKS, as its docstring says."""
    return LEARNERS.load(name).reads_embeddings and "level" in OTHER_NETWORKS[how]


def speaker(name: str, decoder: str, net: Network | None = None, **options: Any) -> Learner:
    """A float64 learner whose head is a decoder."""
    objective, tell = SPEAKERS[decoder]
    net = net or network("words", "sensor", "facts", **OTHER_NETWORKS["model"])
    return learner(name, net, OBJECTIVES.load(objective)(SHARED, decoder=decoder, **tell), **options)


def learner(name: str, net: Network, objective: str | Objective = "classify", seed: int = 0, **options: Any) -> Learner:
    """A float64 learner with every parameter away from its special starting value (zeros, ones)."""
    cls = LEARNERS.load(name)
    if len(net.names) < cls.inputs_needed:
        pytest.skip(f"{name} needs {cls.inputs_needed} inputs")
    options = {n: value for n, value in QUICK.items() if n in keywords(cls)} | options
    said = OBJECTIVES.load(objective)() if isinstance(objective, str) else objective
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = cls(net, said, **options).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter_name, p in built.named_parameters():
            if p.requires_grad and not parameter_name.startswith("step_sizes."):
                p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    if built.needs.rows:
        ways = 3 if said.name == "classify" else None
        built.remember(random_rows(net.modalities, (built.needs.rows,), ways, seed + 50))
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


def episode_for(method: Learner, seed: int = 0, **shape: Any) -> Episode:
    """A random meta-batch with the targets that a learner's objective takes."""
    objective = method.objective
    ways = 3 if objective.name == "classify" else None
    batch = random_episode(method.network.modalities, ways=ways, seed=seed, **shape)
    return with_texts(batch, objective, seed) if isinstance(objective, TextObjective) else batch


def with_texts(batch: Episode, objective: TextObjective, seed: int = 0) -> Episode:
    """The same rows with random texts: two a row at most, some of them empty or of a task's own words."""
    g = torch.Generator().manual_seed(seed)
    halves = [dataclasses.replace(h, target=random_texts(h.present.shape[:-1], objective, g))
              for h in (batch.support, batch.query)]  # fmt: skip
    return Episode(*halves)


def random_texts(shape: tuple[int, ...], objective: TextObjective, g: torch.Generator, texts: int = 2) -> Tensor:
    """Random texts `[*shape, texts, longest]`: each row has one at least, which may be of no token."""
    longest, most = objective.longest, objective.outputs(None)
    tokens = torch.randint(UNKNOWN, most, (*shape, texts, longest), generator=g)
    tokens = torch.where(tokens == EOS, UNKNOWN, tokens)
    length = torch.randint(0, longest, (*shape, texts, 1), generator=g)
    place = torch.arange(longest)
    found = torch.where(place < length, tokens, torch.where(place == length, EOS, PAD))
    lacking = torch.rand((*shape, texts), generator=g) < 0.3
    lacking[..., 0] = False
    assert not (found == BOS).any()
    return torch.where(lacking.unsqueeze(-1), PAD, found)


def scores(prediction: Any, query: Rows) -> Tensor:
    """Numbers of every row `[rows, …]` that say all of a prediction: of what a decoder would say, its logits."""
    if isinstance(prediction, Tensor):
        return prediction
    return prediction.logs if hasattr(prediction, "logs") else prediction.logits(query.target)


def meta_gradient(method: Learner, batch: Episode, plan: str = "loop") -> dict[str, Tensor]:
    """The meta-gradient by parameter name."""
    method.zero_grad(set_to_none=True)
    backward(method, batch, Plan.parse(plan))
    return {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


def slope_error(method: Learner, batch: Episode, plan: str = "loop", h: float = 1e-5) -> float:
    """The meta-gradient against finite differences of `loss`: along a random direction of every parameter.

    The norm of what the slopes are off by over their norm. Four points leave an error of h⁴.
    """
    gradient = meta_gradient(method, batch, plan)
    own = {n: p.detach() for n, p in method.named_parameters()}
    g = torch.Generator().manual_seed(0)
    found, measured = {}, {}
    with torch.no_grad():
        for name, p in own.items():
            way = torch.randn(p.shape, generator=g, dtype=p.dtype)
            found[name] = (gradient[name] * way).sum()
            slope = torch.zeros_like(found[name])
            for weight, steps in ((8, 1), (-8, -1), (-1, 2), (1, -2)):
                moved = {**own, name: p + steps * h * way}
                slope += weight * sum(method.loss(moved, batch.task(t)) for t in range(batch.tasks))
            measured[name] = slope / (12 * h * batch.tasks)
    return relative_error(found, measured)


def finite_differences(method: Learner, batch: Episode, h: float = 1e-6) -> dict[str, Tensor]:
    """The meta-gradient by moving every single parameter forth and back."""

    def loss() -> float:
        # Through what users call: adapt and answer differentiate nothing, so this knows no gradient of theirs.
        total = 0.0
        for t in range(batch.tasks):
            query = batch.query.task(t)
            total += method.objective.loss(method.answer(method.adapt(batch.support.task(t)), query), query).item()
        return total / batch.tasks

    gradient = {}
    for name, p in method.named_parameters():
        flat, g = p.detach().view(-1), torch.zeros(p.numel(), dtype=p.dtype)
        for i in range(p.numel()):
            before = flat[i].item()
            flat[i] = before + h
            high = loss()
            flat[i] = before - h
            g[i] = (high - loss()) / (2 * h)
            flat[i] = before
        gradient[name] = g.view_as(p)
    return gradient


def relative_error(got: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """Norm of the difference over the norm of what is wanted, all parameters together."""
    assert got.keys() == wanted.keys()
    assert all(got[n].shape == wanted[n].shape for n in wanted)
    difference = sum((got[n] - wanted[n]).square().sum() for n in wanted)
    return float((difference / sum(w.square().sum() for w in wanted.values())) ** 0.5)


# -- tasks to learn ----------------------------------------------------------------------------------------


def numbers(x: Tensor, target: Tensor, ways: int | None) -> Rows:
    """Rows `[tasks, rows, columns]` of numbers, all present."""
    cells = torch.stack([x, torch.ones_like(x)], -1)
    return Rows({"facts": cells}, torch.ones(*x.shape[:-1], 1, dtype=torch.bool), target, None, ways)


def sinusoids(seed: int, tasks: int, shots: int = 10) -> Episode:
    """Finn et al. 2017, §5.1: y = a sin(x + phase), amplitude 0.1 to 5, phase 0 to pi, x from -5 to 5."""
    g = torch.Generator().manual_seed(seed)
    amplitude = 0.1 + 4.9 * torch.rand(tasks, 1, 1, generator=g)
    phase = math.pi * torch.rand(tasks, 1, 1, generator=g)
    halves = []
    for _ in range(2):
        x = 10 * torch.rand(tasks, shots, 1, generator=g) - 5
        halves.append(numbers(x, amplitude * torch.sin(x + phase), None))
    return Episode(*halves)


def blobs(seed: int, tasks: int, ways: int = 5, shots: int = 1, queries: int = 5) -> Episode:
    """Classes that differ in two of eight numbers; the others are noise, so features must be learned."""
    g = torch.Generator().manual_seed(seed)
    centres = torch.cat([3 * torch.randn(tasks, ways, 1, 2, generator=g), torch.zeros(tasks, ways, 1, 6)], -1)
    spread = torch.tensor([0.5] * 2 + [3.0] * 6)
    x = centres + spread * torch.randn(tasks, ways, shots + queries, 8, generator=g)
    halves = []
    for part in (x[:, :, :shots], x[:, :, shots:]):
        n = part.shape[2]
        target = torch.arange(ways).repeat_interleave(n).expand(tasks, -1).contiguous()
        halves.append(numbers(part.reshape(tasks, ways * n, 8), target, ways))
    return Episode(*halves)


def judged(method: Learner, batch: Episode) -> float:
    """Mean of the objective's metric over unseen tasks."""
    metric = method.objective.metric
    figures = []
    for t in range(batch.tasks):
        task = batch.task(t)
        answer = method.answer(method.adapt(task.support), task.query)
        figures.append(method.objective.metrics(answer, task.query)[metric])
    return sum(figures) / len(figures)


def trained(method: Learner, draw: Callable[[int], Episode], steps: int, rate: float = 3e-3) -> Learner:
    """The learner after `steps` of Adam, each on the meta-batch that `draw` gives for its number."""
    optimiser = torch.optim.Adam(method.parameters(), lr=rate)
    for step in range(steps):
        optimiser.zero_grad()
        backward(method, draw(step), Plan("vmap"))
        optimiser.step()
    return method
