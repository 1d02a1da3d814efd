"""All options of a training."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from omnishot.errors import UsageError, choose
from omnishot.experiment.plan import Plan
from omnishot.learners import LEARNERS
from omnishot.nn.auxiliary import AUXILIARIES
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.imputation import IMPUTERS, MASK
from omnishot.nn.network import EARLY, INTERMEDIATE, LEVELS, TOKEN

SCHEDULES = ("cosine", "linear", "constant")
#: Options of the fusion, which level `early` does not have.
OF_FUSION = ("fusion", "fuse")
#: Fields of `Config` that hold options of something else, by name.
TABLES = ("options", "fuse", "objective_options", "inputs")


@dataclass(frozen=True)
class Config:
    """All options of a training, resolved. `config.toml` in a run folder holds them.

    Options "by input or kind" are dicts whose keys are names of inputs or kinds of input (`photo`, `image`).

    Args:
        learner: name of the learner (`omnishot list learners`). The default is that of classification; other
            objectives have their own (`Objective.defaults`).
        fusion: name of the fusion (`omnishot list fusions`); not used at level `early`.
        level: where the inputs of a row are combined. `early`: their plain features, concatenated, are read by one
            encoder. `intermediate`: an encoder gives each input an embedding; the embeddings are fused. `token`: all
            tokens of all inputs (patches, words, time steps) are fused, by the fusion `transformer` by default.
        imputation: what replaces the embedding of a missing input: nothing (`mask`), a learned vector (`placeholder`),
            or an estimate from the row's other inputs (`impute`, trained by the auxiliary objective `reconstruct`).
        auxiliary: auxiliary objectives of the training, by name with their weight. `infonce`, `sigmoid` and `consensus`
            align the embeddings of a row's inputs, `reconstruct` trains `impute`, `distil` makes the features of
            incomplete rows like those of complete ones, `balance` evens the loads of the experts of `mixture`.
        shared: whether inputs of one kind share one encoder (and texts one vocabulary).
        dim: width of embeddings and features.
        ways: classes of a training task, a number or a range `[low, high]`; None: 5, or fewer if the training part has
            fewer. Validation tasks have as many, or fewer if that part has fewer; with a head of a fixed number of
            classes every part has the same ways.
        shots: support rows per class, or per task where no class is predicted; a number or a range.
        queries: query rows per class in training and validation; None: 5, or as many as the smallest class allows.
        tasks: tasks of a training step (the meta-batch).
        steps: training steps of the outer loop.
        lr: step size of the outer loop (AdamW).
        schedule: how that step size falls to zero: `cosine` or `linear`; or `constant`.
        warmup: steps over which it rises first.
        weight_decay: of AdamW.
        clip: the norm that the meta-gradient is clipped to.
        val_every: training steps between two validations; None: ten validations.
        val_episodes: validation tasks.
        patience: consecutive validations without improvement after which training stops; 0: it never stops early.
        dropout: rate of modality dropout in training, or rates by input or kind. Rows keep one input at least.
        cross: fraction of training and validation tasks whose support rows have only one input and whose query rows
            have only another, both drawn at random.
        extra_shots: whether each cell of a support row is also a support row by itself (`omnishot.episodes.shots`).
        noise: largest noise level in training, 0 to 1, by input or kind. The level of each cell is drawn uniformly from
            0 to this one.
        adversarial: adversarial training, by input or kind: the radius within which FGSM from a random start moves the
            query rows in every step (`omnishot.evaluation.attacks`; units as for `epsilon` of `Run.evaluate`).
            Validation tasks are not attacked.
        augment: strength of image augmentation in training (rotation, scale, shear, shift), 0 to 1, by input or kind.
        rotations: whether the images of a class, rotated by 90, 180 and 270 degrees, are further classes in training.
        skip_bad: whether to leave out bad cells, rows and classes (listed in the run folder) instead of refusing them.
        plan: how the tasks of a meta-batch are run: `loop`, `split` or `vmap`, the last two optionally with the number
            of tasks at a time (`vmap:4`); or `auto`, the fastest that a short trial finds. All give the same gradient.
        seed: of every random number (`omnishot.core.seeds`) but the class split.
        split_seed: of the class split: which classes (or groups) are in train, val and test where no column says.
        precision: `float32`; or `bfloat16` for matrix products and convolutions, which puts an error of some per cent
            into the meta-gradient.
        device: `auto` (an accelerator if there is one), `cpu`, `cuda`, …
        options: of the learner.
        fuse: of the fusion.
        objective_options: of the objective (`omnishot list objectives`) and, where it writes texts, of its decoder.
        inputs: by input or kind: `encoder`, and options of the modality and of the encoder; or `frozen`, the folder of
            an earlier run whose encoder of this input is used without training it further.

    Raises:
        UsageError: for a value that is out of range or an unknown name.
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
    split_seed: int = 0
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
        for name, least in (("ways", 2), ("steps", 0), ("warmup", 0), ("patience", 0), ("seed", 0), ("split_seed", 0)):
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
        """How inputs are combined, for people: the fusion, and the level if it is not `intermediate`."""
        return {INTERMEDIATE: self.fusion, TOKEN: f"{self.fusion} of parts", EARLY: "plain features"}[self.level]

    def to_options(self) -> dict[str, Any]:
        """The options, flat, as `from_options` takes them; those that are None are left out."""
        plain = dataclasses.asdict(self)
        options, inputs = plain.pop("options"), plain.pop("inputs")
        if self.level == EARLY:
            plain = {name: value for name, value in plain.items() if name not in OF_FUSION}
        return _without_none({**plain, **options, **inputs})

    def to_toml(self) -> str:
        """The text of `config.toml`."""
        return tomli_w.dumps(self.to_options())


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
