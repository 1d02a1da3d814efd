"""Attacks: query rows moved a little, within a stated epsilon, to where they are answered worse.

What is moved are the normalised cells that the network reads, by no more than a radius for every number (L∞); what a
radius is measured in is the modality's to say (`Modality.reach`). Whoever attacks knows the parameters, the state and
the targets. Cells that are absent, and numbers that are missing within a cell, stay as they are.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from omnishot.core import seeds
from omnishot.episodes.rows import Episode, Rows
from omnishot.episodes.store import by_input
from omnishot.errors import UsageError, choose
from omnishot.learners.base import Learner, State
from omnishot.modality.base import Modality, random_like

ATTACKS = ("fgsm", "pgd")
PGD_STEPS = 10
PGD_PATH = 2.5  # radii that all steps of PGD would go together if nothing held them back
START_STEP = 1.25  # radii, of the one step from a random start


@dataclass(frozen=True)
class Attack:
    """One way to attack, and how far it may go.

    `fgsm` is one step of the whole radius along the sign of the loss's gradient (Goodfellow et al., Explaining and
    Harnessing Adversarial Examples, ICLR 2015, §4). `pgd` begins anywhere within the radius and takes `steps`, each
    brought back into it (Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018, §2.1).

    Args:
        name: `fgsm` or `pgd`.
        epsilon: radius by input name.
        steps: how many.
        size: of a step, in radii.
        start: whether it begins at random within the radius.
        units: what radii are measured in, by input name: for people.
    """

    name: str
    epsilon: Mapping[str, float]
    steps: int = 1
    size: float = 1.0
    start: bool = False
    units: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What a figure says of it."""
        step_size = {name: radius * self.size for name, radius in self.epsilon.items()}
        plain = {"name": self.name, "epsilon": dict(self.epsilon), "unit": dict(self.units)}
        return plain | {"steps": self.steps, "step_size": step_size}

    def on(self, learner: Learner, state: State, query: Rows, seed: Sequence[int]) -> Rows:
        """One task's query rows as this attack leaves them for a learner with this state."""
        params = {name: p.detach() for name, p in learner.named_parameters()}

        def loss(rows: Rows) -> Tensor:
            return learner.objective.loss(learner.predict_unscaled(params, state, rows), rows)

        return moved(loss, query, self, learner, seed)


def attack_of(
    name: str, epsilon: Mapping[str, float] | None, modalities: Mapping[str, Modality], steps: int | None = None
) -> Attack:
    """An attack as people say it; its epsilon by input, kind of input, or `*`.

    Raises:
        UsageError: for an unknown attack or input, an input that cannot be attacked, or an epsilon or number of steps
            that there cannot be.
    """
    choose("attack", name, ATTACKS)
    if not epsilon:
        raise UsageError(f"attack {name!r} needs an epsilon: say how far inputs may be moved (--epsilon INPUT=RADIUS)")
    if steps is not None and (steps < 1 or name == "fgsm"):
        why = "fgsm takes one step, only pgd takes more" if name == "fgsm" else "take 1 or more"
        raise UsageError(f"attack_steps = {steps} for attack {name!r}: {why}")
    radii = radii_of(epsilon, modalities)
    units = {each: modalities[each].unit for each in radii}
    if name == "fgsm":
        return Attack(name, radii, units=units)
    steps = steps or PGD_STEPS
    return Attack(name, radii, steps, PGD_PATH / steps, start=True, units=units)


def radii_of(epsilon: Mapping[str, float], modalities: Mapping[str, Modality]) -> dict[str, float]:
    """Radii said by input, kind of input, or `*`, by input name.

    Raises:
        UsageError: for an unknown input, one that has nothing to move, or a radius that is negative or not finite.
    """
    for name, radius in epsilon.items():
        if not 0 <= radius < math.inf:
            raise UsageError(f"the epsilon of {name!r} must be 0 or more, and finite, not {radius!r}")
    found = by_input(epsilon, modalities)
    for name in found:
        if not attackable(modalities[name]):
            raise UsageError(
                f"input {name!r} ({modalities[name].kind}) cannot be attacked: between its cells there is nothing to "
                "move through, as there is between pictures, videos, sounds, series and numbers; leave it out of "
                "the epsilon"
            )
    return found


def attackable(modality: Modality) -> bool:
    """Whether cells of an input can be moved a little."""
    reach = modality.reach(torch.ones(modality.shape))
    return reach is not None and bool((reach.unit > 0).any())


