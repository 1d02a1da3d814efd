"""One learner for unlike functions: sinusoids, lines and quadratics mixed, the error on new ones of each family.

Tasks are drawn fresh at every step, as many of each family (ranges: `omnishot.worlds.functions`); 10 shots. Figures are
kept in the JSON file and trainings in their folder, so that the command goes on where it was stopped, and learners can
be measured one by one. Beside the mean over the families the fraction of MAML's error that is left is given.
"""

from __future__ import annotations

from typing import Any

import functions
import studies
import torch
from functions import Functions

from omnishot.learners.base import Learner
from omnishot.worlds.functions import FAMILIES

REFERENCE = "maml"


def evaluate(study: Functions, name: str, learner: Learner, rated: dict[float, Learner]) -> dict[str, Any]:
    """Figures of a trained learner by family, and over all; `rated` as for sinusoids alone."""
    rate = None
    if rated:
        rate = functions.tune(study, rated, study.shots)
        learner = rated[rate]
    n = len(study.families)
    error = functions.errors(learner, study.new(functions.TEST, study.shots, n * study.episodes))
    parts = {family: error[i::n] for i, family in enumerate(study.families)} | {"all": error}
    return {
        "tuned_rate": rate,
        "figures": [functions.figure(of, name, study.shots, {"family": family}) for family, of in parts.items()],
    }


def table(records: dict[str, dict[str, Any]]) -> list[str]:
    """One line a learner, that with the least error first."""
    of = {name: {f["family"]: f["mean"] for f in record["figures"]} for name, record in records.items()}
    columns = [*FAMILIES, "all"]
    lines = [
        f"| learner | {' | '.join(columns)} | of `{REFERENCE}`'s error | meta-training |",
        f"| --- | {'--: | ' * len(columns)}--: | --- |",
    ]
    for name in sorted(records, key=lambda name: of[name]["all"]):
        cells = [studies.cell(records[name]["figures"], family=family) for family in columns]
        fraction = f"{of[name]['all'] / of[REFERENCE]['all']:.2f}" if REFERENCE in of else "–"
        rate = records[name]["tuned_rate"]
        how = studies.how(records[name]) + (f", step size {rate} by validation" if rate else "")
        lines.append(f"| {name} | {' | '.join(cells)} | {fraction} | {how} |")
    return lines


def main() -> None:
    parser = studies.arguments(__doc__, "mixture", steps=30_000, tuning_steps=500, episodes=1000)
    parser.add_argument("--width", type=int, nargs="+", default=[40, 40], help="of the perceptron's layers")
    args = parser.parse_args()
    torch.set_num_threads(1)
    study = Functions(tuple(FAMILIES), 24, tuple(args.width), args.steps, args.tuning_steps, args.episodes)
    records = studies.Records(args.json, study)
    names = args.learners.split(",") if args.learners else studies.names("regress")
    for name in records.missing(names, args.again):
        learner, record = studies.trained(study, name, {}, args.runs / name, args.minutes)
        rated = functions.with_rates(study, learner, record)
        records.add(name, record | evaluate(study, name, learner, rated))
        print("\n".join(table(records.by_name)), flush=True)
    studies.report(table(records.by_name), args.markdown)


if __name__ == "__main__":
    main()
