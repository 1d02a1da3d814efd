"""A module that is called with parameters given to it, which makes `fit` and `predict` pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnishot.episodes.rows import Rows
from omnishot.nn.calling import call_with
from omnishot.nn.heads import Head
from omnishot.nn.linear import Linear
from omnishot.nn.network import Network

#: Parameters by dotted name.
Params = dict[str, Tensor]


class Functional(nn.Module):
    """A network (`self.network`) and whatever stands beside it, each called with `params` instead of its own values.

    `params` holds this module's own parameters by name, possibly adapted to a task.
    """

    network: Network

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def factored(self) -> frozenset[str]:
        """Names of the weights that only linear layers use, whose updates may stay products of thin factors."""
        return frozenset(f"{name}.weight" for name, module in self.named_modules() if isinstance(module, Linear))

    def params(self) -> Params:
        """The present parameters by name."""
        return dict(self.named_parameters())

    def detached(self) -> Params:
        """The present parameters by name, as constants."""
        return {name: p.detach() for name, p in self.named_parameters()}

    def part(self, name: str, params: Params, *args: Any, method: str = "__call__") -> Any:
        """Call the submodule `name` (or a method of it) on `args`, with its values taken from `params`."""
        return call_with(self.get_submodule(name), under(f"{name}.", params), *args, method=method)

    def features(self, params: Params, rows: Rows) -> Tensor:
        """The network's features `[rows, dim]` under `params`."""
        return self.part("network", params, rows)

    def head_inputs(self, head: Head, params: Params, rows: Rows) -> Any:
        """What a head reads of rows under `params`: the network's features `[rows, dim]`, or its memory."""
        return self.part("network", params, rows, method=head.reads)


def under(prefix: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters whose names begin with `prefix`, by their names without it."""
    return {name.removeprefix(prefix): p for name, p in params.items() if name.startswith(prefix)}
