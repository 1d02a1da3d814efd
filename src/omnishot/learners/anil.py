"""Almost no inner loop."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop
from omnishot.nn.network import Network
from omnishot.objectives.base import Objective


class ANIL(InnerLoop):
    """MAML whose inner loop moves the head only; the network is learned across tasks and then stays.

    Args:
        inner_steps, inner_lr: gradient steps on the support rows, and their step size.
        rates: step sizes: `fixed`, or learned: one a `tensor`, one a tensor and `step`, or one an `element`.
        second_order: differentiate through the inner steps.
        inner_checkpoint: compute the inner steps again in the backward pass instead of keeping them.
        head: `prototype`, for any number of classes, or `fixed`, a learned head of `ways` outputs.
        ways: outputs of a fixed head.

    Paper: Raghu et al., Rapid Learning or Feature Reuse?, ICLR 2020
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        *,
        inner_steps: int = 5,
        inner_lr: float = 0.1,
        rates: str = "fixed",
        second_order: bool = True,
        inner_checkpoint: bool = False,
        head: str = "prototype",
        ways: int | None = None,
    ):
        super().__init__(
            network, objective, inner_steps, inner_lr, parts="head", rates=rates, second_order=second_order,
            checkpoint=inner_checkpoint, head=head, ways=ways,
        )  # fmt: skip
