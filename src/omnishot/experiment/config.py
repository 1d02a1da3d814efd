"""All options of a training, said the same way in Python, on the command line and in a TOML file."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from omnishot.core.options import keywords, parse, typed
from omnishot.errors import DataError, UsageError, choose, nearest
from omnishot.experiment.plan import Plan
from omnishot.learners import FROM_TABLE, LEARNERS
from omnishot.modality import modality_class
from omnishot.nn.auxiliary import AUXILIARIES
from omnishot.nn.encoders import DEFAULTS, ENCODERS
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.imputation import IMPUTERS, MASK
from omnishot.nn.network import EARLY, INTERMEDIATE, LEVELS, TOKEN
from omnishot.objectives.base import Objective

SCHEDULES = ("cosine", "linear", "constant")


#: Options of what there is none of at level `early`.
OF_FUSION = ("fusion", "fuse")
#: Fields that are tables of options of something else.
TABLES = ("options", "fuse", "objective_options", "inputs")


@dataclass(frozen=True)
class Config:
    """What a run was asked for.

    Args:
        learner, fusion: by name; see `omnishot list`. To predict numbers `maml` unless said.
        level: where the inputs of a row come together: `embedding`, an embedding each; `model`, all of their parts
            (patches, words, moments), by the fusion `transformer` unless said; `feature`, their plain features side by
            side, by one encoder and no fusion.
        imputation: what stands for an absent input's embedding: `mask` nothing, `placeholder` a learned vector, `impute`
            what the row's other inputs tell of it (trained by the auxiliary objective `reconstruct`).
        auxiliary: auxiliary objectives of the training, by name with their weight: `infonce`, `sigmoid` and `consensus`
            align the inputs' embeddings, `reconstruct` trains `impute`, `distil` keeps features as inputs go, `balance`
            evens the loads of `mixture`'s experts.
        shared: whether inputs of one kind have one encoder, and of texts one vocabulary, to be compared.
        dim: width of fused embeddings.
        ways: classes a task, a number or a range `[low, high]`; None: 5, or fewer if a part of the table has fewer.
        shots: support rows a class (or a group, for numbers), a number or a range.
        queries: query rows a class in training and validation; None: 5, or as many as the smallest class allows.
        tasks: tasks a step (the meta-batch).
        steps: meta-training steps.
        lr: step size of Adam.
        schedule: how it falls to nothing over the training, by a `cosine` or `linear`, or stays `constant`.
        warmup: steps over which it rises before.
        weight_decay: of AdamW.
        clip: largest norm of the meta-gradient.
        val_every, val_episodes: how often and on how many validation tasks models are selected; None: ten times.
        patience: validations without a better one before training stops; 0: never stop early.
        dropout: rate of modality dropout in training, for rows with several inputs; or a rate by input or kind.
        cross: share of the training and validation tasks whose support rows have one input only, drawn at random, and
            whose query rows have another.
        extra_shots: whether every cell of a support row counts as a row of its own too (`omnishot.episodes.shots`).
        noise: noise in training, by input or kind: every cell at a level of its own, drawn evenly from 0 to this one
            (at most 1), so that clean cells are seen too, and no level up to it is foreign.
        adversarial: adversarial training, by input or kind: in every step the query rows are first moved by so much to
            where the task's loss is greater, by FGSM from a random start (`omnishot.evaluation.attacks`; radius
            as for `epsilon` of `Run.evaluate`). Models are selected on validation tasks as they are.
        augment: by how much pictures vary in training, 0…1, by input or kind: turned, stretched, sheared, shifted.
        rotations: pictures of a class turned by quarter turns count as another class (training only).
        skip_bad: go on without bad cells, rows and classes, listed in the run folder.
        plan: how a meta-batch's tasks are run: `loop`, `split` or `vmap`, the last two also with how many tasks at a
            time (`vmap:4`); `auto`: the fastest in a short trial (the gradient is the same).
        precision: float32; or bfloat16, for products and convolutions only, on devices that are faster at it. The
            meta-gradient then errs by some per cent, so it is never chosen by itself.
        device: auto, cpu, cuda, …
        options: of the learner.
        fuse: options of the fusion.
        objective_options: of the objective (`omnishot list objectives`) and, where it writes texts, of its decoder.
        inputs: by input name or kind: `encoder`, and options of the modality and of the encoder; or `frozen`, the
            folder of an earlier run, whose encoder of this input is taken as it is and learns no more.
    """

    learner: str = "protonet"
    fusion: str = "attention"
    level: str = INTERMEDIATE
    imputation: str = MASK
    auxiliary: dict[str, float] = field(default_factory=dict)
    shared: bool = False
    dim: int = 64
    ways: int | tuple[int, int] | None = None
    shots: int | tuple[int, int] = 1
    queries: int | None = None
    tasks: int = 2
    steps: int = 600
    lr: float = 1e-3
    schedule: str = "cosine"
    warmup: int = 50
    weight_decay: float = 0.0
    clip: float = 10.0
    val_every: int | None = None
    val_episodes: int = 50
    patience: int = 0
    dropout: float | dict[str, float] = 0.0
    cross: float = 0.0
    extra_shots: bool = False
    noise: dict[str, float] = field(default_factory=dict)
    adversarial: dict[str, float] = field(default_factory=dict)
    augment: dict[str, float] = field(default_factory=dict)
    rotations: bool = False
    skip_bad: bool = False
    plan: str = "auto"
    seed: int = 0
    precision: str = "float32"
    device: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)
    fuse: dict[str, Any] = field(default_factory=dict)
    objective_options: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        LEARNERS.load(self.learner)
        FUSIONS.load(self.fusion)
        for name in ("shots", "queries", "tasks", "dim", "val_every", "val_episodes"):
            _check_count(name, getattr(self, name), least=1)
        for name, least in (("ways", 2), ("steps", 0), ("warmup", 0), ("patience", 0), ("seed", 0)):
            _check_count(name, getattr(self, name), least)
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be above 0 and finite, not {getattr(self, name)!r}")
        if not 0 <= self.weight_decay < math.inf:
            raise UsageError(f"weight_decay must be at least 0 and finite, not {self.weight_decay!r}")
        rates = self.dropout.values() if isinstance(self.dropout, dict) else [self.dropout]
        if not all(0 <= rate < 1 for rate in rates):
            raise UsageError(f"dropout must be at least 0 and below 1, not {self.dropout!r}")
        choose("level", self.level, LEVELS)
        choose("imputation", self.imputation, (MASK, *IMPUTERS.names()))
        for name, weight in self.auxiliary.items():
            if not 0 < weight < math.inf:
                raise UsageError(f"the weight of auxiliary {name} must be above 0 and finite, not {weight!r}")
            choose("auxiliary", name, AUXILIARIES.names())
        if not 0 <= self.cross <= 1:
            raise UsageError(f"cross must lie between 0 and 1, not {self.cross!r}")
        choose("schedule", self.schedule, SCHEDULES)
        choose("precision", self.precision, ("float32", "bfloat16"))
        if self.plan != "auto":
            Plan.parse(self.plan)

    @property
    def fused_by(self) -> str:
        """How inputs come together, in a word: the fusion, unless they do so at another level than embeddings."""
        return {INTERMEDIATE: self.fusion, TOKEN: f"{self.fusion} of parts", EARLY: "plain features"}[self.level]

    def to_options(self) -> dict[str, Any]:
        """The options, flat, as `from_options` takes them; what is None is left out."""
        plain = dataclasses.asdict(self)
        options, inputs = plain.pop("options"), plain.pop("inputs")
        if self.level == EARLY:
            plain = {name: value for name, value in plain.items() if name not in OF_FUSION}
        return _without_none({**plain, **options, **inputs})

    def to_toml(self) -> str:
        """The text of `config.toml`."""
        return tomli_w.dumps(self.to_options())


def from_options(
    given: Mapping[str, Any], inputs: Mapping[str, str], objective: type[Objective] | None = None
) -> Config:
    """Options as a user says them, flat, to a Config.

    A name is an option of the training, an option of the chosen learner, `fuse` or `objective_options` with a table of
    options of the chosen fusion or of the objective, or an input or kind of input whose value is a table of its own;
    `image.size` means the same as `image = {size: …}`.

    Args:
        given: the options.
        inputs: kind by name of the table's inputs.
        objective: what the table's target is predicted by, which checks its options; None: they are not checked.

    Raises:
        UsageError: for an unknown option, with the nearest right name, a value of the wrong type, or a fusion where
            there is none.
    """
    said = _nest(given)
    for name in OF_FUSION:
        if said.get("level") == EARLY and said.get(name):
            raise UsageError(
                f"level='early' puts the inputs' plain features side by side, nothing is fused: leave out {name} "
                f"({said[name]!r}), or choose another level"
            )
    if said.get("level") == TOKEN:
        said.setdefault("fusion", "transformer")
    fields = {f.name: f for f in dataclasses.fields(Config) if f.name not in TABLES}
    learner = said.get("learner", Config.learner)
    fuse = _of_fusion(said.get("fusion", Config.fusion), said.pop("fuse", {}))
    own = {n: a for n, a in keywords(LEARNERS.load(learner)).items() if n not in FROM_TABLE}
    places = {*inputs, *inputs.values()}
    values: dict[str, Any] = {"options": {}, "fuse": fuse, "inputs": {}}
    values["objective_options"] = _of_objective(objective, said.pop("objective_options", {}))
    for name, value in said.items():
        if name in fields:
            values[name] = typed(name, value, fields[name].type)
        elif name in own:
            values["options"][name] = typed(name, value, own[name])
        elif name in places and isinstance(value, Mapping):
            values["inputs"][name] = {o: _plain(o, v) for o, v in value.items()}
        else:
            raise UsageError(
                f"no option {name!r} for learner {learner!r}: "
                + nearest(name, {*fields, *own, *places, "fuse", "objective_options"})
            )
    config = Config(**values)
    for name, kind in inputs.items():
        split_input_options(config, name, kind)
    return config


def _of_fusion(fusion: str, said: Any) -> dict[str, Any]:
    """The options of a fusion as it takes them."""
    if not isinstance(said, Mapping):
        raise UsageError(f"option 'fuse' takes options of the fusion, as in fuse.NAME, not {said!r}")
    FUSIONS.check_options(fusion, said)
    own = keywords(FUSIONS.load(fusion))
    return {name: typed(f"fuse.{name}", value, own[name]) for name, value in said.items()}


def _of_objective(objective: type[Objective] | None, given: Any) -> dict[str, Any]:
    """The options of an objective as it takes them; where none is known only parsed."""
    if not isinstance(given, Mapping):
        raise UsageError(
            f"option 'objective_options' takes options of the objective, as in objective_options.NAME, not {given!r}"
        )
    if objective is None:
        return {name: parse(value) if isinstance(value, str) else value for name, value in given.items()}
    return objective.read_options(given)


def split_input_options(config: Config, name: str, kind: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """What is said for one input: its encoder, options of the modality, options of the encoder.

    What is said for the input's name counts before what is said for its kind.

    Raises:
        UsageError: for an option that neither has, with the nearest right name.
    """
    said = {**config.inputs.get(kind, {}), **config.inputs.get(name, {})}
    if "frozen" in said:
        _check_frozen(config, name, kind, said)
        return DEFAULTS["features"], {}, {}
    encoder = said.pop("encoder", DEFAULTS.get(kind, ""))
    fit = modality_class(kind).fit
    settings = {n: a for n, a in keywords(fit).items() if n != "kinds"}
    own = keywords(ENCODERS.load(encoder))
    for option in said:
        if option not in settings and option not in own:
            known = {"encoder", "frozen", *settings, *own}
            raise UsageError(f"input {name!r} ({kind}, read by {encoder}) has no option {option!r}: "
                             + nearest(option, known))  # fmt: skip
    modality_options = {n: typed(f"{name}.{n}", v, settings[n]) for n, v in said.items() if n in settings}
    encoder_options = {n: typed(f"{name}.{n}", v, own[n]) for n, v in said.items() if n in own}
    return encoder, modality_options, encoder_options


def frozen_from(config: Config, name: str, kind: str) -> str | None:
    """The folder of the run whose encoder an input is to have, frozen."""
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


def _check_frozen(config: Config, name: str, kind: str, said: Mapping[str, Any]) -> None:
    """Raises UsageError for what does not go with `frozen`."""
    if not isinstance(said["frozen"], str) or not said["frozen"]:
        raise UsageError(f"option '{name}.frozen' takes the folder of a run, not {said['frozen']!r}")
    if others := sorted(said.keys() - {"frozen"}):
        raise UsageError(
            f"input {name!r} has its encoder from the run {said['frozen']}, which settles {', '.join(others)}: "
            f"leave out {' and '.join(f'{name}.{other}' for other in others)}, or frozen"
        )
    if config.rotations and kind in ("image", "video"):
        raise UsageError(f"input {name!r} is frozen, so that its pictures are not at hand to be turned: no rotations")


def _plain(option: str, value: Any) -> Any:
    """An input's option as `config.toml` can hold it; text is parsed unless it names a folder."""
    if option == "frozen":
        return str(value) if isinstance(value, Path) else value
    return parse(value) if isinstance(value, str) else value


def _nest(given: Mapping[str, Any]) -> dict[str, Any]:
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


def _without_none(tree: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for name, value in tree.items()
        if value is not None
    }


def _check_count(name: str, value: Any, least: int) -> None:
    numbers = value if isinstance(value, tuple) else () if value is None else (value,)
    if isinstance(value, tuple) and (len(value) != 2 or value[0] > value[1]):
        raise UsageError(f"{name} as a range is [low, high], not {list(value)!r}")
    for number in numbers:
        if number < least:
            raise UsageError(f"{name} must be at least {least}, not {number}")
