"""Almost no inner loop."""

from __future__ import annotations

from omnishot.learners.inner.inner_loop import InnerLoop


class ANIL(InnerLoop, fixed={"adapt": "head", "lora_rank": 0}):
    """MAML whose inner loop moves the head only; the network is learned across tasks and then stays.

    Options: those of `InnerLoop`, but for what moves.

    Paper: Raghu et al., Rapid Learning or Feature Reuse?, ICLR 2020
    """
