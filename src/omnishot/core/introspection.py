"""What a function or class says of itself, read from its source file, so that nothing it needs is imported.

Only what the source says plainly is read: definitions at the top of a module, single inheritance, literal defaults.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any


class Unclear(Exception):
    """The source does not say it plainly: import the thing and ask it."""


def doc(module: str, name: str) -> str:
    """The docstring, as `inspect.getdoc` gives it: a class that has none has its base's.

    Raises:
        Unclear: if that takes an import.
    """
    for definition in _lineage(module, name):
        text = ast.get_docstring(definition)
        if text is not None:
            return text
    return ""


def options(module: str, name: str) -> dict[str, Any]:
    """The keyword-only parameters of a function, or of a class's constructor, with their defaults.

    Raises:
        Unclear: if that takes an import.
    """
    for definition in _lineage(module, name):
        function = definition if isinstance(definition, ast.FunctionDef) else _constructor(definition)
        if function:
            pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
            return {argument.arg: _value(default) for argument, default in pairs}
    return {}


def _lineage(module: str, name: str) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """The definition of `name`, then its base's, its base's base's, as far as one asks."""
    while (module, name) != ("abc", "ABC"):  # which says nothing and takes nothing
        found = [node for node in _tree(module).body if getattr(node, "name", None) == name]
        if len(found) != 1 or not isinstance(found[0], ast.FunctionDef | ast.ClassDef) or found[0].decorator_list:
            raise Unclear(f"{module}:{name}")
        definition = found[0]
        yield definition
        if isinstance(definition, ast.FunctionDef) or not definition.bases:
            return
        if len(definition.bases) > 1 or definition.keywords or not isinstance(definition.bases[0], ast.Name):
            raise Unclear(f"{module}:{name}")
        module, name = _origin(module, definition.bases[0].id)


def _origin(module: str, name: str) -> tuple[str, str]:
    """The module that defines what `name` is in `module`, and its name there."""
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return node.module, alias.name
    return module, name


def _constructor(definition: ast.ClassDef) -> ast.FunctionDef | None:
    named = {node.name: node for node in definition.body if isinstance(node, ast.FunctionDef)}
    constructor = named.get("__init__")
    if "__new__" in named or (constructor and constructor.decorator_list):
        raise Unclear(definition.name)
    return constructor


def _value(default: ast.expr | None) -> Any:
    try:
        return inspect.Parameter.empty if default is None else ast.literal_eval(default)
    except ValueError:
        raise Unclear(ast.unparse(default)) from None  # type: ignore[arg-type]


@cache
def _tree(module: str) -> ast.Module:
    try:
        spec = importlib.util.find_spec(module)  # imports the packages it lies in, not the module
        if spec is None or spec.origin is None:
            raise Unclear(module)
        return ast.parse(Path(spec.origin).read_bytes())
    except (ImportError, OSError, SyntaxError, ValueError):  # no such module; no file; no Python source
        raise Unclear(module) from None
