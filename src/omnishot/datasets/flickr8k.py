"""Flickr8k: 8,092 photographs, five sentences each."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

from omnishot.datasets import captioned
from omnishot.datasets.archive import damaged
from omnishot.datasets.captioned import Captioned
from omnishot.datasets.files import File, lines, need
from omnishot.errors import choose

TOKENS, MIRRORED, KARPATHY = "Flickr8k.token.txt", "captions.txt", "dataset_flickr8k.json"
FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images")  # the first is how it was published
LISTS = {"train": "Flickr_8k.trainImages.txt", "val": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}


def read(directory: Path, out: Path, *, split: str = "published", limit: int | None = None) -> Path:
    """Flickr8k: 8,092 photographs, five sentences each.

    Writes the captions of `Flickr8k.token.txt` (or of `captions.txt`, as the set is mirrored) and the photographs as
    a table, one row a photograph.

    Columns: image, caption (list of sentences), _file (the published name), split.

    Args:
        split: "published" is that of the three lists of images, 6,000 train, 1,000 val and 1,000 test; pictures in
            no list are left out, with a warning. "karpathy" is that of `dataset_flickr8k.json`. "none" writes no such
            column and leaves nothing out.
        limit: keep the first so many photographs of each split.

    Raises:
        DataError: if the files are missing or damaged, or all photographs are missing.

    Paper: Hodosh, Young, Hockenmaier: Framing Image Description as a Ranking Task, JAIR 2013
    """
    choose("split", split, ("published", "karpathy", "none"))
    if split == "karpathy":
        pictures = [picture for _, picture in captioned.karpathy(need(directory, KARPATHY))]
    else:
        file = need(directory, TOKENS, MIRRORED)
        captions = _mirrored(file) if file.where.endswith(MIRRORED) else captioned.tokens(file)
        pictures = [Captioned([name], sentences) for name, sentences in captions.items()]
        if split == "published":
            pictures = _listed(directory, pictures)
    return captioned.write(directory, out, FOLDERS, pictures, split=split != "none", limit=limit)


def _listed(directory: Path, pictures: list[Captioned]) -> list[Captioned]:
    """The pictures that are in a list, each with the part of its list."""
    parts: dict[str, str] = {}
    for part, name in LISTS.items():
        file = need(directory, name, remedy="without lists use split=none")
        for number, line in lines(file):
            if parts.setdefault(line.strip(), part) != part:
                where = f"{file.where}, line {number}"
                raise damaged(where, f"{line.strip()} is in {LISTS[parts[line.strip()]]}, too")
    left = [picture.names[0] for picture in pictures if picture.names[0] not in parts]
    bare = sorted(parts.keys() - {picture.names[0] for picture in pictures})
    for names, what in ((left, "in no list; split=none keeps them"), (bare, "listed, but without a caption")):
        if names:
            warnings.warn(f"pictures left out: {len(names)} ({names[0]} first) {what}", stacklevel=3)
    return [picture._replace(split=parts[picture.names[0]]) for picture in pictures if picture.names[0] in parts]


def _mirrored(file: File) -> dict[str, list[str]]:
    """The captions by picture of the mirror's file: a header, then comma-separated name and caption."""
    captions: dict[str, list[str]] = {}
    numbered = list(lines(file))
    rows = csv.reader(line for _, line in numbered)
    for (number, line), row in zip(numbered[1:], list(rows)[1:], strict=True):
        if len(row) != 2:
            raise damaged(f"{file.where}, line {number}", f"{line!r:.80} is not a name, a comma and a caption")
        captions.setdefault(row[0], []).append(row[1])
    if not captions:
        raise damaged(file.where, "it holds no caption")
    return captions
