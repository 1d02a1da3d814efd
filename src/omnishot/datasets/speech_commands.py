"""Speech Commands: 105,829 recordings of 35 words, a second long, by 2,618 speakers."""

from __future__ import annotations

import re
import warnings
from pathlib import Path, PurePosixPath

from omnishot.datasets.archive import is_litter, read_bytes
from omnishot.datasets.class_split import split_by_fractions
from omnishot.datasets.files import lines, need
from omnishot.datasets.limit import RowLimit
from omnishot.errors import DataError, choose
from omnishot.table.writing import TableWriter

LISTS = {"val": "validation_list.txt", "test": "testing_list.txt"}
NAME = re.compile(r"(.+)_nohash_(\d+)")  # SPEAKER_nohash_REPETITION


def read(directory: Path, out: Path, *, split: str = "words", seed: int = 0, limit: int | None = None) -> Path:
    """Speech Commands: 105,829 recordings of 35 words, a second long, by 2,618 speakers.

    Writes the recordings `WORD/SPEAKER_nohash_N.wav` of the unpacked archive as a table, one row a recording.
    `_background_noise_`, which holds no words, is left out.

    Columns: audio (the wav as published), word (the target), _speaker (a code), _file (WORD/NAME.wav), split.

    Args:
        split: "words" shuffles the words with `seed` into train, val (a tenth) and test (a fifth); "published" is that
            of `validation_list.txt` and `testing_list.txt`, all words in all parts and no speaker in two (to be trained
            on with `--group _speaker`); "none" writes no such column, so that Omnishot makes its own.
        seed: of "words".
        limit: keep the first so many recordings of each word, in each part if the split is "published".

    Raises:
        DataError: if there is no recording, one has another name, or a list is missing.

    Paper: Warden: Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv 2018
    """
    choose("split", split, ("words", "published", "none"))
    kept = RowLimit(limit)
    files = _recordings(directory)
    words = {word for word, _ in files}
    split_of_word = split_by_fractions(words, seed, directory) if split == "words" else {}
    named = _named(directory, files.keys()) if split == "published" else {}
    table = TableWriter(out)
    for (word, name), speaker in files.items():
        part = split_of_word[word] if split_of_word else named.get((word, name), "train")
        if not kept.keeps(word, part):
            continue
        file = f"{word}/{name}"
        cell = table.media(file, read_bytes(directory / file))
        assigned = {} if split == "none" else {"split": part}
        table.row(audio=cell, word=word, _speaker=speaker, _file=file, **assigned)
    return table.close()


def _recordings(directory: Path) -> dict[tuple[str, str], str]:
    """The speaker of each (word, file name), sorted."""
    if not directory.is_dir():
        raise DataError(f"{directory} is not a folder; give the one that holds the folders of words and {LISTS['val']}")
    speakers = {}
    for folder in sorted(directory.iterdir()):
        if not folder.is_dir() or folder.name.startswith("_") or is_litter(PurePosixPath(folder.name)):
            continue
        for path in sorted(folder.glob("*.[wW][aA][vV]")):
            if is_litter(PurePosixPath(path.name)):
                continue
            if not (fields := NAME.fullmatch(path.stem)):
                raise DataError(f"{path} is not called SPEAKER_nohash_N.wav: give the folder as published")
            speakers[folder.name, path.name] = fields[1]
    if not speakers:
        raise DataError(
            f"{directory} holds no folder of recordings; looked for WORD/SPEAKER_nohash_N.wav beside {LISTS['val']}: "
            "unpack the archive"
        )
    return speakers


def _named(directory: Path, files: object) -> dict[tuple[str, str], str]:
    """The part that the lists give recordings."""
    parts: dict[tuple[str, str], str] = {}
    missing = []
    for part, name in LISTS.items():
        listed = need(directory, name, remedy="without lists use split=words or split=none")
        for number, line in lines(listed):
            word, _, file = line.strip().partition("/")
            if parts.setdefault((word, file), part) != part:
                raise DataError(f"{listed.where}, line {number}: {line.strip()} is in {LISTS['val']}, too")
            missing += [] if (word, file) in files else [line.strip()]  # type: ignore[operator]
    if missing:
        warnings.warn(f"recordings listed but missing: {len(missing)} ({missing[0]} first)", stacklevel=3)
    return parts
