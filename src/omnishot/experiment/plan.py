"""How the tasks of a meta-batch are run, as an option: `loop`, `split`, `vmap`, or `vmap:4`."""

from __future__ import annotations

from dataclasses import dataclass

from omnishot.errors import UsageError, choose

WAYS = ("loop", "split", "vmap")
GRAPH_SUFFIX = "+graph"


@dataclass(frozen=True)
class Plan:
    """One way to run a meta-batch; written `loop`, `split`, `vmap`, or `vmap:4` for four tasks at a time.

    Args:
        way: loop, split or vmap.
        chunk: tasks at a time; None: all of the meta-batch.
        graph: recorded once on the accelerator and replayed (`omnishot.training.engine.cuda_graph`); written
            `vmap+graph`.
    """

    way: str = "loop"
    chunk: int | None = None
    graph: bool = False

    def __str__(self) -> str:
        return (self.way if self.chunk is None else f"{self.way}:{self.chunk}") + GRAPH_SUFFIX * self.graph

    @classmethod
    def parse(cls, text: str) -> Plan:
        """The plan that is written like this.

        Raises:
            UsageError: if it is no plan.
        """
        way, colon, chunk = text.removesuffix(GRAPH_SUFFIX).partition(":")
        choose("plan", way, WAYS)
        if colon and (way == "loop" or not chunk.isdigit() or int(chunk) < 1):
            raise UsageError(f"plan {text!r}: after split: or vmap: comes the number of tasks at a time, as in vmap:4")
        return cls(way, int(chunk) if colon else None, text.endswith(GRAPH_SUFFIX))


LOOP = Plan()
