"""Flickr30k: 31,783 photographs, five sentences each."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from omnishot.datasets import captioned
from omnishot.datasets.archive import damaged
from omnishot.datasets.captioned import Captioned
from omnishot.datasets.files import File, find, lines, need
from omnishot.errors import choose

TOKENS, MIRRORED, KARPATHY = "results_20130124.token", "results.csv", "dataset_flickr30k.json"
FOLDERS = ("flickr30k-images", "flickr30k_images", "Images", "images")  # the first is how it was published


def read(directory: Path, out: Path, *, split: str = "auto", limit: int | None = None) -> Path:
    """Flickr30k: 31,783 photographs, five sentences each.

    Writes the captions of `results_20130124.token`, of `results.csv` (as the set is mirrored), or of Karpathy's
    `dataset_flickr30k.json`, and the photographs as a table, one row a photograph.

    Columns: image, caption (list of sentences), _file (the published name), split.

    Args:
        split: "karpathy" is that of `dataset_flickr30k.json`, which most papers use: 29,000 train, 1,014 val, 1,000
            test, and the other 769 photographs left out. "none" writes no such column. "auto" is "karpathy" where
            that file exists, otherwise "none": the publishers gave no split.
        limit: keep the first so many photographs of each split.

    Raises:
        DataError: if the files are missing or damaged, or all photographs are missing.

    Paper: Young, Lai, Hodosh, Hockenmaier: From image descriptions to visual denotations, TACL 2014
    """
    choose("split", split, ("auto", "karpathy", "none"))
    every = (TOKENS, MIRRORED, KARPATHY)
    if split == "auto":
        split = "karpathy" if need(directory, *every) and find(directory, KARPATHY) else "none"
    file = need(directory, *((KARPATHY,) if split == "karpathy" else every))
    if file.where.endswith(KARPATHY):
        pictures = [picture for _, picture in captioned.karpathy(file)]
    else:
        captions = results(file) if file.where.endswith(MIRRORED) else captioned.tokens(file)
        pictures = [Captioned([name], sentences) for name, sentences in captions.items()]
    return captioned.write(directory, out, FOLDERS, pictures, split=split == "karpathy", limit=limit)


def results(file: File) -> dict[str, list[str]]:
    """The captions by picture of the mirror's file: a header, then lines `NAME| NUMBER| CAPTION`.

    The mirrored file lacks the second bar in one line (`2199200615.jpg| 4   A dog runs across the grass .`), which is
    read as if it had it. A line that occurs twice counts once.

    Raises:
        DataError: naming the line that has another layout.
    """
    captions: dict[str, dict[tuple[str, str], None]] = {}
    for number, line in islice(lines(file), 1, None):
        parts = re.fullmatch(r"([^|]+)\|\s*(\d+)(?:\s*\||\s|$)(.*)", line)
        if not parts:
            raise damaged(f"{file.where}, line {number}", f"{line!r:.80} is not NAME| NUMBER| CAPTION")
        captions.setdefault(parts[1].strip(), {})[parts[2], parts[3].strip()] = None
    return captioned.numbered(file, captions)
