"""Cells of a table as HTML: a picture, an audio player, words or a plot."""

from __future__ import annotations

import numpy as np

from omnishot.episodes.store import Store
from omnishot.html import markup
from omnishot.modality.base import Modality


def cells(store: Store, row: int, present: np.ndarray, of: str) -> str:
    """All cells of one row of the store; `of` names the row in alternative texts."""
    return "".join(
        cell(name, modality, np.asarray(store.stored[name][row]), bool(there), of)
        for (name, modality), there in zip(store.modalities.items(), present, strict=True)
    )


def cell(name: str, modality: Modality, stored: np.ndarray, is_present: bool, of: str) -> str:
    """One stored cell of an input; `of` names its row in alternative texts."""
    if not is_present:
        return f'<div class="cell missing">no {markup.text(name)}</div>'
    picture = modality.picture(stored)
    if isinstance(picture, str):
        return f'<div class="cell words">{markup.text(picture)}</div>'
    sound = modality.wav_bytes(stored)
    if sound is not None:
        player = markup.audio(sound, f"{name}: {of}")
        return f'<div class="cell sound">{markup.image(picture, f"{name} of {of}, as a spectrogram")}{player}</div>'
    return f'<div class="cell {markup.text(modality.kind)}">{markup.image(picture, f"{name} of {of}")}</div>'
