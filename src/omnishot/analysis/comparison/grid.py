"""What is said for a comparison: of all learners alike, and of one by its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnishot.errors import UsageError, choose, nearest
from omnishot.experiment.config import Config
from omnishot.learners import LEARNERS

#: What makes the test tasks and the budget: it is said for all learners alike.
ALIKE = ("learner", "fusion", "steps", "seed", "ways", "shots", "skip_bad")


def several(kind: str, said: Sequence[str], known: Sequence[str]) -> list[str]:
    """Names, each of which must be known; one said twice counts once."""
    if isinstance(said, str) or not said:
        raise UsageError(f"give a list of {kind}s, not {said!r}; known: {', '.join(known)}")
    return list(dict.fromkeys(choose(kind, name, known) for name in said))


def options_of(
    learner: str, learners: Sequence[str], said: Mapping[str, Any], inputs: Mapping[str, str]
) -> dict[str, Any]:
    """The options of one learner: what is said for all, and before that what is said for it alone.

    Raises:
        UsageError: for what is said for a learner that is not compared, what is not to differ, or what it lacks while
            others have it.
    """
    common: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in said.items():
        place, dot, rest = name.partition(".")
        if name in ("learner", "fusion", "steps"):
            raise UsageError(f"{name!r} is what a comparison settles: say learners, fusions, and minutes or steps")
        if place not in LEARNERS.names():
            _check_shared(learner, place, name, learners, inputs)
            common[name] = value
        elif place in inputs or place not in learners:
            what = "is a learner and an input: rename the column" if place in inputs else nearest(place, learners)
            raise UsageError(f"options of {place!r}, which is not among the learners compared or {what}")
        elif not dot and not isinstance(value, Mapping):
            raise UsageError(f"{place!r} is a learner: say its options, as in {place}={{…}} (--{place}.OPTION VALUE)")
        elif place == learner:
            own |= {rest: value} if dot else value
    for name in own:
        if name in ALIKE:
            raise UsageError(f"{name!r} is the same for all that is compared: say it without {learner}")
    return _flat(common) | _flat(own)


def _check_shared(learner: str, place: str, name: str, learners: Sequence[str], inputs: Mapping[str, str]) -> None:
    """Refuse what is said for all if this learner lacks it and others have it."""
    if place in {f.name for f in dataclasses.fields(Config)} | set(inputs) | set(inputs.values()):
        return
    own, having = LEARNERS.options(learner), [each for each in learners if place in LEARNERS.options(each)]
    if having and place not in own:
        dashed = name.replace("_", "-")
        raise UsageError(
            f"no option {name!r} for learner {learner!r}: {nearest(name, own)}. {', '.join(having)} "
            f"{'have' if len(having) > 1 else 'has'} it: say it for {having[0]} alone, {having[0]}.{name} "
            f"(--{having[0]}.{dashed})"
        )


def resolved(config: Config) -> dict[str, Any]:
    """What a config asks for besides its place in the grid and its budget."""
    return {name: value for name, value in config.to_options().items() if name not in ("learner", "fusion", "steps")}


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Tables within options as dotted names, so that a part of one can be said anew: `image.size`."""
    flat: dict[str, Any] = {}
    for name, value in options.items():
        flat |= {f"{name}.{own}": each for own, each in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat


def differences(before: Any, now: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two trees of plain values differ, and how."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*before, *now)):
            yield from differences(before.get(name), now.get(name), f"{place}.{name}".removeprefix("."))
    elif before != now:
        yield place.removeprefix("options.").removeprefix("budget."), before, now
