"""Almost no inner loop."""

from __future__ import annotations

from omnishot.learners.maml import HEAD, MAML


class ANIL(MAML):
    """MAML whose inner loop moves the head only; the network is learned across tasks and then stays.

    Paper: Raghu et al., Rapid Learning or Feature Reuse?, ICLR 2020
    """

    def adapted_names(self) -> list[str]:
        return [HEAD + "weight", HEAD + "bias"]
