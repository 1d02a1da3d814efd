"""How figures fall as inputs get worse, by noise, failures and attacks: of one run, or of several on the same tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.analysis.comparison.options import choose_all
from omnishot.analysis.robustness.degradation import ALL, CLEAN, NOISE, Measured, Robustness
from omnishot.analysis.robustness.page import write
from omnishot.core.distributed import join
from omnishot.episodes.loader import least
from omnishot.episodes.store import failing_inputs, named_inputs
from omnishot.errors import UsageError, choose
from omnishot.evaluation.attacks import ATTACKS, PGD_STEPS, attackable
from omnishot.evaluation.episodes import Figure
from omnishot.experiment.dataset import Dataset
from omnishot.modality.base import Modality
from omnishot.runs.run import Run

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Radii unless others are said, by kind of input, in the units of `Modality.reach`.
EPSILONS = {
    "image": (0.01, 0.02, 0.04, 0.08),
    "video": (0.01, 0.02, 0.04, 0.08),
    "audio": (0.0005, 0.001, 0.002, 0.004),
    "series": (0.05, 0.1, 0.2, 0.4),
    "tabular": (0.05, 0.1, 0.2, 0.4),
}


@dataclass(frozen=True)
class Condition:
    """One thing that is done to inputs, and how `Run.evaluate` is told."""

    what: str
    input: str
    at: float
    told: Mapping[str, Any]


def robustness(
    runs: Run | str | Path | Sequence[Run | str | Path],
    out: str | Path | None = None,
    *,
    levels: Sequence[float] = LEVELS,
    inputs: Sequence[str] | None = None,
    failures: Sequence[str] | None = None,
    attacks: Sequence[str] = (),
    epsilons: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    attack_steps: int = PGD_STEPS,
    ways: int | None = None,
    shots: int | None = None,
    queries: int | None = None,
    episodes: int = 200,
    split: str = "test",
    seed: int = 0,
    progress: bool = False,
) -> Robustness:
    """Measure runs under noise of every level, failures and attacks, all on the same tasks.

    Noise and failures are of support and query rows alike, as they are where a device is bad; attacks are of the query
    rows.

    Args:
        runs: one, or several trained on the same table and parts: the first one's tasks are everybody's.
        out: a page (`.html`) to write, with the figures (`.json`) and the curves (`.png`) beside it.
        levels: of noise, 0…1, on each input and on all of them together; none: no noise.
        inputs: those that are spoiled, by name or kind; None: every one.
        failures: those that inputs are to suffer; None: all that each of them has.
        attacks: `fgsm`, `pgd`; on each input that can be attacked.
        epsilons: radii, for all of these inputs or by input or kind; None: `EPSILONS`.
        attack_steps: of pgd.
        ways, shots, queries, episodes, split, seed: of the tasks, as `Run.evaluate` takes them.

    Raises:
        UsageError: for runs that cannot be measured on the same tasks, or something to be done to an input that it
            cannot suffer.
        DataError: as `Run.evaluate`.
    """
    if join().world > 1:
        raise UsageError("robustness is one process's work: leave torchrun out")
    if out is not None and Path(out).suffix != ".html":
        raise UsageError(f"the page's file name must end in .html, not {Path(out).name!r}")
    opened = _opened(runs)
    first = next(iter(opened.values()))
    modalities = first.learner.network.modalities
    spoiled = list(modalities) if inputs is None else list(named_inputs(inputs, modalities))
    for attack in attacks:
        choose("attack", attack, ATTACKS)
    conditions = [
        *_noises(spoiled, levels),
        *_failures(spoiled, failures, modalities),
        *_attacks(spoiled, attacks, epsilons, attack_steps, modalities),
    ]
    task = {
        "ways": ways or least(first.record.ways),
        "shots": shots or least(first.config.shots),
        "queries": queries,
        "episodes": episodes,
        "split": split,
        "seed": seed,
    }
    data = {name: run.dataset() for name, run in opened.items()}
    _check_alike(opened, data)
    found: list[Measured] = []
    for name, run in opened.items():
        for condition in (Condition(CLEAN, ALL, 0.0, {}), *conditions):
            figure = _figure(run, data[name], task | dict(condition.told), progress)
            found.append(Measured(name, condition.what, condition.input, condition.at, figure))
    result = Robustness(tuple(found))
    if out is not None:
        write(result, Path(out))
    return result


def _noises(inputs: Sequence[str], levels: Sequence[float]) -> Iterator[Condition]:
    """Each input at each level, and if there are several all together; level 0 is measured once for all."""
    for level in levels:
        if not 0 <= level <= 1:
            raise UsageError(f"a level of noise must lie between 0 and 1, not {level}")
    groups = {name: [name] for name in inputs} | ({ALL: list(inputs)} if len(inputs) > 1 else {})
    for label, group in groups.items():
        for level in sorted({*levels} - {0.0}):
            yield Condition(NOISE, label, level, {"noise": dict.fromkeys(group, level)})


def _failures(
    inputs: Sequence[str], said: Sequence[str] | None, modalities: Mapping[str, Modality]
) -> Iterator[Condition]:
    for name in inputs:
        for failure in modalities[name].failures:
            if said is None or failure in said:
                yield Condition(failure, name, 0.0, {"failure": {name: failure}})
    for failure in said or ():
        if not any(failure in modalities[name].failures for name in inputs):
            failing_inputs({inputs[0]: failure}, modalities)  # says what it has instead


def _attacks(
    inputs: Sequence[str],
    attacks: Sequence[str],
    epsilons: Sequence[float] | Mapping[str, Sequence[float]] | None,
    steps: int,
    modalities: Mapping[str, Modality],
) -> Iterator[Condition]:
    if epsilons is not None and not attacks:
        raise UsageError("epsilons are an attack's: say which attacks (attacks, --attack fgsm,pgd)")
    able = [name for name in inputs if attackable(modalities[name])]
    if attacks and not able:
        raise UsageError(
            f"none of {', '.join(inputs)} can be attacked: pictures, videos, sounds, series and numbers can"
        )
    for name, own in _radii(epsilons, able, modalities).items():
        for attack in choose_all("attack", attacks, ATTACKS) if attacks else ():
            for radius in sorted({*own} - {0.0}):
                told = {"attack": attack, "epsilon": {name: radius}}
                yield Condition(attack, name, radius, told | ({"attack_steps": steps} if attack == "pgd" else {}))


def _radii(
    epsilons: Sequence[float] | Mapping[str, Sequence[float]] | None,
    able: Sequence[str],
    modalities: Mapping[str, Modality],
) -> dict[str, Sequence[float]]:
    """The radii of each input that is attacked."""
    if epsilons is None:
        return {name: EPSILONS[modalities[name].kind] for name in able}
    if not isinstance(epsilons, Mapping):
        return dict.fromkeys(able, epsilons)
    return {each: radii for said, radii in epsilons.items() for each in named_inputs([said], modalities)}


def _figure(run: Run, data: Dataset, told: Mapping[str, Any], progress: bool) -> Figure:
    return run.evaluate(data, subsets=False, save=False, progress=progress, **told).figures[0]


def _opened(runs: Run | str | Path | Sequence[Run | str | Path]) -> dict[str, Run]:
    """Runs by the names of their folders, or by the whole paths where two have the same."""
    every = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    opened = [run if isinstance(run, Run) else Run.load(run) for run in every]
    if not opened:
        raise UsageError("no run is given: give one, or several to compare")
    names = [run.folder.resolve().name for run in opened]
    names = [str(run.folder) for run in opened] if len({*names}) < len(names) else names
    if len({*names}) < len(names):
        raise UsageError(f"a run is given twice: {', '.join(names)}")
    return dict(zip(names, opened, strict=True))


def _check_alike(runs: Mapping[str, Run], data: Mapping[str, Dataset]) -> None:
    """Raises UsageError unless all runs read the same inputs and test on the same rows."""
    (name, first), *others = runs.items()
    for other, run in others:
        inputs, own = list(first.learner.network.modalities), list(run.learner.network.modalities)
        if own != inputs:
            said = f"the run {other} reads {', '.join(own)}, {name} {', '.join(inputs)}"
            raise UsageError(f"{said}: give runs that read the same inputs")
        same = run.record.fingerprint == first.record.fingerprint
        if not same or not np.array_equal(data[other].parts, data[name].parts):
            what = "deals its table into other parts" if same else "was trained on another table"
            raise UsageError(f"the run {other} {what} than {name}: their tasks cannot be the same")
