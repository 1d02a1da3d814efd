"""Tones that stand for letters, as tables of what voices say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from support import tables

RATE = 4000
TEXTS = ["abc", "cab", "aab", "bca", "cc", "abac"]
SMALL = {"group": "voice", "objective": "transcribe", "learner": "finetune", "fit_steps": 2, "dim": 16, "shots": 2}
SMALL |= {"queries": 2, "tasks": 1, "steps": 2, "val_episodes": 2, "plan": "loop"}
SHORT = {"times": 2, "width": 4}


def spoken(text: str, voice: int, seconds: float = 0.15) -> np.ndarray:
    """A tone for each letter, higher in some voices."""
    time = np.arange(int(seconds * RATE)) / RATE
    return np.concatenate([0.5 * np.sin(2 * np.pi * (300 + 150 * (ord(c) - 97) + 20 * voice) * time) for c in text])


def table(folder: Path, texts: list[str], voices: int = 6) -> Path:
    """Every text by every voice, as `audio`, `text` and `voice`."""
    rows = []
    for voice in range(voices):
        for i, text in enumerate(texts):
            sound = folder / "sounds" / f"{voice}-{i}.wav"
            sound.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(sound, spoken(text, voice), RATE)
            rows.append({"audio": f"sounds/{sound.name}", "text": text, "voice": f"v{voice}"})
    return tables.write(folder / "told.csv", rows)
