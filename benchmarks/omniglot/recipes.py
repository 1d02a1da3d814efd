"""How each method is trained on Omniglot: the options of `omnishot train`, and what its paper reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Of every method: MAML's split of characters, quarter turns of training characters as classes of their own.
COMMON = {"target": "character", "image": {"size": 28}, "rotations": True}
#: The cells of the table: (ways, shots).
CELLS = ((5, 1), (5, 5), (20, 1), (20, 5))


@dataclass(frozen=True)
class Recipe:
    """Options of one training.

    Args:
        learner: its name.
        steps: meta-training steps that a training to the end takes here.
        published_steps: in the paper, None where it does not say.
        options: of the training and of the learner.
        image: of the picture's encoder, beside its size.
        evaluated: options of the learner that are otherwise at evaluation.
    """

    learner: str
    steps: int
    published_steps: int | None
    options: dict[str, Any]
    image: dict[str, Any] = field(default_factory=dict)
    evaluated: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A published method: what its paper reports for each cell (accuracy in per cent, ± as printed), and its recipes.

    Args:
        paper: who, and where.
        published: by cell.
        transductive: whether the paper's figures use the query batch's statistics.
        recipe: the training for a cell; cells with the same recipe share one run.
    """

    paper: str
    published: dict[tuple[int, int], str]
    transductive: bool
    recipe: Any


def _protonet(ways: int, shots: int) -> Recipe:
    """Snell et al. 2017, §3.1: 60 classes and 5 query rows each, max-pooling Conv-4.

    They train with as many shots as at test; here one run with one shot serves all cells.
    """
    options = {"ways": 60, "shots": 1, "queries": 5, "tasks": 1, "lr": 2e-3}
    return Recipe("protonet", 6000, None, options)


def _varied(ways: int, shots: int) -> Recipe:
    """A prototypical network trained on pictures that vary, one run for all cells."""
    options = {"ways": 60, "shots": 1, "queries": 3, "tasks": 1, "lr": 2e-3, "augment": {"image": 0.7}}
    return Recipe("protonet", 8000, None, options)


def _maml(ways: int, shots: int, **own: Any) -> Recipe:
    """Finn et al. 2017, §5.2 and appendix A.1: strided network, batch norm, fixed head, as many queries as shots."""
    inner = {"inner_steps": 1, "inner_lr": 0.4} if ways == 5 else {"inner_steps": 5, "inner_lr": 0.1}
    options = {"ways": ways, "shots": shots, "queries": shots, "tasks": 32 if ways == 5 else 16, "head": "linear"}
    evaluated = {"inner_steps": 3} if ways == 5 and not own.get("learned_inner_lr") else {}
    return Recipe("maml", 60_000, 60_000, options | inner | own, {"pool": "stride", "norm": "batch"}, evaluated)


def _fomaml(ways: int, shots: int) -> Recipe:
    return _maml(ways, shots, second_order=False)


def _maml_plus_plus(ways: int, shots: int) -> Recipe:
    """Antoniou et al. 2019, §5.2: five steps with their own rates, multi-step loss, annealed order; max-pooling."""
    own = {"inner_steps": 5, "inner_lr": 0.1, "learned_inner_lr": "step"}
    own |= {"multi_step": 0.1, "first_order": 0.3, "tasks": 16}
    recipe = _maml(ways, shots, **own)
    return Recipe("maml", 75_000, 75_000, recipe.options, {"norm": "batch"})


def _reptile(ways: int, shots: int) -> Recipe:
    """Nichol et al. 2018, table 3: MAML's network; 100,000 meta-steps on five tasks."""
    inner = {"inner_steps": 5 if ways == 5 else 10, "inner_lr": 1e-3 if ways == 5 else 5e-4}
    options = {"ways": ways, "shots": shots, "queries": 9 if ways == 5 else 5, "tasks": 5, "head": "linear"}
    image = {"pool": "stride", "norm": "batch"}
    return Recipe("reptile", 100_000, 100_000, options | inner, image)


METHODS = {
    "maml": Method(
        "Finn et al. 2017, table 1",
        {(5, 1): "98.7±.4", (5, 5): "99.9±.1", (20, 1): "95.8±.3", (20, 5): "98.9±.2"},
        True,
        _maml,
    ),
    "fomaml": Method(
        "Nichol et al. 2018, table 2",
        {(5, 1): "98.3±.5", (5, 5): "99.2±.2", (20, 1): "89.4±.5", (20, 5): "97.9±.1"},
        True,
        _fomaml,
    ),
    "reptile": Method(
        "Nichol et al. 2018, table 2",
        {(5, 1): "97.68", (5, 5): "99.48", (20, 1): "89.43", (20, 5): "97.12"},
        True,
        _reptile,
    ),
    "protonet": Method(
        "Snell et al. 2017, table 1",
        {(5, 1): "98.8", (5, 5): "99.7", (20, 1): "96.0", (20, 5): "98.9"},
        False,
        _protonet,
    ),
    "maml++": Method(
        "Antoniou et al. 2019, table 1",
        {(5, 1): "99.47", (5, 5): "99.93", (20, 1): "97.65", (20, 5): "99.33"},
        True,
        _maml_plus_plus,
    ),
    "protonet-varied": Method("this library", {}, False, _varied),
}
