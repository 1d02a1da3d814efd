"""Joint training, then fine-tuning: the plain transfer baseline."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.rows import Episode, Rows, concatenate
from omnishot.errors import choose
from omnishot.learners.base import Params, under
from omnishot.learners.scratch import HEAD, Scratch
from omnishot.nn.heads import LinearHead, linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class FineTune(Scratch):
    """One network trained on all training rows at once, then fine-tuned on the support rows.

    Where the target is a class, training tells all training classes apart and a task has a head of its own. Where it is
    a number or a sentence, one network with one head learns the rows of all tasks, and a task goes on from there.

    Args:
        fit_steps, fit_lr: Adam steps on the support rows, and their size.
        head: where the task's classifier starts: `prototype`, at the class means, for any new classes; `joint`, at the
            trained classifier, where the task's classes are the training classes (groups that share their classes).
        labels: how many training classes there are.

    Paper: Chen et al., A Closer Look at Few-shot Classification, ICLR 2019 (Baseline)
    """

    meta_trained = True

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        fit_steps: int = 20,
        fit_lr: float = 1e-3,
        head: str = "prototype",
        labels: int = 0,
    ):
        super().__init__(network, objective, fit_steps=fit_steps, fit_lr=fit_lr)
        choose("head", head, ("prototype", "joint"))
        if objective.has_classes:
            joint = LinearHead(network.out, labels)
            if head == "joint":
                self.head = joint
            else:
                self.joint = joint
        self.joint_head = "joint." if hasattr(self, "joint") else HEAD

    def loss(self, params: Params, episode: Episode) -> Tensor:
        """Joint training: the loss of predicting each row's class among all training classes."""
        return self.joint_loss(params, concatenate(episode.support, episode.query))

    def joint_loss(self, task: Params, rows: Rows) -> Tensor:
        """The loss on rows of any training tasks: of their class among all training classes, or of their number."""
        features = self.head_inputs(self.head, task, rows)
        if not self.objective.has_classes:
            return self.objective.loss(
                self.head.predict(self.head.start(under(HEAD, task), lambda: features, rows), features), rows
            )
        assert rows.label is not None
        return F.cross_entropy(linear(under(self.joint_head, task), features), rows.label)
