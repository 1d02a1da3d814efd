"""Options that a subclass settles for its base's constructor."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any


def preset(cls: type, fixed: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Give `cls` the constructor that it inherits, with some options `fixed` and others having new `defaults`.

    What is fixed is no option any more: the constructor refuses it, and `inspect.signature` does not show it.
    """
    inherited = cls.__init__  # type: ignore[misc]
    whole = inspect.signature(inherited)
    kept = [p.replace(default=defaults.get(n, p.default)) for n, p in whole.parameters.items() if n not in fixed]
    signature = whole.replace(parameters=kept)

    @functools.wraps(inherited)
    def __init__(self: Any, *args: Any, **options: Any) -> None:
        signature.bind(self, *args, **options)  # a TypeError for an option that there is not
        inherited(self, *args, **{**defaults, **options, **fixed})

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    cls.__init__ = __init__  # type: ignore[misc]
