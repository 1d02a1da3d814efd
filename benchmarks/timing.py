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

#: Records as the lines of a Markdown table.
Lines = Callable[[list[dict]], list[str]]


def stopwatch(run: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def interleave(
    contenders: Mapping[str, Callable[[], Any]],
    rounds: int,
    warmup: int = 1,
    clock: Callable[[Callable[[], Any]], float] = stopwatch,
) -> dict[str, np.ndarray]:
    """Seconds that every contender takes by the `clock`, `[rounds]`, measured in turn (A B C A B C …).

    What else the machine does meanwhile then falls on all of them alike. The first `warmup` rounds do not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(warmup + rounds):
        for name, run in contenders.items():
            seconds[name].append(clock(run))
    return {name: np.array(all_[warmup:]) for name, all_ in seconds.items()}


def compare(
    title: str,
    unit: str,
    amount: float,
    seconds: Mapping[str, np.ndarray],
    reference: str,
    at_least: float | None = None,
) -> list[dict]:
    """A record for every contender: `amount` of `unit` per second, and how many times the reference's rate that is.

    The rate is that of the median round. A ratio is taken within each round, between neighbours in time; its median
    and its quartiles over the rounds are given. `at_least` is the ratio required of the first contender.
    """
    records = []
    first = next(iter(seconds))
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
                **_required(ratio, at_least=at_least if name == first else None, unit="×"),
            }
        )
    return records


def figure(
    title: str,
    name: str,
    values: Iterable[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> dict:
    """A record of something measured once or several times: the median, the quartiles, and the required value."""
    rounds = np.array(list(values), dtype=float)
    low, value, high = (float(f"{v:.4g}") for v in np.quantile(rounds, [0.25, 0.5, 0.75]))
    return {
        "benchmark": title,
        "name": name,
        "unit": unit,
        "value": value,
        "quartiles": [low, high],
        "rounds": len(rounds),
        **_required(value, at_most, at_least, f" {unit}"),
    }


def _required(
    value: float, at_most: float | None = None, at_least: float | None = None, unit: str = ""
) -> dict[str, Any]:
    if at_most is not None:
        return {"required": f"≤ {at_most:g}{unit}", "met": value <= at_most}
    return {} if at_least is None else {"required": f"≥ {at_least:g}{unit}", "met": value >= at_least}


def machine(libraries: Iterable[str] = ()) -> dict[str, Any]:
    """The processor, the threads torch uses, what else ran, and the versions of what was measured."""
    accelerator = torch.accelerator.current_accelerator()
    name = getattr(torch.get_device_module(accelerator), "get_device_name", None) if accelerator else None
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "accelerator": name() if name else accelerator and accelerator.type,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", *libraries)},
    }


def comparison(records: list[dict]) -> list[str]:
    """Records of any kind as a table."""
    return [
        "| what | who | median | spread | ratio | quartiles | required |",
        "| --- | --- | --: | --: | --: | --: | --: |",
        *(f"| {r['benchmark']} | {r.get('name', '')} | {_cells(r)} | {_verdict(r)} |" for r in records),
    ]


def facts(about: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return ", ".join(f"{name} {value}" for name, value in about.items())


def _cells(record: dict) -> str:
    """Median, its spread, ratio and quartiles of a record of `compare` or `figure`; of others, all fields."""
    if "value" in record:
        low, high = record["quartiles"]
        spread = f"{low:.4g}–{high:.4g}" if record["rounds"] > 1 else ""
        return f"{record['value']:.4g} {record['unit']} | {spread} |  | "
    if "rate" in record:
        low, high = record["ratio_quartiles"]
        own = record["name"] == record["reference"]
        ratio = "1 | " if own else f"{record['ratio']:.2f} | {low:.2f}–{high:.2f}"
        return f"{record['rate']:.4g} {record['unit']} | best {record['best_rate']:.4g} | {ratio}"
    known = ("benchmark", "name", "required", "met", "machine")
    return f"{', '.join(f'{k} {v}' for k, v in record.items() if k not in known)} |  |  | "


def _verdict(record: dict) -> str:
    return f"{record['required']}: {'yes' if record['met'] else '**no**'}" if "required" in record else ""


def arguments(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds that count")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    return parser


def report(
    args: argparse.Namespace, records: list[dict], libraries: Iterable[str] = (), lines: Lines | None = None
) -> None:
    """Print the table (`lines` of it; by default those of `comparison`), and write the requested files."""
    about = machine(libraries)
    table = "\n".join([*(lines or comparison)(records), "", f"Machine: {facts(about)}."])
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
