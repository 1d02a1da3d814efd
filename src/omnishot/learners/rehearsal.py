"""Fine-tuning that keeps the loss on old rows in view: what `transfer` and `joint` share."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from omnishot.episodes.rows import Rows
from omnishot.errors import UsageError
from omnishot.learners.base import Needs, Params, State
from omnishot.learners.finetune import FineTune
from omnishot.learners.memory import Memory
from omnishot.learners.scratch import HEAD
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective

MEMORY = "memory."


class Rehearsal(FineTune):
    """`finetune` whose steps minimise a mixture of the support rows' loss and of the joint training's loss on old rows.

    The old rows are drawn from the training part and kept among the parameters. The parameters that move are the
    network, the task's head and the head of the joint training.
    """

    serves: ClassVar[tuple[str, ...]] = ("classify", "regress")

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        memory: int,
        fit_steps: int,
        fit_lr: float,
        head: str,
        labels: int,
    ):
        super().__init__(network, objective, fit_steps=fit_steps, fit_lr=fit_lr, head=head, labels=labels)
        if memory < 1:
            raise UsageError(f"memory must be at least 1 row, not {memory}: without old rows choose finetune")
        if objective.scales_by_task:
            raise UsageError(
                "standardise='task': the old rows that this learner rehearses are of other tasks and measured "
                "otherwise: leave standardise out, or choose finetune"
            )
        self.memory = Memory(network.modalities, memory, objective.has_classes)

    def mixture(self, params: Params, new: Tensor, old: Tensor) -> Tensor:
        """What is minimised, from the losses on the support rows and on the old rows."""
        raise NotImplementedError(f"{type(self).__name__}.mixture")

    @property
    def needs(self) -> Needs:
        return Needs(rows=len(self.memory))

    def remember(self, rows: Rows) -> None:
        self.memory.fill(rows)

    def start(self, params: Params, support: Rows) -> Params:
        joint = {name: p for name, p in params.items() if name.startswith(self.joint_head)}
        return joint | super().start(params, support)

    def fit_loss(self, params: Params, task: Params, support: Rows) -> Tensor:
        own = {n.removeprefix(MEMORY): p for n, p in params.items() if n.startswith(MEMORY)}
        old = own["filled"] * self.joint_loss(task, self.memory.rows(own))
        return self.mixture(params, super().fit_loss(params, task, support), old)

    def fit(self, params: Params, support: Rows) -> State:
        state = super().fit(params, support)
        return {name: value for name, value in state.items() if name.startswith(("network.", HEAD))}
