"""Every benchmark, each in a process of its own, and one table of all their figures.

    python benchmarks/run_all.py --out figures            # figures.json and figures.md
    python benchmarks/run_all.py --out figures --quick    # a round of little work each: does everything run?
    python benchmarks/run_all.py --out figures --only meta_step sampling

Every script of this folder is a benchmark that takes what `timing.arguments` gives, but for NOT_BENCHMARKS. One
that fails is named at the end and makes the exit code 1; the figures of the others are written all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import timing

FOLDER = Path(__file__).resolve().parent
NOT_BENCHMARKS = ("contenders", "run_all", "timing")
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NOT_BENCHMARKS)
#: The options of scripts that run more than once.
VARIANTS: dict[str, tuple[str, ...]] = {
    "meta_step": ("", "--learner maml --inner-steps 5", "--learner maml --first-order"),
}
#: What makes a script's rounds short.
LITTLE = {
    "large_table": "--rows 10000 --checked 10000",
    "meta_step": "--tasks 2",
    "networks": "--tasks 2 --steps 1",
    "sampling": "--batches 2",
    "waiting": "--steps 2",
}


def run_script(script: str, options: str, threads: int | None) -> dict[str, Any] | None:
    """What a benchmark reports, with its command and seconds; None if it fails. Its own output goes to stderr."""
    command = shlex.join([f"{script}.py", *shlex.split(options)])
    print(f"\n### {command}", file=sys.stderr, flush=True)
    environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report_file = Path(folder) / "figures.json"
        call = [sys.executable, str(FOLDER / f"{script}.py"), *shlex.split(options), "--json", str(report_file)]
        if subprocess.run(call, stdout=sys.stderr, env=environment, check=False).returncode or not report_file.exists():
            return None
        report = json.loads(report_file.read_text(encoding="utf-8"))
    return {"command": command, "seconds": round(time.perf_counter() - began, 1), **report}


def markdown(reports: list[dict], failed: list[str]) -> str:
    """All figures in one table; below it, what each command ran on."""
    table = timing.comparison([figure for report in reports for figure in report["figures"]])
    ran = [f"- `{r['command']}` ({r['seconds']:.0f} s): {timing.facts(r['machine'])}" for r in reports]
    return "\n".join([*table, "", *ran, *(f"- `{command}` **failed**" for command in failed)]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="STEM", help="STEM.json, STEM.md")
    parser.add_argument("--quick", action="store_true", help="a round of little work each")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument("--threads", type=int, metavar="N", help="of each process (as the environment says)")
    args = parser.parse_args()
    reports, failed = [], []
    for script in args.only:
        for variant in VARIANTS.get(script, ("",)):
            options = f"{variant} --rounds 1 {LITTLE.get(script, '')}" if args.quick else variant
            report = run_script(script, options, args.threads)
            if report:
                reports.append(report)
            else:
                failed.append(f"{script}.py {options}")
    figures = [
        {**figure, "command": report["command"], "machine": report["machine"]}
        for report in reports
        for figure in report["figures"]
    ]
    text = markdown(reports, failed)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.with_suffix(".md").write_text(text, encoding="utf-8")
    written = json.dumps({"figures": figures, "failed": failed}, indent=2, ensure_ascii=False)
    args.out.with_suffix(".json").write_text(written + "\n", encoding="utf-8")
    print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
