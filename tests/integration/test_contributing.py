"""CONTRIBUTING.md: the way of a cell names files and functions that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STEP = re.compile(r"^\| (\d+) \| `([\w/.]+)` \| `([\w.]+)` \|", re.MULTILINE)


def test_every_step_from_a_cell_to_an_answer_stands_where_it_says():
    steps = STEP.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert [int(number) for number, _, _ in steps] == list(range(1, len(steps) + 1))
    assert 6 <= len(steps) <= 12
    for _, file, name in steps:
        body: list[ast.stmt] = ast.parse((ROOT / "src" / "omnishot" / file).read_text(encoding="utf-8")).body
        for part in name.split("."):
            nodes = [n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == part]
            assert len(nodes) == 1, f"{file} has no {name}"
            body = nodes[0].body


def test_every_file_and_folder_that_it_names_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w./]+(?:/|\.py|\.md))`", text) if "NAME" not in name]
    assert len(named) > 15
    for name in named:
        places = (ROOT / name, ROOT / "src" / "omnishot" / name)
        assert any(place.exists() for place in places), name
