"""A meta-batch's backward pass recorded once on an accelerator and replayed.

A meta-step is hundreds of small kernels, each of which Python launches in about the time it takes to run. A recorded
graph of them is launched as one; it reads and writes the same memory each time, so a meta-batch is copied into the
place of the one that was recorded, and the gradients stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from omnishot.episodes.rows import Episode
from omnishot.errors import OmnishotError, UsageError
from omnishot.experiment.plan import Plan
from omnishot.learners.base import Learner
from omnishot.training.engine.backward import backward

WARMUPS = 3  # runs before recording, in which libraries choose their kernels and take their memory
TOLERANCE = 1e-3  # relative; atomic sums of two runs on the same device differ less

#: Records what a function does on the device and returns what does it again.
Recorder = Callable[[Callable[[], Any]], Callable[[], None]]


class NotRecorded(OmnishotError):
    """The pass cannot be recorded here, or does something else when replayed."""


class Recorded:
    """`backward` for meta-batches of one shape, replayed. The parameters' `.grad` must stay the same tensors.

    Raises:
        NotRecorded: if the device cannot record the pass, or its replay gives another gradient.
    """

    def __init__(self, learner: Learner, batch: Episode, plan: Plan, record: Recorder | None = None):
        self._batch = batch.map(torch.clone)
        self._losses = torch.empty(0)
        params = [p for p in learner.parameters() if p.requires_grad]
        kept = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in params]

        def run() -> None:
            self._losses = backward(learner, self._batch, plan)

        for p in params:
            p.grad = torch.zeros_like(p)
        run()
        gradients: list[Tensor] = [p.grad for p in params]  # type: ignore[misc]
        expected = [g.clone() for g in gradients]
        try:
            self._replay = (record or record_cuda)(run)
        except RuntimeError as error:
            raise NotRecorded(f"plan {plan} cannot be recorded: {str(error).splitlines()[0]}") from error
        torch._foreach_zero_(gradients)
        self._replay()
        off = torch.stack([(g - w).square().sum() for g, w in zip(gradients, expected, strict=True)]).sum()
        if not off <= TOLERANCE**2 * torch.stack([w.square().sum() for w in expected]).sum():
            raise NotRecorded(f"plan {plan} gives another gradient when replayed")
        torch._foreach_copy_(gradients, kept)

    def __call__(self, batch: Episode) -> Tensor:
        """Add the meta-gradient to the parameters' `.grad`; the losses `[tasks]`.

        Raises:
            ValueError: if the meta-batch is not of the recorded shape.
        """
        for into, new in zip(_tensors(self._batch), _tensors(batch), strict=True):
            if into.shape != new.shape:
                raise ValueError(f"recorded for shape {tuple(into.shape)}, not {tuple(new.shape)}")
            into.copy_(new, non_blocking=True)
        self._replay()
        return self._losses.clone()


class Recording:
    """Records a pass for every shape of meta-batch that comes along."""

    def __init__(self, learner: Learner, plan: Plan, record: Recorder | None = None):
        self._learner, self._plan, self._record = learner, plan, record
        self._passes: dict[tuple, Recorded] = {}

    def __call__(self, batch: Episode) -> Tensor:
        """As `backward`."""
        shapes = (batch.support.ways, *(tuple(t.shape) for t in _tensors(batch)))
        if shapes not in self._passes:
            self._passes[shapes] = Recorded(self._learner, batch, self._plan, self._record)
        return self._passes[shapes](batch)


def runner(learner: Learner, plan: Plan) -> Callable[[Episode, float], Tensor]:
    """A function that runs a meta-batch by a plan, given the share (0…1) of meta-training that is done (`Learner.at`).

    Raises:
        UsageError: if the plan is to record a pass whose loss changes in the course of training.
    """
    if plan.cuda_graph and learner.needs.scheduled:
        raise UsageError(f"plan {plan} would replay the first step's loss, which changes in training: leave out +graph")
    if plan.cuda_graph:
        recording = Recording(learner, plan)
        return lambda batch, progress: recording(batch)
    return lambda batch, progress: backward(learner.at(progress), batch, plan)


def record_cuda(run: Callable[[], Any]) -> Callable[[], None]:
    """Record on the current CUDA device; another thread may go on allocating meanwhile."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARMUPS):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    recording = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recording, capture_error_mode="thread_local"):
        run()
    return recording.replay


def _tensors(batch: Episode) -> list[Tensor]:
    return tree_flatten((batch.support.tensors(), batch.query.tensors()))[0]
