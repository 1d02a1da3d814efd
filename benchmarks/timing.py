"""What the benchmarks share: interleaved measurements, ratios to a reference, the machine, tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch


def interleave(contenders: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 1) -> dict[str, np.ndarray]:
    """Seconds that every contender takes, `[rounds]`, measured in turn (A B C A B C …).

    What else the machine does meanwhile then falls on all of them alike. The first `warmup` rounds do not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(warmup + rounds):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return {name: np.array(all_[warmup:]) for name, all_ in seconds.items()}


def compare(title: str, unit: str, amount: float, seconds: Mapping[str, np.ndarray], reference: str) -> list[dict]:
    """A record for every contender: `amount` of `unit` per second, and how many times the reference's rate that is.

    The rate is that of the median round. A ratio is taken within each round, between neighbours in time; its median
    and its quartiles over the rounds are given.
    """
    records = []
    for name, own in seconds.items():
        low, ratio, high = np.quantile(seconds[reference] / own, [0.25, 0.5, 0.75]).round(3).tolist()
        rate, best = amount / np.median(own), amount / own.min()
        records.append(
            {
                "benchmark": title,
                "name": name,
                "unit": f"{unit}/s",
                "rate": round(float(rate), 3),
                "best_rate": round(float(best), 3),
                "ratio": ratio,
                "ratio_quartiles": [low, high],
                "reference": reference,
                "rounds": len(own),
            }
        )
    return records


def machine(libraries: Iterable[str] = ()) -> dict[str, Any]:
    """The processor, the threads torch uses, what else ran, and the versions of what was measured."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", *libraries)},
    }


def markdown(records: list[dict], about: Mapping[str, Any]) -> str:
    """The records as a table, the machine in a line below it."""
    lines = ["| what | who | rate (median) | best round | ratio | quartiles |", "| --- | --- | --: | --: | --: | --: |"]
    for r in records:
        low, high = r["ratio_quartiles"]
        ratio = f"{r['ratio']:.2f} | {low:.2f}–{high:.2f}" if r["name"] != r["reference"] else "1 | "
        rates = f"{r['rate']:.4g} {r['unit']} | {r['best_rate']:.4g} {r['unit']}"
        lines.append(f"| {r['benchmark']} | {r['name']} | {rates} | {ratio} |")
    facts = ", ".join(f"{name} {value}" for name, value in about.items())
    return "\n".join([*lines, "", f"Machine: {facts}."])


def arguments(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds that count")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    return parser


def report(args: argparse.Namespace, records: list[dict], libraries: Iterable[str] = ()) -> None:
    """Print the table, and write the files that were asked for."""
    about = machine(libraries)
    table = markdown(records, about)
    print(table)
    if args.json:
        args.json.write_text(json.dumps({"machine": about, "figures": records}, indent=2) + "\n", encoding="utf-8")
    if args.markdown:
        args.markdown.write_text(table + "\n", encoding="utf-8")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
