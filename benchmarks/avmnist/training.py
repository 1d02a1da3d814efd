"""One training on avMNIST, and what it is worth."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from aligned import Aligned
from data import AUDIO, DIGITS, IMAGE, Digits, ImagesAndSounds
from recipes import Recipe, options

from omnishot.episodes.corruption import Corruption
from omnishot.episodes.inputs import levels_by_input
from omnishot.episodes.loader import Loader, Shape
from omnishot.episodes.tasks import ClassTasks
from omnishot.experiment.build import build_learner
from omnishot.experiment.config import Config
from omnishot.experiment.options import from_options
from omnishot.learners.base import Learner
from omnishot.learners.finetune import FineTune
from omnishot.objectives.classify import Classify
from omnishot.training.trainer import Trainer


def train(data: Digits, recipe: Recipe, seed: int, folder: Path) -> Learner:
    """Train on the training rows, from where an interrupted training stands."""
    store = data.store
    sound = AUDIO in store.modalities
    kinds = {name: m.cell_kind for name, m in store.modalities.items()}
    config = from_options(options(recipe, sound) | {"seed": seed}, kinds)
    images = {IMAGE: store.modalities[IMAGE]}
    learner = build_learner(dataclasses.replace(config, auxiliary={}), images, Classify(), DIGITS, DIGITS)
    if sound:
        assert isinstance(learner, FineTune)
        learner = Aligned.of(learner, store.modalities[AUDIO], config.inputs[AUDIO], config.auxiliary, seed)
    loader = _loader(data, config, sound)
    Trainer(learner, loader, None, config, folder).run(resume=True)
    return learner


def _loader(data: Digits, config: Config, sound: bool) -> Loader:
    """Images alone: support and query rows are drawn alike. With sound: support rows are images, query rows sounds."""
    shape = Shape(1, DIGITS, config.shots, config.queries or 1)
    augment = levels_by_input(config.augment, data.store.modalities)
    if not sound:
        source = ClassTasks(data.digit[data.train], data.train)
        return Loader(data.store, source, shape, config.seed, data.digit, augment=augment)
    heard = ImagesAndSounds(data)
    apart = Corruption(support_inputs=(IMAGE,), query_inputs=(AUDIO,))
    return Loader(data.store, heard, shape, config.seed, data.digit, augment=augment, corruption=apart)


def accuracy(learner: Learner, data: Digits, rows: np.ndarray, recipe: Recipe, part: int = 1000) -> float:
    """Of the images of these rows, without any sound."""
    loader = Loader(data.store, ClassTasks(data.digit[data.train], data.train), Shape(1, DIGITS, 1, 1))
    state = learner.adapt(loader.batch(0).support.task(0))  # no step is taken: the trained network and its head
    right = 0
    for start in range(0, len(rows), part):
        chosen = rows[start : start + part]
        cells = data.store.gather(chosen)
        cells.present[:, list(data.store.modalities).index(IMAGE) + 1 :] = False
        probabilities = learner.answer(state, cells).softmax(-1)
        for view in range(recipe.views):
            varied = data.store.inputs(chosen, augment={IMAGE: recipe.options["augment"][IMAGE] / 2}, seed=view)
            probabilities = probabilities + learner.answer(state, dataclasses.replace(cells, inputs=varied)).softmax(-1)
        right += int((probabilities.argmax(-1).numpy() == data.digit[chosen]).sum())
    return right / len(rows)
