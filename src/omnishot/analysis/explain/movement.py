"""Which parts of a learner a task has moved, and how far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor


def movement(before: Mapping[str, Tensor], after: Mapping[str, Tensor], inputs: Sequence[str] = ()) -> dict[str, float]:
    """How far each module's parameters have gone, ‖θ' − θ‖ / ‖θ‖, the furthest first; those that stayed are left out.

    Args:
        before, after: parameters by name; what only one of them has is left out.
        inputs: of the network, in order, to be named instead of numbered.

    Returns:
        By module. Infinite for one that was all zero.
    """
    squares: dict[str, list[float]] = {}
    for name in before.keys() & after.keys():
        start, end = before[name].detach().double(), after[name].detach().double()
        sums = squares.setdefault(module_name(name, inputs), [0.0, 0.0])
        sums[0] += float((end - start).square().sum())
        sums[1] += float(start.square().sum())
    gone = {name: math.sqrt(way / was) if was else math.inf for name, (way, was) in squares.items() if way}
    return dict(sorted(gone.items(), key=lambda item: (-item[1], item[0])))


def module_name(parameter: str, inputs: Sequence[str] = ()) -> str:
    """The module that a learner's parameter belongs to: `network.encoders.0.stem.weight` is `photo: encoder.stem`."""
    parts = parameter.removeprefix("network.").split(".")[:-1]
    if parts[:1] not in (["encoders"], ["projections"]) or not inputs:
        return ".".join(parts) or parameter
    return ".".join([f"{inputs[int(parts[1])]}: {parts[0].removesuffix('s')}", *parts[2:]])
