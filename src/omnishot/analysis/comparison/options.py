"""The options of a comparison: those of all learners, and those of a single learner, given under its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnishot.errors import UsageError, choose, nearest
from omnishot.experiment.config import Config
from omnishot.learners import LEARNERS

#: Options that define the test tasks and the budget: every learner has the same.
SHARED = ("learner", "fusion", "steps", "seed", "ways", "shots", "skip_bad")
#: Options that a comparison sets itself.
GRID = ("learner", "fusion", "steps")


def choose_all(kind: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names without repetitions.

    Raises:
        UsageError: if there are none, or one is not among the known names.
    """
    if isinstance(names, str) or not names:
        raise UsageError(f"give a list of {kind}s, not {names!r}; known: {', '.join(known)}")
    return list(dict.fromkeys(choose(kind, name, known) for name in names))


def learner_options(
    learner: str, learners: Sequence[str], options: Mapping[str, Any], inputs: Mapping[str, str]
) -> dict[str, Any]:
    """The options of one learner; its own replace those of all learners.

    Args:
        learners: all learners of the comparison.
        options: of all learners, and by the name of a learner its own (a mapping, or dotted: `maml.inner_steps`).
        inputs: kind of each input by name.

    Raises:
        UsageError: for options of a learner that is not compared, for an option in SHARED given to a single learner,
            and for a common option that this learner lacks while others have it.
    """
    common: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in options.items():
        place, dot, rest = name.partition(".")
        if name in GRID:
            raise UsageError(f"{name!r} is set by the comparison: give learners, fusions, and minutes or steps")
        if place not in LEARNERS.names():
            _check_common(learner, place, name, learners, inputs)
            common[name] = value
        elif place in inputs or place not in learners:
            reason = "is a learner and an input: rename the column" if place in inputs else nearest(place, learners)
            raise UsageError(f"options of {place!r}, which is not among the learners compared or {reason}")
        elif not dot and not isinstance(value, Mapping):
            raise UsageError(f"{place!r} is a learner: give its options as {place}={{…}} (--{place}.OPTION VALUE)")
        elif place == learner:
            own |= {rest: value} if dot else value
    for name in own:
        if name in SHARED:
            raise UsageError(f"{name!r} must be the same for all learners compared: give it without {learner}")
    return _flat(common) | _flat(own)


def _check_common(learner: str, place: str, name: str, learners: Sequence[str], inputs: Mapping[str, str]) -> None:
    """Raise UsageError for a common option that this learner lacks while others have it."""
    if place in {f.name for f in dataclasses.fields(Config)} | set(inputs) | set(inputs.values()):
        return
    own, having = LEARNERS.options(learner), [each for each in learners if place in LEARNERS.options(each)]
    if having and place not in own:
        dashed = name.replace("_", "-")
        raise UsageError(
            f"no option {name!r} for learner {learner!r}: {nearest(name, own)}. {', '.join(having)} "
            f"{'have' if len(having) > 1 else 'has'} it: give it to {having[0]} alone, {having[0]}.{name} "
            f"(--{having[0]}.{dashed})"
        )


def settings(config: Config) -> dict[str, Any]:
    """The options of a config without those that the comparison sets itself."""
    return {name: value for name, value in config.to_options().items() if name not in GRID}


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Nested options as dotted names (`image.size`), so that a single one can be replaced."""
    flat: dict[str, Any] = {}
    for name, value in options.items():
        flat |= {f"{name}.{own}": each for own, each in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat


def differences(before: Any, now: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(name, value before, value now) wherever two trees of plain values differ."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*before, *now)):
            yield from differences(before.get(name), now.get(name), f"{place}.{name}".removeprefix("."))
    elif before != now:
        yield place.removeprefix("options.").removeprefix("budget."), before, now
