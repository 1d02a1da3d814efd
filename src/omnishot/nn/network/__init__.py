"""Networks: encoders and a fusion. One class for each level at which the inputs of a row can be fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnishot.errors import UsageError, choose
from omnishot.modality.base import Modality
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.imputation import IMPUTERS, MASK
from omnishot.nn.network.base import EARLY, INTERMEDIATE, TOKEN, Network
from omnishot.nn.network.early import EarlyFusion
from omnishot.nn.network.fused import FusionSettings
from omnishot.nn.network.input_encoders import build_encoders
from omnishot.nn.network.intermediate import IntermediateFusion
from omnishot.nn.network.single import SingleInput
from omnishot.nn.network.token import TokenFusion

__all__ = ["EARLY", "INTERMEDIATE", "LEVELS", "TOKEN", "Network", "build_network"]

NETWORKS: dict[str, type[Network]] = {EARLY: EarlyFusion, INTERMEDIATE: IntermediateFusion, TOKEN: TokenFusion}
LEVELS = tuple(NETWORKS)


def build_network(
    modalities: Mapping[str, Modality],
    fusion: str = "attention",
    dim: int = 64,
    encoder: Mapping[str, str] | None = None,
    encoder_options: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    fusion_options: Mapping[str, Any] | None = None,
    level: str = INTERMEDIATE,
    imputation: str = MASK,
    shared: bool = False,
) -> Network:
    """The network for some fitted inputs, with random parameters.

    Args:
        modalities: of the inputs, by name.
        fusion: by name (`omnishot.nn.fusion.FUSIONS`); early fusion has none.
        dim: width of the fused embeddings or tokens.
        encoder: name of the encoder by input or by kind of input. Default: that of the kind.
        encoder_options: its options, by input or by kind; those of the input take precedence.
        fusion_options: of the fusion.
        level: where the inputs are fused: `early`, `intermediate` or `token`.
        imputation: what replaces the embedding of a missing input (`omnishot.nn.imputation`); `mask`: nothing.
        shared: whether inputs with the same modality, encoder and options share one encoder.

    Raises:
        UsageError: for an unknown name or option, or imputation without embeddings of several inputs to impute from.
    """
    network = NETWORKS[choose("level", level, NETWORKS)]
    if network is IntermediateFusion and len(modalities) == 1:
        network = SingleInput
    choose("imputation", imputation, (MASK, *IMPUTERS.names()))
    if imputation != MASK and network is not IntermediateFusion:
        raise UsageError(
            f"imputation={imputation!r} replaces embeddings before they are fused: it needs level='intermediate' (here "
            f"{level!r}) and two inputs or more (here {', '.join(modalities)})"
        )
    FUSIONS.check_options(fusion, fusion_options or {})
    encoders = build_encoders(modalities, encoder or {}, encoder_options or {}, shared)
    return network(modalities, encoders, FusionSettings(fusion, dim, fusion_options or {}, imputation))
