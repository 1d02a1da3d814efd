"""How figures fall as inputs get worse, by noise, failures and attacks: of one run, or of several on the same tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.analysis.comparison.options import choose_all
from omnishot.analysis.robustness.degradation import ALL, CLEAN, NOISE, Point, Robustness
from omnishot.analysis.robustness.page import write
from omnishot.core.distributed import join
from omnishot.episodes.attack import ATTACKS, PGD_STEPS, SCHEDULES, attack_of, attackable
from omnishot.episodes.corruption import Corruption
from omnishot.episodes.inputs import failures_by_input, input_names
from omnishot.episodes.loader import least
from omnishot.errors import UsageError, choose
from omnishot.evaluation.figure import Figure
from omnishot.evaluation.protocol import Protocol, evaluation_ways
from omnishot.experiment.dataset import Dataset
from omnishot.modality.base import Modality
from omnishot.runs.run import Run

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
EPISODES = 200
TASK_OPTIONS = ("ways", "shots", "queries", "episodes", "split", "seed")
#: Default radii by kind of input, in the units of `Modality.reach`.
EPSILONS = {
    "image": (0.01, 0.02, 0.04, 0.08),
    "video": (0.01, 0.02, 0.04, 0.08),
    "audio": (0.0005, 0.001, 0.002, 0.004),
    "series": (0.05, 0.1, 0.2, 0.4),
    "tabular": (0.05, 0.1, 0.2, 0.4),
}


@dataclass(frozen=True)
class Condition:
    """One thing that is done to inputs.

    Args:
        what: `noise`, a failure or an attack.
        input: the input's name, or `all inputs`.
        at: level or radius, 0 for a failure.
        corruption: the same, for the evaluation.
    """

    what: str
    input: str
    at: float
    corruption: Corruption


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
    progress: bool = False,
    **tasks: Any,
) -> Robustness:
    """Evaluate runs under noise of every level, failures and attacks, all on the same tasks.

    Noise and failures are of support and query rows alike, as they are where a device is bad; attacks are of the query
    rows.

    Args:
        runs: one, or several trained on the same table and parts; tasks are shaped as the first one's.
        out: a page (`.html`) to write, with the figures (`.json`) and the curves (`.png`) beside it.
        levels: of noise, 0…1, on each input and on all of them together; none: no noise.
        inputs: those that are corrupted, by name or kind; None: every one.
        failures: names of failures; None: all that each input has.
        attacks: `fgsm`, `pgd`; on each input that can be attacked.
        epsilons: radii of attacks, for all of these inputs or by input or kind; None: `EPSILONS`.
        attack_steps: number of steps of pgd.
        tasks: `ways`, `shots`, `queries`, `episodes` (200), `split` and `seed`, as of `Run.evaluate`.

    Raises:
        UsageError: for runs that cannot be evaluated on the same tasks, or a corruption that an input does not have.
        DataError: as `Run.evaluate`.
    """
    if join().world > 1:
        raise UsageError("robustness is one process's work: leave torchrun out")
    if out is not None and Path(out).suffix != ".html":
        raise UsageError(f"the page's file name must end in .html, not {Path(out).name!r}")
    opened = _opened(runs)
    first = next(iter(opened.values()))
    modalities = first.learner.network.modalities
    names = list(modalities) if inputs is None else list(input_names(inputs, modalities))
    conditions = [
        Condition(CLEAN, ALL, 0.0, Corruption()),
        *_noises(names, levels),
        *_failures(names, failures, modalities),
        *_attacks(names, attacks, epsilons, attack_steps, modalities),
    ]
    data = {name: run.dataset() for name, run in opened.items()}
    protocol = _protocol(first, next(iter(data.values())), tasks)
    _check_alike(opened, data)
    result = Robustness(tuple(
        Point(name, each.what, each.input, each.at, _figure(run, data[name], protocol, each, progress))
        for name, run in opened.items() for each in conditions
    ))  # fmt: skip
    if out is not None:
        write(result, Path(out))
    return result


def _protocol(first: Run, data: Dataset, tasks: Mapping[str, Any]) -> Protocol:
    """The tasks of all runs, shaped as the first run evaluates unless options say otherwise."""
    for name in tasks:
        choose("option", name, TASK_OPTIONS)
    shape = {"shots": least(first.config.shots)}
    options = {name: value for name, value in tasks.items() if value is not None}
    protocol = Protocol(**{"episodes": EPISODES, "subsets": False, **shape, **options})
    if protocol.ways is not None or first.record.ways is None:
        return protocol
    tasks_of_part = data.tasks(protocol.split, protocol.shots or 1, protocol.queries, skip_small=first.config.skip_bad)
    return dataclasses.replace(protocol, ways=evaluation_ways(least(first.record.ways), tasks_of_part))


def _noises(inputs: Sequence[str], levels: Sequence[float]) -> Iterator[Condition]:
    """Each input at each level, and if there are several all together; level 0 is the clean figure."""
    for level in levels:
        if not 0 <= level <= 1:
            raise UsageError(f"a level of noise must lie between 0 and 1, not {level}")
    groups = {name: [name] for name in inputs} | ({ALL: list(inputs)} if len(inputs) > 1 else {})
    for label, group in groups.items():
        for level in sorted({*levels} - {0.0}):
            yield Condition(NOISE, label, level, Corruption(noise=dict.fromkeys(group, level)))


def _failures(
    inputs: Sequence[str], requested: Sequence[str] | None, modalities: Mapping[str, Modality]
) -> Iterator[Condition]:
    for name in inputs:
        for failure in modalities[name].failures:
            if requested is None or failure in requested:
                yield Condition(failure, name, 0.0, Corruption(failure={name: failure}))
    for failure in requested or ():
        if not any(failure in modalities[name].failures for name in inputs):
            failures_by_input({inputs[0]: failure}, modalities)  # raises: no input has it


def _attacks(
    inputs: Sequence[str],
    attacks: Sequence[str],
    epsilons: Sequence[float] | Mapping[str, Sequence[float]] | None,
    steps: int,
    modalities: Mapping[str, Modality],
) -> Iterator[Condition]:
    if epsilons is not None and not attacks:
        raise UsageError("epsilons need attacks: say which (attacks, --attack fgsm,pgd)")
    able = [name for name in inputs if attackable(modalities[name])]
    chosen = choose_all("attack", attacks, ATTACKS) if attacks else ()
    if attacks and not able:
        raise UsageError(
            f"none of {', '.join(inputs)} can be attacked: pictures, videos, sounds, series and numbers can"
        )
    for name, radii in _radii(epsilons, able, modalities).items():
        for attack in chosen:
            for radius in sorted({*radii} - {0.0}):
                own_steps = steps if SCHEDULES[attack].steps > 1 else None
                spec = attack_of(attack, {name: radius}, modalities, own_steps)
                yield Condition(attack, name, radius, Corruption(attack=spec))


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
    return {each: radii for name, radii in epsilons.items() for each in input_names([name], modalities)}


def _figure(run: Run, data: Dataset, protocol: Protocol, condition: Condition, progress: bool) -> Figure:
    protocol = dataclasses.replace(protocol, corruption=condition.corruption)
    return run.follow(protocol, data, save=False, progress=progress).figures[0]


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
            reads = f"the run {other} reads {', '.join(own)}, {name} {', '.join(inputs)}"
            raise UsageError(f"{reads}: give runs that read the same inputs")
        same = run.record.fingerprint == first.record.fingerprint
        if not same or not np.array_equal(data[other].parts, data[name].parts):
            what = "splits its table into other parts" if same else "was trained on another table"
            raise UsageError(f"the run {other} {what} than {name}: their tasks cannot be the same")
