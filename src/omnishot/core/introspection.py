"""Reads docstrings and options of functions and classes from their source files, so that lists import none of them.

Only simple cases are read: definitions at the top of a module, single inheritance, literal defaults.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
from functools import cache
from pathlib import Path
from typing import Any


class Unclear(Exception):
    """The source is not simple enough: the object must be imported and inspected."""


def read(module: str, name: str, method: str = "__init__") -> tuple[str, dict[str, Any]]:
    """The docstring and the keyword-only parameters with their defaults, of a function or of a method of a class.

    A class without a docstring or the method inherits that of its base, as in `inspect`.

    Raises:
        Unclear: if an import is necessary.
    """
    if (module, name) == ("abc", "ABC"):
        return "", {}
    named = [node for node in _tree(module).body if getattr(node, "name", None) == name]
    if len(named) != 1 or not isinstance(named[0], ast.FunctionDef | ast.ClassDef):
        raise Unclear(f"{module}:{name}")
    definition = named[0]
    doc, function = ast.get_docstring(definition), _function(definition, method)
    if (doc is None or function is None) and isinstance(definition, ast.ClassDef) and definition.bases:
        inherited, options = read(*_base(module, definition), method)
        doc = inherited if doc is None else doc
        return doc, _options(function) if function else _preset(definition, options)
    return doc or "", _options(function) if function else {}


def _function(definition: ast.FunctionDef | ast.ClassDef, method: str) -> ast.FunctionDef | None:
    """The function that takes the options: itself, or a class's own method; None where that is inherited."""
    if isinstance(definition, ast.FunctionDef):
        methods = {method: definition}
    else:
        methods = {node.name: node for node in definition.body if isinstance(node, ast.FunctionDef)}
    function = methods.get(method)
    decorated = definition.decorator_list or (function and function.decorator_list)
    if method == "__init__" and ("__new__" in methods or decorated):
        raise Unclear(definition.name)
    return function


def _base(module: str, definition: ast.ClassDef) -> tuple[str, str]:
    """Where the only base of a class is defined: module and name."""
    base = definition.bases[0]
    if len(definition.bases) > 1 or not isinstance(base, ast.Name):
        raise Unclear(f"{module}:{definition.name}")
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == base.id:
                    return node.module, alias.name
    return module, base.id


def _preset(definition: ast.ClassDef, options: dict[str, Any]) -> dict[str, Any]:
    """The inherited options, less those that `class ANIL(InnerLoop, fixed={…}, defaults={…})` fixes."""
    keywords = {keyword.arg: _literal(keyword.value, definition.name) for keyword in definition.keywords}
    fixed, defaults = keywords.pop("fixed", {}), keywords.pop("defaults", {})
    if keywords:
        raise Unclear(definition.name)
    return {name: default for name, default in (options | defaults).items() if name not in fixed}


def _options(function: ast.FunctionDef) -> dict[str, Any]:
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {a.arg: inspect.Parameter.empty if d is None else _literal(d, function.name) for a, d in pairs}


def _literal(value: ast.expr, name: str) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        raise Unclear(name) from None


@cache
def _tree(module: str) -> ast.Module:
    try:
        spec = importlib.util.find_spec(module)  # imports the packages that hold the module, not the module
        if spec is None or spec.origin is None:
            raise Unclear(module)
        return ast.parse(Path(spec.origin).read_bytes())
    except (ImportError, OSError, SyntaxError, ValueError):  # no such module; no file; no Python source
        raise Unclear(module) from None
