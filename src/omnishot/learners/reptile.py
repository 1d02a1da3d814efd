"""Reptile."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import torch
from torch import Tensor

from omnishot.episodes.rows import Episode, Rows, concatenate
from omnishot.errors import UsageError
from omnishot.learners.base import Params, State
from omnishot.learners.inner.descent import adam, with_gradient
from omnishot.learners.inner.inner_loop import InnerLoop, whole
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Reptile(InnerLoop):
    """Initial parameters moved towards where each task's training takes them; nothing is differentiated twice.

    A task is trained on all of its rows, support and query alike, from θ to φ; θ − φ is what the outer optimiser takes
    for a gradient. As published a task is trained by Adam with β₁ = 0, in meta-training on mini-batches; here its
    moments begin anew with every task, the mini-batches are drawn once for all tasks, and a new task is trained on all
    of its support rows at once, so that their order does not matter. The loss that training shows is that of the query
    rows after training on them.

    Args:
        inner_steps: Adam steps on a task's rows in meta-training.
        inner_lr: their step size, and of those on a new task.
        inner_batch: rows of each step in meta-training; 0: all.
        fit_steps: Adam steps on the support rows of a new task.
        head: `prototype` starts a linear head at the class means, for any number of classes, and is not learned across
            tasks; `linear` is the published form, a learned head of `ways` outputs. Numbers always have a learned head.
        ways: outputs of a linear head.

    Paper: Nichol et al., On First-Order Meta-Learning Algorithms, 2018
    """

    steps_attribute = "fit_steps"

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 1e-3,
        inner_batch: int = 10,
        fit_steps: int = 50,
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(
            network, objective, inner_steps=inner_steps, inner_lr=inner_lr, second_order=False, head=head, ways=ways
        )
        if inner_batch < 0:
            raise UsageError(f"inner_batch is a number of rows, 0 for all, not {inner_batch}")
        self.inner_lr, self.inner_batch, self.fit_steps = inner_lr, inner_batch, fit_steps

    def fit(self, params: Params, support: Rows) -> State:
        return self.train_task(params, support, [range(len(support))] * self.fit_steps)

    def loss(self, params: Params, episode: Episode) -> Tensor:
        fixed = {name: p.detach() for name, p in params.items()}
        rows = concatenate(episode.support, episode.query)
        size = min(self.inner_batch or len(rows), len(rows))
        state = self.train_task(fixed, rows, batches(len(rows), size, self.inner_steps))
        with torch.no_grad():
            value = self.objective.loss(self.predict(fixed, state, episode.query), episode.query)
        apart = [(p - state[name]).square().sum() / 2 for name, p in params.items() if name in state]
        return with_gradient(value, torch.stack(apart).sum())

    def train_task(self, params: Params, rows: Rows, drawn: Sequence[Sequence[int]]) -> State:
        """What Adam makes of a task's start, a step on each of the `drawn` sets of rows."""
        task, known = self.begin(params, rows)

        def given(step: int) -> tuple[Rows]:
            chosen = drawn[step - 1]
            return (rows if len(chosen) == len(rows) else rows.map(lambda t: torch.stack([t[i] for i in chosen])),)

        def loss(batch: Rows, task: Params) -> Tensor:
            return self.error(task, known, batch)

        return whole(adam(loss, task, len(drawn), self.inner_lr, momentum=0.0, given=given), known)


def batches(rows: int, size: int, steps: int) -> list[list[int]]:
    """The rows of every step: `size` at a time, going through all in a random order, then in another one.

    The order is the same each time: that is what lets tasks share it, and a recorded pass be replayed.
    """
    generator = random.Random(0)
    order = [i for _ in range(math.ceil(steps * size / rows)) for i in generator.sample(range(rows), rows)]
    return [order[k * size : (k + 1) * size] for k in range(steps)]
