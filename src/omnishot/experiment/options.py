"""Converts options that a user gives in Python, on the command line or in a TOML file to a `Config`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from omnishot.core.options import parse, typed
from omnishot.errors import DataError, UsageError, nearest
from omnishot.experiment.config import OF_FUSION, TABLES, Config
from omnishot.learners import LEARNERS
from omnishot.modality import MODALITIES
from omnishot.nn.encoders import DEFAULTS, ENCODERS, default_for
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.network import EARLY, TOKEN
from omnishot.objectives.base import Objective


def from_options(
    given: Mapping[str, Any], inputs: Mapping[str, str], objective: type[Objective] | None = None
) -> Config:
    """The config that a user's options describe.

    An option is a field of `Config`, or an option of the learner, or a table of further options: `fuse` (of the
    fusion), `objective_options`, or the name or kind of an input. `image.size` means the same as `image = {size: …}`.

    Args:
        given: the options by name, flat or nested.
        inputs: the kind of each of the table's inputs, by name.
        objective: the class of the objective, which checks its options; None: they are not checked.

    Raises:
        UsageError: for an unknown option, with the nearest right name, a value of the wrong type, or a fusion where
            there is none.
    """
    options = _nest(given)
    for name, registry in (("learner", LEARNERS), ("fusion", FUSIONS)):
        if name in options:
            options[name] = registry.name_of(options[name])
    for name in OF_FUSION:
        if options.get("level") == EARLY and options.get(name):
            raise UsageError(
                f"level='early' puts the inputs' plain features side by side, nothing is fused: leave out {name} "
                f"({options[name]!r}), or choose another level"
            )
    if options.get("level") == TOKEN:
        options.setdefault("fusion", "transformer")
    fields = {name: kind for name, kind in get_type_hints(Config).items() if name not in TABLES}
    learner = options.get("learner", Config.learner)
    fuse = _fusion_options(options.get("fusion", Config.fusion), options.pop("fuse", {}))
    own = LEARNERS.types(learner)
    places = {*inputs, *inputs.values()}
    values: dict[str, Any] = {"options": {}, "fuse": fuse, "inputs": {}}
    values["objective_options"] = _objective_options(objective, options.pop("objective_options", {}))
    for name, value in options.items():
        if name in fields:
            values[name] = typed(name, value, fields[name])
        elif name in own:
            values["options"][name] = typed(name, value, own[name])
        elif name in places and isinstance(value, Mapping):
            values["inputs"][name] = {o: _input_option(o, v) for o, v in value.items()}
        else:
            raise UsageError(
                f"no option {name!r} for learner {learner!r}: "
                + nearest(name, {*fields, *own, *places, "fuse", "objective_options"})
            )
    config = Config(**values)
    for name, kind in inputs.items():
        split_input_options(config, name, kind)
    return config


def _fusion_options(fusion: str, given: Any) -> dict[str, Any]:
    """The options of a fusion, checked and of the right types."""
    if not isinstance(given, Mapping):
        raise UsageError(f"option 'fuse' takes options of the fusion, as in fuse.NAME, not {given!r}")
    FUSIONS.check_options(fusion, given)
    own = FUSIONS.types(fusion)
    return {name: typed(f"fuse.{name}", value, own[name]) for name, value in given.items()}


def _objective_options(objective: type[Objective] | None, given: Any) -> dict[str, Any]:
    """The options of an objective, checked and of the right types; without the class of the objective only parsed."""
    if not isinstance(given, Mapping):
        raise UsageError(
            f"option 'objective_options' takes options of the objective, as in objective_options.NAME, not {given!r}"
        )
    if objective is None:
        return {name: parse(value) if isinstance(value, str) else value for name, value in given.items()}
    return objective.read_options(given)


def split_input_options(config: Config, name: str, kind: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """One input's encoder, the options of its modality, and the options of its encoder.

    Options under the input's name take precedence over those under its kind.

    Raises:
        UsageError: for an option that neither has, with the nearest right name.
    """
    given = {**config.inputs.get(kind, {}), **config.inputs.get(name, {})}
    if "frozen" in given:
        _check_frozen(config, name, kind, given)
        return DEFAULTS["features"], {}, {}
    encoder = given.pop("encoder", None) or default_for(kind)
    settings = MODALITIES.types(kind)
    own = ENCODERS.types(encoder)
    for option in given:
        if option not in settings and option not in own:
            known = {"encoder", "frozen", *settings, *own}
            raise UsageError(f"input {name!r} ({kind}, read by {encoder}) has no option {option!r}: "
                             + nearest(option, known))  # fmt: skip
    modality_options = {n: typed(f"{name}.{n}", v, settings[n]) for n, v in given.items() if n in settings}
    encoder_options = {n: typed(f"{name}.{n}", v, own[n]) for n, v in given.items() if n in own}
    return encoder, modality_options, encoder_options


def frozen_from(config: Config, name: str, kind: str) -> str | None:
    """The folder of the run that an input's frozen encoder is taken from; None if the input has none."""
    return config.inputs.get(name, {}).get("frozen", config.inputs.get(kind, {}).get("frozen"))


def read_toml(path: str | Path) -> dict[str, Any]:
    """Options from a TOML file.

    Raises:
        DataError: if the file is missing or no TOML, naming the line.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read options from {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid TOML: {error}") from None


def _check_frozen(config: Config, name: str, kind: str, given: Mapping[str, Any]) -> None:
    """Check that an input's option `frozen` is a folder, and that no other option contradicts it.

    Raises:
        UsageError: otherwise.
    """
    if not isinstance(given["frozen"], str) or not given["frozen"]:
        raise UsageError(f"option '{name}.frozen' takes the folder of a run, not {given['frozen']!r}")
    if others := sorted(given.keys() - {"frozen"}):
        raise UsageError(
            f"input {name!r} has its encoder from the run {given['frozen']}, which determines {', '.join(others)}: "
            f"leave out {' and '.join(f'{name}.{other}' for other in others)}, or frozen"
        )
    if config.rotations and kind in ("image", "video"):
        raise UsageError(
            f"input {name!r} is frozen, so that its images cannot be rotated: leave out rotations, or frozen"
        )


def _input_option(option: str, value: Any) -> Any:
    """An input's option as a value for `config.toml`; text is parsed unless it names a folder."""
    if option == "frozen":
        return str(value) if isinstance(value, Path) else value
    if option == "encoder":
        return ENCODERS.name_of(value)
    return parse(value) if isinstance(value, str) else value


def _nest(given: Mapping[str, Any]) -> dict[str, Any]:
    """Put options with dotted names into tables; options that are None are left out."""
    nested: dict[str, Any] = {}
    for name, value in given.items():
        place, dot, option = name.rpartition(".")
        branch = {option: value} if dot else dict(value) if isinstance(value, Mapping) else None
        place = place if dot else name
        if branch is None and value is not None:
            nested[name] = value
        elif branch is not None:
            before = nested.setdefault(place, {})
            if not isinstance(before, dict):
                raise UsageError(f"option {place!r} is both {before!r} and a table with {', '.join(branch)}")
            before.update(branch)
    return nested
