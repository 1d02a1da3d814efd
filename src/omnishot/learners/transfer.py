"""Fine-tuning that does not forget: the new task's loss plus a share of the old tasks'."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.learners.base import Needs, Params
from omnishot.learners.rehearsal import Rehearsal
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective

#: Of these the best on the validation tasks is chosen.
WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0)
#: Unless there are none.
UNCHOSEN = 0.1


class Transfer(Rehearsal):
    """One network trained on all training rows, then min L_new(θ) + λ L_old(θ) on the support rows and a few old rows.

    L_old is the loss of the joint training (`finetune`) on `memory` rows of the training part. The rows are kept with
    the parameters: checkpoints and `.omni` files of this learner hold rows of the training table. The published form
    has no old rows: its old-task term holds what the old network answers to the new ones.

    Args:
        old_weight: λ; None: of 0, 0.1, 0.3, 1 and 3 the best on the validation tasks, 0.1 where there are none.
        memory: how many old rows are kept.
        fit_steps, fit_lr: Adam steps on the support rows and the old rows, and their size.
        head: where the task's classifier starts: `prototype`, at the class means, for any new classes; `joint`, at the
            trained classifier, where the task's classes are the training classes (groups that share their classes).
        labels: how many training classes there are.

    Paper: Li & Hoiem, Learning without Forgetting, ECCV 2016
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        old_weight: float | None = None,
        memory: int = 50,
        fit_steps: int = 20,
        fit_lr: float = 1e-3,
        head: str = "prototype",
        labels: int = 0,
    ):
        super().__init__(
            network, objective, memory=memory, fit_steps=fit_steps, fit_lr=fit_lr, head=head, labels=labels
        )
        if old_weight is not None and not 0 <= old_weight < math.inf:
            raise UsageError(f"old_weight must be at least 0 and finite, not {old_weight!r}")
        self.tuned = {"old_weight": WEIGHTS} if old_weight is None else {}
        weight = UNCHOSEN if old_weight is None else old_weight
        self.old_weight = nn.Parameter(torch.tensor(float(weight)), requires_grad=False)

    @property
    def needs(self) -> Needs:
        return dataclasses.replace(super().needs, tuned=self.tuned)

    def mixture(self, params: Params, new: Tensor, old: Tensor) -> Tensor:
        return new + params["old_weight"] * old
