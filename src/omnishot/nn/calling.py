"""Calling a module with other parameters than its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from torch import nn

# The parameters stand in the module while it runs, so two threads must not call one module at once.
_LOCK = threading.RLock()


def call_with(module: nn.Module, parameters: Mapping[str, Any], *args: Any, method: str = "__call__") -> Any:
    """`module(*args)`, or another method of it, with `parameters` (by dotted name) in place of its own.

    Unlike `torch.func.functional_call` it takes whatever the layers understand (`omnishot.nn.linear.LowRank`), and
    costs a dictionary's worth of time.

    Raises:
        KeyError: if a name is not one of the module's parameters.
    """
    places = [
        (module.get_submodule(path)._parameters, name) for path, _, name in (n.rpartition(".") for n in parameters)
    ]
    with _LOCK:
        own = [slots[name] for slots, name in places]
        try:
            for (slots, name), value in zip(places, parameters.values(), strict=True):
                slots[name] = value
            return getattr(module, method)(*args)
        finally:
            for (slots, name), value in zip(places, own, strict=True):
                slots[name] = value
