"""Free Spoken Digit Dataset: 3,000 recordings of the English digits by 6 speakers, 8 kHz mono."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omnishot.datasets.archive import contents, damaged, locate
from omnishot.errors import DataError, UsageError, choose
from omnishot.table.writing import TableWriter

RECORDINGS = "recordings"
TEST_INDICES = range(5)  # the data set's own split: the first five recordings of each digit and speaker


@dataclass(frozen=True, order=True)
class Recording:
    """One recording; sorts by speaker, digit, index."""

    speaker: str
    digit: str
    index: int

    @property
    def name(self) -> str:
        return f"{self.digit}_{self.speaker}_{self.index}.wav"


def read(
    directory: Path,
    out: Path,
    *,
    split: str = "speaker",
    test_speakers: str | Sequence[str] | None = None,
    val_speaker: str | None = None,
) -> Path:
    """Free Spoken Digit Dataset: 3,000 recordings of the English digits by 6 speakers, 8 kHz mono.

    Writes the files `recordings/DIGIT_SPEAKER_INDEX.wav` as a table, one row a recording.

    Columns: audio (the wav as published), digit (the target, "0" to "9"), speaker (the group), _index (a note), split.

    Args:
        split: "speaker" keeps whole speakers for test; "index" is the data set's own, recordings 0 to 4 of
            each digit and speaker for test; "none" writes no such column, so that Omnishot makes its own.
        test_speakers: speakers of test, as a list or separated by commas; by default the last two in
            the alphabet (of the published six: theo and yweweler).
        val_speaker: speaker of val; by default none, so that four speakers remain to train on.

    Raises:
        DataError: if the recordings are missing or damaged, or nobody remains to train on.
        UsageError: if a speaker is unknown or in two splits, or the options contradict each other.

    Paper: Jackson et al.: Free Spoken Digit Dataset (2016)
    """
    choose("split", split, ("speaker", "index", "none"))
    if split != "speaker" and (test_speakers is not None or val_speaker is not None):
        raise UsageError(f"test_speakers and val_speaker go with split=speaker only, not with split={split}")
    table = TableWriter(out)
    sounds = recordings(locate(directory, (RECORDINGS,))[RECORDINGS])
    speakers = {}
    if split == "speaker":
        speakers = _roles({recording.speaker for recording in sounds}, test_speakers, val_speaker)
    for recording in sorted(sounds):
        assigned = {}
        if split == "speaker":
            assigned["split"] = speakers[recording.speaker]
        elif split == "index":
            assigned["split"] = "test" if recording.index in TEST_INDICES else "train"
        cell = table.media(recording.name, sounds[recording])
        table.row(audio=cell, **_cells(recording), **assigned)
    return table.close()


def _cells(recording: Recording) -> dict[str, str | int]:
    return {"digit": recording.digit, "speaker": recording.speaker, "_index": recording.index}


def recordings(path: Path) -> dict[Recording, bytes]:
    """The recordings of a folder or zip, and their bytes.

    Raises:
        DataError: if a file has another name, or is there twice.
    """
    sounds: dict[Recording, bytes] = {}
    for name, data in contents(path, ".wav"):
        fields = re.fullmatch(r"([0-9])_(.+)_([0-9]+)", name.stem)
        if not fields:
            raise damaged(path, f"{name} is not called DIGIT_SPEAKER_INDEX.wav")
        recording = Recording(speaker=fields[2], digit=fields[1], index=int(fields[3]))
        if recording in sounds:
            raise damaged(path, f"it holds {recording.name} twice")
        sounds[recording] = data
    return sounds


def _roles(speakers: set[str], test: str | Sequence[str] | None, val: str | None) -> dict[str, str]:
    """The split of each speaker."""
    if isinstance(test, str):
        test = [name.strip() for name in test.split(",")]
    tested = sorted(speakers)[-2:] if test is None else [choose("speaker", name, speakers) for name in test]
    validated = [] if val is None else [choose("speaker", val, speakers)]
    if set(validated) & set(tested):
        raise UsageError(f"{val} is a test speaker already ({', '.join(tested)}); choose another val_speaker")
    if speakers <= {*tested, *validated}:
        raise DataError(
            f"of the speakers {', '.join(sorted(speakers))} nobody remains to train on; "
            "name fewer test_speakers, or use split=index"
        )
    return dict.fromkeys(speakers, "train") | dict.fromkeys(validated, "val") | dict.fromkeys(tested, "test")
