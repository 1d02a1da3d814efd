"""Modalities: how cells of each kind become tensors."""

from omnishot.modality.base import CellError, Media, Modality, Values
from omnishot.modality.inputs import Decoded, decode_inputs, fit_inputs
from omnishot.modality.kinds import MODALITIES, from_json, modality_class

__all__ = [
    "MODALITIES",
    "CellError",
    "Decoded",
    "Media",
    "Modality",
    "Values",
    "decode_inputs",
    "fit_inputs",
    "from_json",
    "modality_class",
]
