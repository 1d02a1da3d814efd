"""CUB-200-2011: 11,788 photographs of 200 species of birds, with attributes and ten sentences each."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from omnishot.datasets.archive import contents, damaged
from omnishot.datasets.captioned import sentences
from omnishot.datasets.class_split import split_classes
from omnishot.datasets.files import File, fields, find, need, plain
from omnishot.datasets.limit import RowLimit
from omnishot.datasets.pictures import Pictures
from omnishot.errors import DataError, UsageError, choose
from omnishot.table.writing import TableWriter

TEXTS = ("text_c10", "text")
CERTAINTIES = range(1, 5)  # not visible, guessing, probably, definitely


def read(
    directory: Path,
    out: Path,
    *,
    split: str = "classes",
    seed: int = 0,
    certainty: int = 3,
    limit: int | None = None,
) -> Path:
    """CUB-200-2011: 11,788 photographs of 200 species of birds, with attributes and ten sentences each.

    Writes the files of `CUB_200_2011`, the folder itself or one that holds it, and beside or in it the sentences of
    Reed et al. as `text_c10/CLASS/IMAGE.txt`, as a table, one row a photograph.

    Columns: image, species (as `001.Black_footed_Albatross`), attributes (list of those present, as
    `has_bill_shape::dagger`), caption (list of sentences), _file, split. Without the files of the attributes or of
    the sentences that column is left out, with a warning.

    Args:
        split: "classes" shuffles the species with `seed`, half for train, a quarter each for val and test; "chen" is
            Chen et al.'s (A Closer Look at Few-shot Classification, 2019), species 1, 3, 5 … train, 2, 6, 10 … val,
            4, 8, 12 … test; "published" is the data set's own of photographs, train and test, which share all
            species; "none" writes no such column.
        seed: see `split`.
        certainty: least certainty of an attribute that counts: 1 not visible, 2 guessing, 3 probably, 4 definitely.
        limit: keep the first so many photographs of each species in each split.

    Raises:
        DataError: if the files are missing or damaged, or all photographs are missing.
        UsageError: if an option does not fit.

    Paper: Wah, Branson, Welinder, Perona, Belongie: The Caltech-UCSD Birds-200-2011 Dataset, 2011
    """
    choose("split", split, ("classes", "chen", "published", "none"))
    rows = RowLimit(limit)
    if certainty not in CERTAINTIES:
        raise UsageError(f"certainty is 1 (not visible) to 4 (definitely), not {certainty}")
    images = _pairs(need(directory, "images.txt"))
    species = _species(directory, images)
    parts = _parts(directory, split, species, seed)
    attributes = _attributes(directory, images, certainty)
    captions = _captions(directory)
    table = TableWriter(out)
    with Pictures(table, directory, ("images",), depth=2) as pictures:
        for number, name in images.items():
            part = parts.get(number, "")
            if not rows.keeps(part, species[number]):
                continue
            cells: dict[str, Any] = {"image": pictures.cell(name), "species": species[number]}
            if attributes is not None:
                cells["attributes"] = attributes.get(number) or None
            if captions is not None:
                cells["caption"] = captions.get(PurePosixPath(name).with_suffix(""))
            table.row(**cells, _file=name, **({"split": part} if parts else {}))
    return table.close()


def _pairs(file: File) -> dict[str, str]:
    """A file of two columns, a number and what it stands for."""
    pairs = {row[0]: " ".join(row[1:]) for row in fields(file, 2)}
    if not pairs:
        raise damaged(file.where, "it holds nothing")
    return pairs


def _species(directory: Path, images: Mapping[str, str]) -> dict[str, str]:
    """The name of each image's species."""
    labels, classes = need(directory, "image_class_labels.txt"), need(directory, "classes.txt")
    numbers, names = _pairs(labels), _pairs(classes)
    for image in images:
        if image not in numbers:
            raise damaged(labels.where, f"it lacks image {image}")
        if numbers[image] not in names:
            raise damaged(classes.where, f"it lacks class {numbers[image]}")
    return {image: names[numbers[image]] for image in images}


def _parts(directory: Path, split: str, species: Mapping[str, str], seed: int) -> dict[str, str]:
    """The part of each image; none for split=none."""
    if split == "none":
        return {}
    if split == "published":
        file = need(directory, "train_test_split.txt")
        training = _pairs(file)
        if lacking := [image for image in species if training.get(image) not in ("0", "1")]:
            raise damaged(file.where, f"it has neither 0 nor 1 for image {lacking[0]}")
        return {image: "train" if training[image] == "1" else "test" for image in species}
    classes = sorted(set(species.values()))
    quarter = max(1, len(classes) // 4)
    if len(classes) < 4:
        raise DataError(
            f"{directory} holds {len(classes)} species, too few for train, val and test; use split=published or none"
        )
    if split == "chen":
        of = {name: ("train", "val", "train", "test")[i % 4] for i, name in enumerate(classes)}
    else:
        of = split_classes(classes, {"train": len(classes) - 2 * quarter, "val": quarter, "test": quarter}, seed)
    return {image: of[name] for image, name in species.items()}


def _attributes(directory: Path, images: Mapping[str, str], certainty: int) -> dict[str, list[str]] | None:
    """The attributes present in each image, in the order of their numbers; None where there are no such files.

    A line is image, attribute, whether it is present, certainty, and seconds. Some published lines hold further zeros
    before the seconds, so the certainty is the largest number there.
    """
    labels = find(directory, "image_attribute_labels.txt")
    listed = find(directory, "attributes.txt") or plain(_beside(directory) / "attributes.txt")
    if labels is None or listed is None:
        lacking = "image_attribute_labels.txt" if labels is None else "attributes.txt"
        warnings.warn(f"{directory} holds no {lacking}: the column attributes is left out", stacklevel=3)
        return None
    names = _pairs(listed)
    present: dict[str, dict[int, str]] = {}
    for row in fields(labels, 4):
        if row[2] == "0":
            continue
        try:
            image, number, sure = row[0], int(row[1]), max(map(int, row[3:-1] or row[3:]))
            if row[2] != "1" or image not in images or sure not in CERTAINTIES:
                raise ValueError
            if sure >= certainty:
                present.setdefault(image, {})[number] = names[row[1]]
        except (ValueError, KeyError):
            raise damaged(
                labels.where, f"{' '.join(row)!r:.80} is not image, attribute, 0 or 1, certainty, time"
            ) from None
    return {image: [by_number[number] for number in sorted(by_number)] for image, by_number in present.items()}


def _captions(directory: Path) -> dict[PurePosixPath, list[str] | None] | None:
    """The sentences by `CLASS/IMAGE`; None where there is no folder of them.

    Some published files hold broken characters in place of a blank; each becomes a blank.
    """
    places = (directory, *sorted(directory.glob("*/")), _beside(directory))
    candidates = [path for text in TEXTS for place in places for path in (place / text, place / f"{text}.zip")]
    folder = next((path for path in candidates if path.is_dir() or path.is_file()), None)
    if folder is None:
        warnings.warn(f"{directory} holds no {' or '.join(TEXTS)}: the column caption is left out", stacklevel=3)
        return None
    captions = {}
    for name, data in contents(folder, ".txt"):
        text = re.sub("\ufffd+", " ", data.decode("utf-8-sig", errors="replace"))
        captions[PurePosixPath(*name.with_suffix("").parts[-2:])] = sentences(re.split(r"\r\n|\n|\r", text))
    return captions


def _beside(directory: Path) -> Path:
    """The folder that holds `CUB_200_2011` and the files published beside it."""
    return directory.resolve().parent if directory.resolve().name == "CUB_200_2011" else directory
