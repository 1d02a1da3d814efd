"""The README of avMNIST, from all results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from recipes import PUBLISHED, RECIPES
from results import HERE, SETS, Results, figure, gain


def page(folder: Path) -> str:
    """The README."""
    text = (HERE / "about.md").read_text(encoding="utf-8")
    for name, recipe in RECIPES.items():
        of = {share: Results(folder, name, share, False) for share in recipe.shares}
        validated = {share: Results(folder, name, share, True) for share in recipe.shares}
        text = text.replace(f"TABLE {name}", "\n".join([*table(of, validated), "", verdict(of)]))
    return text


def table(of: dict[float, Results], validated: dict[float, Results]) -> list[str]:
    """A row for each share of sound, that of the images alone first."""
    lines = [
        "| sound | 450 test rows | gain | all 10,000 | gain | held-out training rows | published, 450 | trainings |"
    ]
    lines += ["|---" * 8 + "|"]
    for share, results in of.items():
        if not results.of:
            continue
        cells = [f"{100 * share:.0f}%" if share else "none"]
        for rows in SETS:
            cells.append(_said(figure([record[rows] for record in results.of])))
            cells.append(_said(gain(results, of[0.0], rows), sign="+") if share else "")
        held = [record["held out"] for record in validated[share].of]
        papers = [f"{who.split(',')[0]} {at[share]:.2f}" for who, at in PUBLISHED.items() if share in at]
        seconds = np.mean([record["seconds"] for record in results.of])
        cells += [f"{100 * np.mean(held):.2f}" if held else "–", ", ".join(papers) or "–"]
        lines.append(f"| {' | '.join(cells)} | {len(results.of)} of {seconds:.0f} s |")
    return lines


def verdict(of: dict[float, Results]) -> str:
    """At which shares sound gains, its interval above zero, and where figures are above all that is published."""
    heard = {share: results for share, results in of.items() if share and results.of}
    said = []
    for rows, called in SETS.items():
        gains = {share: gain(results, of[0.0], rows) for share, results in heard.items()}
        sure = [f"{100 * share:.0f}%" for share, g in gains.items() if g and g["ci95"] and g["mean"] > g["ci95"]]
        said.append(f"{', '.join(sure) or 'no share'} ({called})")
    text = f"A gain whose interval lies above zero: {'; '.join(said)}."
    best = {share: max(at.get(share, 0) for at in PUBLISHED.values()) for share in heard}
    above = [
        f"{100 * share:.0f}%"
        for share, results in heard.items()
        if best[share] and 100 * figure([r["last"] for r in results.of])["mean"] > best[share]
    ]
    return f"{text} Above every published figure: {', '.join(above)}." if any(best.values()) and above else text


def _said(figure: dict[str, Any] | None, sign: str = "") -> str:
    if figure is None:
        return "–"
    half = "" if figure["ci95"] is None else f" ± {100 * figure['ci95']:.2f}"
    return f"{100 * figure['mean']:{sign}.2f}{half}"
