"""What is trained on avMNIST: the options of `omnishot train` for each table, and what papers report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Shares of the training rows that have their sound.
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 1.0)
#: Accuracy on the 450 test rows in per cent, by share; of each method the best epoch on these rows.
PUBLISHED = {
    "SMIL, Ma et al., AAAI 2021": {0.05: 92.89, 0.1: 93.11, 0.15: 93.33, 0.2: 94.44},
    "ShaSpec, Wang et al., CVPR 2023": {0.05: 93.33, 0.1: 93.56, 0.15: 93.78},
    "MetaKD, Wang et al., 2024": {0.1: 94.22, 0.15: 94.89},
}


@dataclass(frozen=True)
class Recipe:
    """Options of one table's trainings.

    Args:
        about: what the table is, for people.
        options: of every training, with sound and without.
        image, audio: of the encoders.
        sounds: sounds of each digit in a step, drawn from the rows that have one.
        weights: of the auxiliary objectives of the trainings with sound.
        views: in how many ways, varied as in training but half as much, a test image is looked at beside as it is.
        shares: measured in this table.
    """

    about: str
    options: dict[str, Any]
    image: dict[str, Any]
    audio: dict[str, Any]
    sounds: int
    weights: dict[str, float]
    views: int = 0
    shares: tuple[float, ...] = SHARES


#: Of every training: joint training of one network and one head; 6 images of each digit a step.
COMMON = {"learner": "finetune", "head": "joint", "fit_steps": 0, "tasks": 1, "ways": 10, "plan": "loop"}
IMAGES = 6

RECIPES = {
    "a": Recipe(
        "LeNet-5 reads the images, no augmentation",
        {"steps": 500, "lr": 5e-3, "warmup": 20, "weight_decay": 0.01},
        {"encoder": "lenet", "norm": "layer", "dropout": 0.5},
        {"width": 8},
        3,
        {"infonce": 0.5},
    ),
    "b": Recipe(
        "free choice: three convolution blocks, images that vary",
        {"steps": 1500, "lr": 2e-3, "warmup": 20, "weight_decay": 0.05, "augment": {"image": 1.0}},
        {"encoder": "conv4", "blocks": 3, "width": 32},
        {"width": 8},
        3,
        {"infonce": 0.5},
        8,
        (0.0, 0.2),
    ),
}


def options(recipe: Recipe, sound: bool) -> dict[str, Any]:
    """What `omnishot train` would be told of the images' part, and with sound what is beside it."""
    common = COMMON | recipe.options | {"image": recipe.image, "shots": IMAGES // 2, "queries": IMAGES // 2}
    if not sound:
        return common
    return common | {"shots": IMAGES, "queries": recipe.sounds, "audio": recipe.audio, "auxiliary": recipe.weights}
