"""The settings of an adversarial attack on query rows; `omnishot.evaluation.attacks` runs the attack."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from omnishot.episodes.inputs import by_input
from omnishot.errors import UsageError, choose
from omnishot.modality.base import Modality

#: Attacks that an evaluation may use.
ATTACKS = ("fgsm", "pgd")
PGD_STEPS = 10


class Schedule(NamedTuple):
    """How an attack moves within its radius.

    Args:
        distance: total length of all steps, in radii.
        random_start: whether it starts at a random point within the radius.
        steps: default number of steps; 1: it always takes one.
    """

    distance: float
    random_start: bool = False
    steps: int = 1


#: FGSM is one step of the whole radius (Goodfellow et al., Explaining and Harnessing Adversarial Examples, ICLR 2015,
#: §4). PGD takes several from a random start, each brought back into the radius (Madry et al., Towards Deep Learning
#: Models Resistant to Adversarial Attacks, ICLR 2018, §2.1). FGSM from a random start is for adversarial training (Wong
#: et al., Fast Is Better than Free, ICLR 2020, §4).
SCHEDULES = {
    "fgsm": Schedule(1.0),
    "fgsm_random_start": Schedule(1.25, random_start=True),
    "pgd": Schedule(2.5, random_start=True, steps=PGD_STEPS),
}


@dataclass(frozen=True)
class Attack:
    """An attack on the query rows of a learned task.

    Args:
        name: one of `SCHEDULES`.
        epsilon: the L∞ radius by input name: how far every number of a normalised cell may move.
        steps: number of gradient steps.
        units: the unit of the radius by input name, for people.
    """

    name: str
    epsilon: Mapping[str, float]
    steps: int = 1
    units: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.steps, tuple(sorted(self.epsilon.items()))))

    @property
    def step_size(self) -> float:
        """Length of a step, in radii."""
        return SCHEDULES[self.name].distance / self.steps

    @property
    def random_start(self) -> bool:
        """Whether it starts at a random point within the radius."""
        return SCHEDULES[self.name].random_start

    def phrases(self) -> list[str]:
        """For people, one phrase per input: `pgd-10 within 0.03 on photo`."""
        name = self.name if self.steps == 1 else f"{self.name}-{self.steps}"
        return [f"{name} within {radius:g} on {of}" for of, radius in self.epsilon.items()]

    def to_json(self) -> dict[str, Any]:
        """The attack as a figure records it."""
        step_size = {name: radius * self.step_size for name, radius in self.epsilon.items()}
        plain = {"name": self.name, "epsilon": dict(self.epsilon), "unit": dict(self.units)}
        return plain | {"steps": self.steps, "step_size": step_size}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Attack:
        """The inverse of `to_json`."""
        return cls(record["name"], record["epsilon"], record["steps"], record["unit"])


def attack_of(
    name: str, epsilon: Mapping[str, float] | None, modalities: Mapping[str, Modality], steps: int | None = None
) -> Attack:
    """An attack from options; `epsilon` is given by input, kind of input, or `*`.

    Raises:
        UsageError: for an unknown attack or input, an input that cannot be attacked, or an impossible epsilon or
            number of steps.
    """
    choose("attack", name, ATTACKS)
    if not epsilon:
        raise UsageError(f"attack {name!r} needs an epsilon: say how far inputs may be moved (--epsilon INPUT=RADIUS)")
    default = SCHEDULES[name].steps
    if steps is not None and (steps < 1 or default == 1):
        why = f"{name} takes one step, only pgd takes more" if default == 1 else "take 1 or more"
        raise UsageError(f"attack_steps = {steps} for attack {name!r}: {why}")
    radii = radii_of(epsilon, modalities)
    units = {each: modalities[each].unit for each in radii}
    return Attack(name, radii, steps or default, units)


def radii_of(epsilon: Mapping[str, float], modalities: Mapping[str, Modality]) -> dict[str, float]:
    """Radii by input name, from radii by input, kind of input, or `*`.

    Raises:
        UsageError: for an unknown input, one whose cells cannot be moved, or a radius that is negative or not finite.
    """
    for name, radius in epsilon.items():
        if not 0 <= radius < math.inf:
            raise UsageError(f"the epsilon of {name!r} must be 0 or more, and finite, not {radius!r}")
    radii = by_input(epsilon, modalities)
    for name in radii:
        if not attackable(modalities[name]):
            raise UsageError(
                f"input {name!r} ({modalities[name].kind}) cannot be attacked: its cells are discrete, so no gradient "
                "moves them, as it moves pictures, videos, sounds, series and numbers; leave it out of the epsilon"
            )
    return radii


def attackable(modality: Modality) -> bool:
    """Whether the cells of an input are continuous, so that an attack can move them."""
    reach = modality.reach(torch.ones(modality.shape))
    return reach is not None and bool((reach.unit > 0).any())
