"""MS-COCO captions: 123,287 photographs of scenes, five sentences or more each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omnishot.datasets import captioned
from omnishot.datasets.archive import damaged
from omnishot.datasets.captioned import Captioned
from omnishot.datasets.files import File, find, laid_out, need, parse_json
from omnishot.errors import DataError, UsageError, choose

YEARS = ("2014", "2017")
FOLDERS = ("train2014", "val2014", "train2017", "val2017")
KARPATHY = "dataset_coco.json"


def read(
    directory: Path,
    out: Path,
    *,
    split: str = "published",
    year: int | None = None,
    val: int = 0,
    limit: int | None = None,
) -> Path:
    """MS-COCO captions: 123,287 photographs of scenes, five sentences or more each.

    Writes the captions of `captions_train*.json` and `captions_val*.json` and the photographs of the folders
    `train*` and `val*` as a table, one row a photograph.

    Columns: image, caption (list of sentences), _file (the published name), split.

    Args:
        split: "published" is train and val (the captions of COCO's test photographs are not published);
            "karpathy" is that of `dataset_coco.json`, which most papers use: 113,287 train (its train and restval),
            5,000 val and 5,000 test; "none" writes no such column.
        year: of the captions, 2014 or 2017 (the same photographs in other splits); by default 2014 where its files
            exist.
        val: with split=published, how many of the last train photographs become val while the published val
            becomes test; with 0, val is val and there is no test.
        limit: keep the first so many photographs of each split.

    Raises:
        DataError: if the files are missing or damaged, or all photographs are missing.
        UsageError: if an option does not fit.

    Paper: Chen et al.: Microsoft COCO Captions: Data Collection and Evaluation Server, 2015
    """
    choose("split", split, ("published", "karpathy", "none"))
    if year is not None:
        choose("year", str(year), YEARS)
    if val and split != "published":
        raise UsageError(f"val goes with split=published only, not with split={split}")
    if split == "karpathy":
        pictures = [
            picture._replace(names=aliases(image["filename"]))
            for image, picture in captioned.karpathy(need(directory, KARPATHY))
        ]
    else:
        pictures = hold_out(_published(directory, year), val)
    return captioned.write(directory, out, FOLDERS, pictures, split=split != "none", limit=limit)


def aliases(name: str) -> Sequence[str]:
    """The names that a photograph has: `COCO_train2014_000000000009.jpg` in 2014 is `000000000009.jpg` in 2017."""
    if name.startswith("COCO_"):
        return name, name.rpartition("_")[2]
    return name, f"COCO_train2014_{name}", f"COCO_val2014_{name}"


def hold_out(pictures: Sequence[Captioned], val: int) -> list[Captioned]:
    """Make val of the last `val` pictures for train, and test of those for val; with 0 all stays.

    Raises:
        UsageError: if that leaves nothing to train on.
    """
    train = sum(picture.split == "train" for picture in pictures)
    if not val:
        return list(pictures)
    if not 0 < val < train:
        raise UsageError(f"val must be at least 0 and less than the {train} train pictures, got {val}")
    moved, passed_train = [], 0
    for picture in pictures:
        passed_train += picture.split == "train"
        part = "test" if picture.split == "val" else "val" if passed_train > train - val else "train"
        moved.append(picture._replace(split=part))
    return moved


def _published(directory: Path, year: int | None) -> list[Captioned]:
    """The pictures of the train and the val file of one year, in the order of the files."""
    years = YEARS if year is None else (str(year),)
    names = [f"captions_{part}{y}.json" for y in years for part in ("train", "val")]
    remedy = "with dataset_coco.json alone use split=karpathy"
    first = Path(need(directory, *names, remedy=remedy).where).stem
    chosen = first[-4:]
    pictures = []
    for part in ("train", "val"):
        if file := find(directory, f"captions_{part}{chosen}.json"):
            pictures += _captioned(file, part)
    if not pictures:
        raise DataError(f"{directory}: its captions name no picture")
    return pictures


def _captioned(file: File, part: str) -> list[Captioned]:
    """The pictures of one file, those without a caption included. A repeated annotation counts once."""
    with laid_out(file.where):
        content = parse_json(file)
        images = {image["id"]: image["file_name"] for image in content["images"]}
        captions: dict[int, dict[int, str]] = {number: {} for number in images}
        for annotation in content["annotations"]:
            if annotation["image_id"] not in images:
                raise damaged(file.where, f"caption {annotation['id']} is of no picture: {annotation['image_id']}")
            captions[annotation["image_id"]][annotation["id"]] = annotation["caption"].strip()
    return [Captioned(aliases(name), list(captions[number].values()), part) for number, name in images.items()]
