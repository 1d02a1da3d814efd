"""Old and new rows together, in fixed shares."""

from __future__ import annotations

from torch import Tensor

from omnishot.errors import UsageError
from omnishot.learners.base import Params
from omnishot.learners.rehearsal import Rehearsal
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class Joint(Rehearsal):
    """One network trained on all training rows, then on the support rows and a few old rows: (1 − w) L_old + w L_new.

    L_old is the loss of the joint training (`finetune`) on `memory` rows of the training part. The rows are kept with
    the parameters: checkpoints and `.omni` files of this learner hold rows of the training table. With `fit_steps` 0
    nothing is adapted, which is plain joint training, where the pretrained baseline of Finn et al. 2017 (§5.1) begins.
    What the paper bounds is the error of whatever minimises such a combination; it trains no network.

    Args:
        new_weight: w, the share of the support rows' loss, 0…1.
        memory: how many old rows are kept.
        fit_steps, fit_lr: Adam steps on the support rows and the old rows, and their size.
        head: where the task's classifier starts: `prototype`, at the class means, for any new classes; `joint`, at the
            trained classifier, where the task's classes are the training classes (groups that share their classes).
        labels: how many training classes there are.

    Paper: Ben-David et al., A Theory of Learning from Different Domains, Machine Learning 2010
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        new_weight: float = 0.5,
        memory: int = 50,
        fit_steps: int = 20,
        fit_lr: float = 1e-3,
        head: str = "prototype",
        labels: int = 0,
    ):
        super().__init__(
            network, objective, memory=memory, fit_steps=fit_steps, fit_lr=fit_lr, head=head, labels=labels
        )
        if not 0 <= new_weight <= 1:
            raise UsageError(f"new_weight must lie between 0 and 1, not {new_weight!r}")
        self.new_weight = new_weight

    def mixture(self, params: Params, new: Tensor, old: Tensor) -> Tensor:
        return (1 - self.new_weight) * old + self.new_weight * new
