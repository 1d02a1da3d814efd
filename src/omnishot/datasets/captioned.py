"""Pictures with several sentences each: the layouts that several published data sets share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omnishot.datasets.archive import damaged
from omnishot.datasets.files import Found, laid_out, lines, parse_json
from omnishot.datasets.pictures import Pictures
from omnishot.errors import DataError, UsageError
from omnishot.table.writing import TableWriter

#: Karpathy's parts; the rest of COCO's validation pictures goes to train.
KARPATHY = {"train": "train", "restval": "train", "val": "val", "test": "test"}


class Captioned(NamedTuple):
    """A picture: the name of its file (and others it may go by), its sentences, and its part, "" for none."""

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
    check_limit(limit)
    table, taken = TableWriter(out), Counter[str]()
    with Pictures(table, directory, folders) as stored:
        for names, captions, part in pictures:
            taken[part] += 1
            if limit is None or taken[part] <= limit:
                cells: dict[str, Any] = {
                    "image": stored.cell(*names),
                    "caption": sentences(captions),
                    "_file": names[0],
                }
                table.row(**cells, **({"split": part} if split else {}))
    if not taken:
        raise DataError(f"{directory}: no picture is left to write")
    return table.close()


def check_limit(limit: int | None) -> None:
    """Refuse to keep nothing.

    Raises:
        UsageError: if `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be at least 1, not {limit}")


def sentences(captions: Iterable[str]) -> list[str] | None:
    """The sentences without blanks around them; empty ones are left out, and None is that there is none."""
    return [stripped for caption in captions if (stripped := caption.strip())] or None


def tokens(found: Found) -> dict[str, list[str]]:
    """The captions by picture of a Flickr token file: lines `NAME#NUMBER`, a tab, and the caption.

    A line that occurs twice counts once.

    Raises:
        DataError: naming the line that is laid out otherwise.
    """
    captions: dict[str, dict[tuple[str, str], None]] = {}
    for number, line in lines(found):
        key, _, caption = line.partition("\t")
        parts = re.fullmatch(r"\s*(.+)#(\d+)\s*", key)
        if not parts:
            raise damaged(f"{found.where}, line {number}", f"{line!r:.80} is not NAME#NUMBER, a tab and a caption")
        captions.setdefault(parts[1], {})[parts[2], caption.strip()] = None
    if not captions:
        raise damaged(found.where, "it holds no caption")
    return {name: [caption for _, caption in said] for name, said in captions.items()}


def karpathy(found: Found) -> list[tuple[Mapping[str, Any], Captioned]]:
    """The pictures of one of Karpathy's files `dataset_*.json`, each with all that the file says of it.

    Raises:
        DataError: if the file is laid out otherwise.
    """
    with laid_out(found.where):
        pictures = []
        for image in parse_json(found)["images"]:
            captions = [sentence["raw"].strip() for sentence in image["sentences"]]
            pictures.append((image, Captioned([image["filename"]], captions, KARPATHY[image["split"]])))
    if not pictures:
        raise damaged(found.where, "it holds no picture")
    return pictures
