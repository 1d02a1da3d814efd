"""The README of avMNIST, from all results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from recipes import PUBLISHED, RECIPES
from results import HERE, SETS, Results, figure, improvement


def page(folder: Path) -> str:
    """The README."""
    text = (HERE / "about.md").read_text(encoding="utf-8")
    for name, recipe in RECIPES.items():
        of = {fraction: Results(folder, name, fraction, False) for fraction in recipe.shares}
        validated = {fraction: Results(folder, name, fraction, True) for fraction in recipe.shares}
        text = text.replace(f"TABLE {name}", "\n".join([*table(of, validated), "", verdict(of)]))
    return text


def table(of: dict[float, Results], validated: dict[float, Results]) -> list[str]:
    """A row for each fraction of sound, that of the images alone first."""
    lines = [
        "| sound | 450 test rows | gain | all 10,000 | gain | held-out training rows | published, 450 | trainings |"
    ]
    lines += ["|---" * 8 + "|"]
    for fraction, results in of.items():
        if not results.of:
            continue
        cells = [f"{100 * fraction:.0f}%" if fraction else "none"]
        for rows in SETS:
            cells.append(_text(figure([record[rows] for record in results.of])))
            cells.append(_text(improvement(results, of[0.0], rows), sign="+") if fraction else "")
        held = [record["held out"] for record in validated[fraction].of]
        papers = [f"{who.split(',')[0]} {at[fraction]:.2f}" for who, at in PUBLISHED.items() if fraction in at]
        seconds = np.mean([record["seconds"] for record in results.of])
        cells += [f"{100 * np.mean(held):.2f}" if held else "–", ", ".join(papers) or "–"]
        lines.append(f"| {' | '.join(cells)} | {len(results.of)} of {seconds:.0f} s |")
    return lines


def verdict(of: dict[float, Results]) -> str:
    """The fractions whose improvement by sound is above zero, and those above every published figure."""
    heard = {fraction: results for fraction, results in of.items() if fraction and results.of}
    parts = []
    for rows, called in SETS.items():
        improvements = {fraction: improvement(results, of[0.0], rows) for fraction, results in heard.items()}
        sure = [
            f"{100 * fraction:.0f}%"
            for fraction, g in improvements.items()
            if g and g["ci95"] and g["mean"] > g["ci95"]
        ]
        parts.append(f"{', '.join(sure) or 'no share'} ({called})")
    text = f"A gain whose interval lies above zero: {'; '.join(parts)}."
    best = {fraction: max(at.get(fraction, 0) for at in PUBLISHED.values()) for fraction in heard}
    above = [
        f"{100 * fraction:.0f}%"
        for fraction, results in heard.items()
        if best[fraction] and 100 * figure([r["last"] for r in results.of])["mean"] > best[fraction]
    ]
    return f"{text} Above every published figure: {', '.join(above)}." if any(best.values()) and above else text


def _text(figure: dict[str, Any] | None, sign: str = "") -> str:
    if figure is None:
        return "–"
    half = "" if figure["ci95"] is None else f" ± {100 * figure['ci95']:.2f}"
    return f"{100 * figure['mean']:{sign}.2f}{half}"
