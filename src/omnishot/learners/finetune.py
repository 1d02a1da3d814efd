"""Joint training, then fine-tuning: the plain transfer baseline."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from omnishot.episodes.rows import Episode, concatenate
from omnishot.errors import choose
from omnishot.learners.base import Params
from omnishot.learners.scratch import Scratch
from omnishot.nn.heads import LinearHead, linear
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class FineTune(Scratch):
    """One network trained on all training classes at once, then fine-tuned on the support rows.

    Args:
        fit_steps, fit_rate: Adam steps on the support rows, and their size.
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
        fit_rate: float = 1e-3,
        head: str = "prototype",
        labels: int = 0,
    ):
        super().__init__(network, objective, fit_steps=fit_steps, fit_rate=fit_rate)
        choose("head", head, ("prototype", "joint"))
        if objective.name == "classify":
            joint = LinearHead(network.out, labels)
            self.joint_name = "head" if head == "joint" else "joint"
            setattr(self, self.joint_name, joint)

    def loss(self, params: Params, episode: Episode) -> Tensor:
        """Joint training: the loss of predicting each row's class among all training classes."""
        rows = concatenate(episode.support, episode.query)
        if self.objective.name == "regress":
            return self.objective.loss(self._output(params, rows), rows)
        assert rows.label is not None
        joint = {name: params[f"{self.joint_name}.{name}"] for name in ("weight", "bias")}
        return F.cross_entropy(linear(joint, self.features(params, rows)), rows.label)
