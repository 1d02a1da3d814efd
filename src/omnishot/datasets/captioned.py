"""Pictures with several sentences each, in layouts that several published data sets use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omnishot.datasets.archive import damaged
from omnishot.datasets.files import File, laid_out, lines, parse_json
from omnishot.datasets.limit import RowLimit
from omnishot.datasets.pictures import Pictures
from omnishot.errors import DataError
from omnishot.table.writing import TableWriter

#: Karpathy's parts; the rest of COCO's validation pictures goes to train.
KARPATHY = {"train": "train", "restval": "train", "val": "val", "test": "test"}


class Captioned(NamedTuple):
    """A picture: the name of its file (and other names it may have), its sentences, and its part, "" for none."""

    names: Sequence[str]
    captions: Sequence[str]
    split: str = ""


def write(
    directory: Path, out: Path, folders: Sequence[str], pictures: Iterable[Captioned], *, split: bool, limit: int | None
) -> Path:
    """Write one row a picture: image, caption (list of sentences, missing if there is none), _file and `split`.

    Raises:
        UsageError: if `limit` keeps nothing.
        DataError: if there are no pictures.
    """
    rows = RowLimit(limit)
    table = TableWriter(out)
    with Pictures(table, directory, folders) as stored:
        for names, captions, part in pictures:
            if rows.keeps(part):
                cells: dict[str, Any] = {
                    "image": stored.cell(*names),
                    "caption": sentences(captions),
                    "_file": names[0],
                }
                table.row(**cells, **({"split": part} if split else {}))
    if not rows.counts:
        raise DataError(f"{directory}: no picture is left to write")
    return table.close()


def sentences(captions: Iterable[str]) -> list[str] | None:
    """The sentences without surrounding blanks and without empty ones; None if none remains."""
    return [stripped for caption in captions if (stripped := caption.strip())] or None


def tokens(file: File) -> dict[str, list[str]]:
    """The captions by picture of a Flickr token file: lines `NAME#NUMBER`, a tab, and the caption.

    A line that occurs twice counts once.

    Raises:
        DataError: naming the line that has another layout.
    """
    captions: dict[str, dict[tuple[str, str], None]] = {}
    for number, line in lines(file):
        key, _, caption = line.partition("\t")
        parts = re.fullmatch(r"\s*(.+)#(\d+)\s*", key)
        if not parts:
            raise damaged(f"{file.where}, line {number}", f"{line!r:.80} is not NAME#NUMBER, a tab and a caption")
        captions.setdefault(parts[1], {})[parts[2], caption.strip()] = None
    return numbered(file, captions)


def numbered(file: File, captions: Mapping[str, Iterable[tuple[str, str]]]) -> dict[str, list[str]]:
    """The captions of each picture of a file, without their numbers.

    Raises:
        DataError: if there is none.
    """
    if not captions:
        raise damaged(file.where, "it holds no caption")
    return {name: [caption for _, caption in pairs] for name, pairs in captions.items()}


def karpathy(file: File) -> list[tuple[Mapping[str, Any], Captioned]]:
    """The pictures of one of Karpathy's files `dataset_*.json`, each with its entry in the file.

    Raises:
        DataError: if the file has another layout.
    """
    with laid_out(file.where):
        pictures = []
        for image in parse_json(file)["images"]:
            captions = [sentence["raw"].strip() for sentence in image["sentences"]]
            pictures.append((image, Captioned([image["filename"]], captions, KARPATHY[image["split"]])))
    if not pictures:
        raise damaged(file.where, "it holds no picture")
    return pictures
