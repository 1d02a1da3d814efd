"""Meta-SGD."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class MetaSGD(InnerLoop):
    """MAML that also learns the direction of its steps: a step size for every single parameter.

    Args:
        inner_steps: gradient steps on the support rows, one as published.
        inner_lr: where all step sizes begin.
        second_order: differentiate through the inner steps.
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them.
        head: `prototype`, for any number of classes, whose step sizes all classes share; or `fixed`, a learned head of
            `ways` outputs, as published.
        ways: outputs of a fixed head.

    Paper: Li et al., Meta-SGD: Learning to Learn Quickly for Few-Shot Learning, 2017
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 1,
        inner_lr: float = 0.1,
        second_order: bool = True,
        inner_checkpoint: bool = False,
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(
            network, objective, inner_steps, inner_lr, rates="element", second_order=second_order,
            checkpoint=inner_checkpoint, head=head, ways=ways,
        )  # fmt: skip