def hardened(learner: Learner, batch: Episode, epsilon: Mapping[str, float], seeds: Sequence[Sequence[int]]) -> Episode:
    """A meta-batch whose query rows are attacked within `epsilon`, each task's on its own, with a seed of its own.

    The attack is one step of FGSM from a random start (Wong et al., Fast Is Better than Free, ICLR 2020, §4) on the
    loss that meta-training minimises.
    """
    attack = Attack("fgsm", epsilon, size=START_STEP, start=True)
    rows = [_hardened(learner, batch.task(t), attack, seed) for t, seed in enumerate(seeds)]
    stacked = {name: torch.stack([r.inputs[name] for r in rows]) for name in attack.epsilon}
    return Episode(batch.support, dataclasses.replace(batch.query, inputs=batch.query.inputs | stacked))


def _hardened(learner: Learner, task: Episode, attack: Attack, seed: Sequence[int]) -> Rows:
    if learner.splits:  # then nothing need be known of how the state was found
        return attack.on(learner, learner.adapt(task.support), task.query, seed)
    params = {name: p.detach() for name, p in learner.named_parameters()}

    def loss(rows: Rows) -> Tensor:
        return learner.loss(params, learner.objective.transform_episode(Episode(task.support, rows)))

    return moved(loss, task.query, attack, learner, seed)


def moved(loss: Callable[[Rows], Tensor], query: Rows, attack: Attack, learner: Learner, seed: Sequence[int]) -> Rows:
    """Query rows of one task moved to where `loss` is greater. What is random depends on `seed` alone.

    Raises:
        UsageError: if the loss has no gradient at an input that is to be moved.
    """
    network = learner.network
    balls = {
        name: _ball(network.modalities[name], query.inputs[name], query.present[..., network.names.index(name)], radius)
        for name, radius in attack.epsilon.items()
    }
    x = {name: query.inputs[name] for name in balls}
    if attack.start:
        chance = torch.Generator().manual_seed(seeds.attack(seed))
        luck = {name: 2 * random_like(torch.rand, cells.shape, chance, cells).to(cells.dtype) - 1
                for name, cells in x.items()}  # fmt: skip
        x = {name: balls[name].within(cells + balls[name].radius * luck[name]) for name, cells in x.items()}
    for _ in range(attack.steps):
        slope = _gradient(loss, query, x, learner)
        x = {n: balls[n].within(x[n] + attack.size * balls[n].radius * slope[n].sign()) for n in balls}
    return dataclasses.replace(query, inputs=query.inputs | x)


def _gradient(
    loss: Callable[[Rows], Tensor], query: Rows, x: Mapping[str, Tensor], learner: Learner
) -> dict[str, Tensor]:
    """The gradient of the loss at the inputs `x`; zero where it is not finite."""
    with torch.enable_grad():
        leaves = {name: cells.detach().requires_grad_() for name, cells in x.items()}
        value = loss(dataclasses.replace(query, inputs=query.inputs | leaves))
        found: Sequence[Tensor | None] = [None] * len(leaves)
        if value.requires_grad:
            found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    for name, slope in zip(leaves, found, strict=True):
        if slope is None:
            raise UsageError(
                f"learner {learner.called()!r} cannot be attacked through input {name!r}: its loss has no gradient "
                "there, so nothing says where to move it; attack another input, or another learner"
            )
    return {n: torch.nan_to_num(s, 0.0, 0.0, 0.0) for n, s in zip(leaves, found, strict=True) if s is not None}


@dataclass(frozen=True)
class _Ball:
    """Where an input's cells may be: `low` to `high`, at most `radius` from where they are, where that is above 0."""

    cells: Tensor
    radius: Tensor
    low: Tensor
    high: Tensor

    def within(self, x: Tensor) -> Tensor:
        """`x` brought back; cells that may not move at all are left as they are, to the bit."""
        return torch.where(self.radius > 0, torch.minimum(torch.maximum(x, self.low), self.high), self.cells)


def _ball(modality: Modality, cells: Tensor, present: Tensor, radius: float) -> _Ball:
    """What is within a radius of cells `[rows, *cell]`, exactly: rounding never lets them further."""
    reach = modality.reach(cells)
    assert reach is not None
    wanted = (radius * reach.unit).expand(cells.shape)
    r = wanted.to(cells.dtype)
    r = torch.where(r.double() > wanted, torch.nextafter(r, torch.zeros_like(r)), r)
    r = torch.where(present.view(-1, *(1,) * (cells.dim() - 1)), r, 0.0)
    low = torch.minimum(torch.maximum(_inward(cells - r, cells, r), reach.low), cells)
    high = torch.maximum(torch.minimum(_inward(cells + r, cells, r), reach.high), cells)
    return _Ball(cells, r, low, high)


def _inward(edge: Tensor, cells: Tensor, radius: Tensor) -> Tensor:
    """`edge`, or its neighbour towards `cells` where rounding took it further from them than `radius`."""
    over = (edge.double() - cells.double()).abs() > radius.double()
    return torch.where(over, torch.nextafter(edge, cells), edge)
