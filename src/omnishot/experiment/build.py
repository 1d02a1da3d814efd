"""From a config to a learner on a device, and back from a saved description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from omnishot.core import seeds
from omnishot.core.options import keywords
from omnishot.core.registries import require
from omnishot.errors import DataError, UsageError
from omnishot.experiment.config import Config
from omnishot.experiment.objective import restore_objective
from omnishot.experiment.options import from_options, split_input_options
from omnishot.experiment.record import LearnerRecord
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.modality import from_json
from omnishot.modality.base import Modality
from omnishot.modality.features import Features, digest_of, freeze, weights_of
from omnishot.nn import encoders
from omnishot.nn.auxiliary.base import Auxiliaries
from omnishot.nn.network import build_network
from omnishot.objectives.base import Objective


def build_learner(
    config: Config, modalities: Mapping[str, Modality], objective: Objective, ways: int | None, labels: int
) -> Learner:
    """The learner that a config describes, its parameters drawn from the config's seed.

    Args:
        modalities: fitted, by input name.
        ways: outputs of a linear head; None where the number of classes varies or there are none.
        labels: number of training classes, for learners that classify all of them.
    """
    inputs = {name: split_input_options(config, name, m.cell_kind) for name, m in modalities.items()}
    learner_class = LEARNERS.load(config.learner)
    accepted = keywords(learner_class)
    from_table = {name: value for name, value in (("ways", ways), ("labels", labels)) if name in accepted}
    with seeds.torch_generators(torch.device("cpu"), seeds.initial_parameters(config.seed)):
        network = build_network(
            modalities,
            config.fusion,
            config.dim,
            encoder={name: encoder for name, (encoder, _, _) in inputs.items()},
            encoder_options={name: options for name, (_, _, options) in inputs.items()},
            fusion_options=config.fuse,
            level=config.level,
            imputation=config.imputation,
            shared=config.shared,
        )
        learner = learner_class(network, objective, **config.options, **from_table)
        if config.auxiliary:
            learner.auxiliary = Auxiliaries(network, config.auxiliary)
    # Convolutions and pooling are faster on a CPU with channels last; the results are the same.
    return learner.to(memory_format=torch.channels_last).eval()


def restore_learner(record: LearnerRecord, frozen: Mapping[str, Tensor] | None = None) -> tuple[Config, Learner]:
    """The config of a recorded learner, and the learner with new random parameters.

    Args:
        frozen: the weights of frozen encoders (`omnishot.modality.features.frozen_weights`).

    Raises:
        UsageError: if it uses a user's class that is not registered, naming the import that provides it.
        DataError: if frozen weights are missing or changed.
    """
    require(record.imports)
    modalities = {n: restore_modality(n, settings, frozen or {}) for n, settings in record.modalities.items()}
    objective = restore_objective(record.objective)
    config = from_options(record.config, {name: m.cell_kind for name, m in modalities.items()}, type(objective))
    return config, build_learner(config, modalities, objective, fixed_ways(record.ways), record.labels)


def restore_modality(name: str, settings: Mapping[str, Any], frozen: Mapping[str, Tensor]) -> Modality:
    """The modality of the input `name`.

    Args:
        settings: from its `to_json`.
        frozen: the weights of all frozen encoders (`omnishot.modality.features.frozen_weights`).

    Raises:
        DataError: if its weights are missing or changed.
    """
    if settings["kind"] != Features.kind:
        return from_json(dict(settings))
    of, weights = from_json(settings["of"]), weights_of(name, frozen)
    if digest_of(weights) != settings["digest"]:
        raise DataError(f"the frozen weights of input {name!r} are missing or damaged")
    with seeds.torch_generators(torch.device("cpu")):  # its initial parameters are replaced
        module = encoders.build(of, settings["encoder"], **settings["encoder_options"])
    module.load_state_dict(weights)
    return freeze(of, module, settings["encoder"], settings["encoder_options"], settings["trained_on"])


def has_fixed_head(config: Config, objective: Objective) -> bool:
    """Whether the learner predicts a fixed number of classes: it is built for `ways`, with no head for any number."""
    head = config.options.get("head", LEARNERS.options(config.learner).get("head", "linear"))
    takes_ways = "ways" in keywords(LEARNERS.load(config.learner))
    return takes_ways and (head or objective.published_head) == "linear"


def fixed_ways(ways: Any) -> int | None:
    """The number of classes of every task; None for a range of numbers, or where there are no classes."""
    return None if isinstance(ways, list | tuple) else ways


def most_ways(ways: Any) -> int | None:
    """The upper end of a number of classes that may be a range `(low, high)`."""
    return max(ways) if isinstance(ways, list | tuple) else ways


def pick_device(name: str) -> torch.device:
    """The device named; `auto` is the accelerator if there is one.

    Raises:
        UsageError: if there is no such device here.
    """
    if name == "auto":
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return device
