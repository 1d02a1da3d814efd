"""How the tasks of a meta-batch are run, as an option: `loop`, `split`, `vmap`, or `vmap:4`."""

from __future__ import annotations

from dataclasses import dataclass

from omnishot.errors import UsageError, choose

WAYS = ("loop", "split", "vmap")
CUDA_GRAPH_SUFFIX = "+graph"


@dataclass(frozen=True)
class Plan:
    """One way to run a meta-batch, written `loop`, `split`, `vmap`, or `vmap:4` for four tasks at a time.

    Args:
        way: loop, split or vmap.
        chunk: tasks at a time; None: all of the meta-batch.
        cuda_graph: whether its kernels are recorded once as a CUDA graph and then replayed
            (`omnishot.training.engine.cuda_graph`); written `vmap+graph`.
    """

    way: str = "loop"
    chunk: int | None = None
    cuda_graph: bool = False

    def __str__(self) -> str:
        return (self.way if self.chunk is None else f"{self.way}:{self.chunk}") + CUDA_GRAPH_SUFFIX * self.cuda_graph

    @classmethod
    def parse(cls, text: str) -> Plan:
        """The plan with this text.

        Raises:
            UsageError: if the text is no plan.
        """
        way, colon, chunk = text.removesuffix(CUDA_GRAPH_SUFFIX).partition(":")
        choose("plan", way, WAYS)
        if colon and (way == "loop" or not chunk.isdigit() or int(chunk) < 1):
            raise UsageError(f"plan {text!r}: after split: or vmap: comes the number of tasks at a time, as in vmap:4")
        return cls(way, int(chunk) if colon else None, text.endswith(CUDA_GRAPH_SUFFIX))


LOOP = Plan()
