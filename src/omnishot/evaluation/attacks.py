"""Adversarial attacks: query rows are moved, within an L∞ radius, to where the loss is greater.

The attack moves the normalised cells that the network reads, every number by at most the radius, in units that the
modality defines (`Modality.reach`). The attacker knows the parameters, the state of the task and the targets. Absent
cells, and numbers that are missing within a cell, are not moved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from omnishot.core import seeds
from omnishot.episodes.attack import Attack
from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Learner, State
from omnishot.modality.base import Modality, random_like


def attacked(attack: Attack, learner: Learner, state: State, query: Rows, seed: Sequence[int]) -> Rows:
    """One task's query rows after the attack on a learner with this state.

    Args:
        seed: the place of the task (seed, step, task), on which alone the random start depends.
    """
    params = learner.detached()

    def loss(rows: Rows) -> Tensor:
        return learner.objective.loss(learner.predict_unscaled(params, state, rows), rows)

    return perturbed(loss, query, attack, learner, seed)


def adversarial_batch(
    learner: Learner, batch: Episode, epsilon: Mapping[str, float], places: Sequence[Sequence[int]]
) -> Episode:
    """A meta-batch for adversarial training: the query rows of each task are attacked within `epsilon`.

    The attack is one step of FGSM from a random start (Wong et al., Fast Is Better than Free, ICLR 2020, §4) on the
    loss that meta-training minimises.

    Args:
        epsilon: radius by input name.
        places: the place of each task, on which its random start depends.
    """
    attack = Attack("fgsm_random_start", epsilon)
    rows = [_adversarial_query(learner, batch.task(t), attack, place) for t, place in enumerate(places)]
    stacked = {name: torch.stack([r.inputs[name] for r in rows]) for name in attack.epsilon}
    return Episode(batch.support, dataclasses.replace(batch.query, inputs=batch.query.inputs | stacked))


def _adversarial_query(learner: Learner, task: Episode, attack: Attack, place: Sequence[int]) -> Rows:
    if learner.splits:  # the loss is that of the state, so the state need not be differentiated
        return attacked(attack, learner, learner.adapt(task.support), task.query, place)
    params = learner.detached()

    def loss(rows: Rows) -> Tensor:
        return learner.loss(params, learner.objective.transform_episode(Episode(task.support, rows)))

    return perturbed(loss, task.query, attack, learner, place)


def perturbed(
    loss: Callable[[Rows], Tensor], query: Rows, attack: Attack, learner: Learner, place: Sequence[int]
) -> Rows:
    """Query rows of one task moved to where `loss` is greater. The random start depends on `place` alone.

    Raises:
        UsageError: if the loss has no gradient at an input that is to be moved.
    """
    network = learner.network
    balls = {
        name: _ball(network.modalities[name], query.inputs[name], query.present[..., network.names.index(name)], radius)
        for name, radius in attack.epsilon.items()
    }
    x = {name: query.inputs[name] for name in balls}
    if attack.random_start:
        generator = torch.Generator().manual_seed(seeds.attack(place))
        for name, cells in x.items():
            uniform = 2 * random_like(torch.rand, cells.shape, generator, cells).to(cells.dtype) - 1
            x[name] = balls[name].project(cells + balls[name].radius * uniform)
    for _ in range(attack.steps):
        gradient = _gradient(loss, query, x, learner)
        x = {n: balls[n].project(x[n] + attack.step_size * balls[n].radius * gradient[n].sign()) for n in balls}
    return dataclasses.replace(query, inputs=query.inputs | x)


def _gradient(
    loss: Callable[[Rows], Tensor], query: Rows, x: Mapping[str, Tensor], learner: Learner
) -> dict[str, Tensor]:
    """The gradient of the loss at the inputs `x`; zero where it is not finite."""
    with torch.enable_grad():
        leaves = {name: cells.detach().requires_grad_() for name, cells in x.items()}
        value = loss(dataclasses.replace(query, inputs=query.inputs | leaves))
        gradients: Sequence[Tensor | None] = [None] * len(leaves)
        if value.requires_grad:
            gradients = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    finite = {}
    for name, gradient in zip(leaves, gradients, strict=True):
        if gradient is None:
            raise UsageError(
                f"learner {learner.called()!r} cannot be attacked through input {name!r}: its loss has no gradient "
                "there, so nothing says where to move it; attack another input, or another learner"
            )
        finite[name] = torch.nan_to_num(gradient, 0.0, 0.0, 0.0)
    return finite


@dataclass(frozen=True)
class _Ball:
    """The allowed region of an input's cells: from `low` to `high`, within `radius` of `cells` if that is above 0."""

    cells: Tensor
    radius: Tensor
    low: Tensor
    high: Tensor

    def project(self, x: Tensor) -> Tensor:
        """`x` projected into the ball; cells with radius 0 keep their exact value."""
        return torch.where(self.radius > 0, torch.minimum(torch.maximum(x, self.low), self.high), self.cells)


def _ball(modality: Modality, cells: Tensor, present: Tensor, radius: float) -> _Ball:
    """The ball of a radius around cells `[rows, *cell]`; rounding never widens it.

    Raises:
        UsageError: if cells of this modality cannot be moved.
    """
    reach = modality.reach(cells)
    if reach is None:
        raise UsageError(f"cells of kind {modality.kind} cannot be attacked")
    exact = (radius * reach.unit).expand(cells.shape)
    r = exact.to(cells.dtype)
    r = torch.where(r.double() > exact, torch.nextafter(r, torch.zeros_like(r)), r)
    r = torch.where(present.view(-1, *(1,) * (cells.dim() - 1)), r, 0.0)
    low = torch.minimum(torch.maximum(_inward(cells - r, cells, r), reach.low), cells)
    high = torch.maximum(torch.minimum(_inward(cells + r, cells, r), reach.high), cells)
    return _Ball(cells, r, low, high)


def _inward(edge: Tensor, cells: Tensor, radius: Tensor) -> Tensor:
    """`edge`, or its neighbour towards `cells` if rounding put it further from them than `radius`."""
    over = (edge.double() - cells.double()).abs() > radius.double()
    return torch.where(over, torch.nextafter(edge, cells), edge)
