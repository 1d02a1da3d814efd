"""Calling a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import Any

from torch import nn

#: The attributes of every module, which hold parameters, buffers, submodules and hooks.
_STANDARD = frozenset(vars(nn.Module()))


def call_with(module: nn.Module, parameters: Mapping[str, Any], *args: Any, method: str = "__call__") -> Any:
    """`module(*args)`, or another method of it, with `parameters` (by dotted name) in place of its own.

    The call is made on a shallow copy of the module and its submodules: buffers and hooks are the module's own, its
    parameters stay as they are, and threads may call one module at once. An attribute that `forward` sets is lost.

    Unlike `torch.func.functional_call` it takes whatever the layers understand (`omnishot.nn.linear.LowRank`).

    Raises:
        KeyError: if a name is not one of the module's parameters.
    """
    copies: dict[nn.Module, nn.Module] = {}
    by_path: dict[str, nn.Module] = {}
    copy = _copied(module, "", copies, by_path)
    for original, copied in copies.items():
        for name, value in vars(original).items():
            if name not in _STANDARD:
                copied.__dict__[name] = _redirected(value, copies)
    for name, value in parameters.items():
        path, _, own = name.rpartition(".")
        if own not in by_path[path]._parameters:
            raise KeyError(name)
        by_path[path]._parameters[own] = value
    return getattr(copy, method)(*args)


def _copied(
    module: nn.Module, path: str, copies: dict[nn.Module, nn.Module], by_path: dict[str, nn.Module]
) -> nn.Module:
    """A copy of the tree, with dictionaries of parameters and submodules of its own; shared submodules stay shared."""
    if module in copies:
        by_path[path] = copies[module]
        return copies[module]
    copy = copies[module] = by_path[path] = object.__new__(type(module))
    attributes = copy.__dict__
    attributes.update(module.__dict__)
    attributes["_parameters"] = module._parameters.copy()
    prefix = path and f"{path}."
    attributes["_modules"] = {
        name: None if child is None else _copied(child, prefix + name, copies, by_path)
        for name, child in module._modules.items()
    }
    return copy


def _redirected(value: Any, copies: Mapping[nn.Module, nn.Module]) -> Any:
    """An attribute with copies in place of modules of the tree that it refers to: `self.blocks = [self.a, self.b]`."""
    kind = type(value)
    if kind is list or kind is tuple:
        items = [_redirected(item, copies) for item in value]
        return kind(items) if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if kind is dict:
        entries = {key: _redirected(item, copies) for key, item in value.items()}
        return entries if any(entries[key] is not item for key, item in value.items()) else value
    if kind is MethodType and isinstance(value.__self__, nn.Module):
        return MethodType(value.__func__, copies.get(value.__self__, value.__self__))
    return copies.get(value, value) if isinstance(value, nn.Module) else value
