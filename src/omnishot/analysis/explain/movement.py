"""The relative change of a learner's parameters by adaptation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor


def movement(before: Mapping[str, Tensor], after: Mapping[str, Tensor], inputs: Sequence[str] = ()) -> dict[str, float]:
    """The relative change of each module's parameters, ‖θ' − θ‖ / ‖θ‖, greatest first.

    Args:
        before, after: parameters by name; a parameter that only one of them has is left out.
        inputs: the network's inputs in order; modules are named after them instead of their number.

    Returns:
        By module, without those that did not change; infinite for a module that was all zero.
    """
    squares: dict[str, list[float]] = {}
    for name in before.keys() & after.keys():
        start, end = before[name].detach().double(), after[name].detach().double()
        sums = squares.setdefault(module_name(name, inputs), [0.0, 0.0])
        sums[0] += float((end - start).square().sum())
        sums[1] += float(start.square().sum())
    change = {name: math.sqrt(diff / norm) if norm else math.inf for name, (diff, norm) in squares.items() if diff}
    return dict(sorted(change.items(), key=lambda item: (-item[1], item[0])))


def module_name(parameter: str, inputs: Sequence[str] = ()) -> str:
    """The module that a learner's parameter belongs to: `network.encoders.0.stem.weight` is `photo: encoder.stem`."""
    parts = parameter.removeprefix("network.").split(".")[:-1]
    if parts[:1] not in (["encoders"], ["projections"]) or not inputs:
        return ".".join(parts) or parameter
    return ".".join([f"{inputs[int(parts[1])]}: {parts[0].removesuffix('s')}", *parts[2:]])
