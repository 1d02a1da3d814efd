"""Summaries of tables."""

from __future__ import annotations

from omnishot.table.describing import example


def test_a_list_of_texts_is_shown_by_its_first():
    assert example(["a dog runs", "a brown dog"]) == "a dog runs (and 1 more)"
    assert example(["red"]) == "red"
    assert example([[1, 2], [3, 4]]) == "<array 2×2>"
