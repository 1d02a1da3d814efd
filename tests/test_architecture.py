"""The structure of the source: layers, circles, sizes and words (DESIGN: one direction, one concept a file)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "omnishot"
#: Packages and top modules, each of which may import from those before it. Those of one line do not import each other.
LAYERS = [
    ["errors"],
    ["core"],
    ["metrics"],
    ["table"],
    ["modality", "worlds", "datasets"],
    ["episodes"],
    ["nn"],
    ["objectives"],
    ["learners"],
    ["experiment"],
    ["evaluation"],
    ["runs"],
    ["html"],
    ["training"],
    ["analysis"],
    ["report"],
    ["serve"],
    ["demo"],
    ["cli"],
    ["__main__"],
]
#: Rooms at the top two levels together: the package and what lies in it.
MOST_ROOMS = 25
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 300, 60, 8
#: Words that are no names here, and the field's word in place of each.
NOT_OURS = {
    "told": "prediction, options", "untold": "initial_params", "said": "options, text", "seen": "inputs, encoded",
    "begun": "initial_state", "found": "results", "asked": "query, requested", "wanted": "expected, target",
    "measured": "scaled", "unmeasured": "inverse_transform", "outcome": "prediction and target", "pooled": "aggregate",
    "outcomes": "predictions", "spoiled": "corrupted", "outside": "open_set", "strangers": "unknown classes",
    "newcomer": "new_modality", "meeting": "new_modality", "gain": "improvement", "gains": "improvements",
    "moments": "time_steps", "slot": "token", "slots": "tokens", "absent": "imputation, missing", "filling": "imputer",
    "stress": "robustness", "standings": "leaderboard", "watching": "logging", "pulls": "signed_bars",
    "heat": "heatmap", "dealing": "class_split", "looks": "file_signatures", "trial": "autotune",
    "recompute": "checkpoint", "lead": "on_main", "share": "broadcast, fraction", "span": "shard",
    "tell": "add_hint, generate", "telling": "text objective",
}  # fmt: skip
#: True technical terms: (file, word).
TERMS = {
    ("worlds/ward", "outcome"),  # of a patient
    ("worlds/ward", "outcomes"),
    ("worlds/driving", "gain"),  # of a radar
    ("worlds/driving", "lead"),  # the vehicle ahead
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module by its dotted name below `omnishot`, parsed."""
    trees = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imports(name: str) -> Iterator[tuple[str, int]]:
    """What a module imports of the package, wherever in it, with the line; names of modules in full."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "omnishot":
            base = (node.module or "").removeprefix("omnishot").lstrip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                yield (full if full in modules() else base), node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "omnishot":
                    yield alias.name.removeprefix("omnishot").lstrip("."), node.lineno


def test_no_module_imports_from_a_later_layer():
    order = {room: i for i, layer in enumerate(LAYERS) for room in layer}
    upward = [
        f"{name}:{line} imports {other}"
        for name in modules()
        if name  # omnishot/__init__ names everything, and imports it when it is used
        for other, line in imports(name)
        if other
        and other.split(".")[0] != name.split(".")[0]
        and order[other.split(".")[0]] >= order[name.split(".")[0]]
    ]
    assert upward == []


def test_modules_import_each_other_in_no_circle():
    graph = {name: {other for other, _ in imports(name)} - {name, ""} for name in modules() if name}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_the_layers_are_the_tree():
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    known = {room for layer in LAYERS for room in layer}
    assert rooms - {"__init__"} <= known
    assert len(rooms) + 1 <= MOST_ROOMS


def functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Every function, and whether it is public: its options are then no part of what is counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, not node.name.startswith("_") or node.name == "__init__"


def test_files_and_functions_are_short_and_take_few_parameters():
    long = []
    for name, tree in modules().items():
        path = SOURCE / (name.replace(".", "/") + ".py")
        path = path if path.exists() else SOURCE / name.replace(".", "/") / "__init__.py"
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LONGEST_FILE:
            long.append(f"{name} has {lines} lines")
        for function, public in functions(tree):
            size = (function.end_lineno or function.lineno) - function.lineno + 1
            given = [a for a in (*function.args.posonlyargs, *function.args.args) if a.arg not in ("self", "cls")]
            count = len(given) + (0 if public else len(function.args.kwonlyargs))
            if size > LONGEST_FUNCTION:
                long.append(f"{name}.{function.name} has {size} lines")
            if count > MOST_PARAMETERS:
                long.append(f"{name}.{function.name} takes {count} parameters")
    assert long == []


def words(name: str) -> set[str]:
    """The words of an identifier, in lower case: `told_by`, `ToldBy` -> told, by."""
    return {w.lower() for part in name.split("_") for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", part)}


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that a module gives to something, with the line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.arg():
                yield node.arg, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno


@pytest.mark.parametrize("name", sorted({name.split(".")[0] for name in modules() if name}))
def test_names_are_the_fields_own_words(name):
    wrong = []
    for module, tree in modules().items():
        if module.split(".")[0] != name:
            continue
        place = "/".join(module.split(".")[:2])
        given = [*names(tree), (module.rsplit(".", 1)[-1], 1)]
        wrong += [
            f"{module}:{line} {each}: say {NOT_OURS[word]}"
            for each, line in given
            for word in words(each) & NOT_OURS.keys()
            if (place, word) not in TERMS
        ]
    assert wrong == []
