"""How the tasks of a meta-batch are run: one gradient, several ways to it.

`loop`   one task after the other, each with its own backward pass.
`vmap`   fit and predict of several tasks at once (`torch.vmap`), one backward pass for all.
`split`  fit of several tasks at once; then the query rows task by task, from the fitted states cut off from how they
         were found, so that a task's activations stay in the processor's cache and are freed at once; then one
         vector–Jacobian product back through all the fits.

Differentiation across tasks stands outside of `vmap`: what tasks share is differentiated once for all of them, and no
task's gradient of the shared parameters is ever written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_flatten, tree_unflatten

from omnishot.episodes.rows import Episode, Rows
from omnishot.errors import UsageError
from omnishot.experiment.plan import LOOP, Plan
from omnishot.learners.base import Learner, Params
from omnishot.nn.linear import written_out


def backward(learner: Learner, batch: Episode, plan: Plan = LOOP) -> Tensor:
    """Add the gradient of the mean loss over the tasks of a meta-batch to the parameters' `.grad`.

    Returns the losses `[tasks]`.
    """
    params: Params = {name: p for name, p in learner.named_parameters() if p.requires_grad}
    batch = learner.objective.transform_episode(batch)
    run = {"loop": _loop, "split": _split, "vmap": _vmap}[plan.way]
    losses = [run(learner, params, part, part.tasks / batch.tasks) for part in _parts(batch, plan.chunk)]
    for p in params.values():
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    return torch.cat(losses)


def _parts(batch: Episode, chunk: int | None) -> Iterator[Episode]:
    if chunk is None or chunk >= batch.tasks:
        yield batch
        return
    for start in range(0, batch.tasks, chunk):
        yield batch.select(slice(start, start + chunk))


def _loop(learner: Learner, params: Params, batch: Episode, weight: float) -> Tensor:
    losses = []
    for t in range(batch.tasks):
        loss = learner.loss(params, batch.task(t))
        (loss * (weight / batch.tasks)).backward()
        losses.append(loss.detach())
    return torch.stack(losses)


def _vmap(learner: Learner, params: Params, batch: Episode, weight: float) -> Tensor:
    def loss(support: dict, query: dict) -> Tensor:
        return learner.loss(params, Episode(batch.support.with_tensors(support), batch.query.with_tensors(query)))

    losses = _over_tasks(loss, batch.support, batch.query)
    (losses.mean() * weight).backward()
    return losses.detach()


def _split(learner: Learner, params: Params, batch: Episode, weight: float) -> Tensor:
    if not learner.splits:
        name = learner.called()
        raise UsageError(f"plan split does not fit the learner {name!r}, whose loss is its own: use loop or vmap")

    def fit(support: dict) -> Any:
        return written_out(learner.fit(params, batch.support.with_tensors(support)))

    fitted, tree = tree_flatten(_over_tasks(fit, batch.support))
    of_task = [state.detach().unbind() for state in fitted]
    gradients: list[list[Tensor]] = [[] for _ in fitted]
    losses = []
    for t in range(batch.tasks):
        leaves = [s[t].requires_grad_() if s[t].is_floating_point() else s[t] for s in of_task]
        query = batch.query.task(t)
        loss = learner.objective.loss(learner.predict(params, tree_unflatten(leaves, tree), query), query)
        (loss * (weight / batch.tasks)).backward()
        losses.append(loss.detach())
        for slopes, leaf in zip(gradients, leaves, strict=True):
            slopes.append(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
    reached = [i for i, state in enumerate(fitted) if state.requires_grad]
    torch.autograd.backward([fitted[i] for i in reached], [torch.stack(gradients[i]) for i in reached])
    return torch.stack(losses)


def _over_tasks(function: Any, *rows: Rows) -> Any:
    return vmap(function, randomness="different")(*(r.tensors() for r in rows))
