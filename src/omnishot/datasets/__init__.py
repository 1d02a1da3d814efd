"""Readers of published data sets in the layout they were published in: each writes one table.

Adding a data set is adding one file with a function `read(directory, out, *, options) -> Path`, and one line
here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnishot.core.registry import Registry

DATASETS = Registry(
    "dataset",
    {
        "audio-folder": "omnishot.datasets.folders:read_audio",
        "avmnist": "omnishot.datasets.avmnist:read",
        "coco": "omnishot.datasets.coco:read",
        "cub": "omnishot.datasets.cub:read",
        "esc50": "omnishot.datasets.esc50:read",
        "flickr30k": "omnishot.datasets.flickr30k:read",
        "flickr8k": "omnishot.datasets.flickr8k:read",
        "fsdd": "omnishot.datasets.fsdd:read",
        "image-folder": "omnishot.datasets.folders:read_images",
        "mnist": "omnishot.datasets.mnist:read",
        "omniglot": "omnishot.datasets.omniglot:read",
        "omniglot-strokes": "omnishot.datasets.omniglot_strokes:read",
        "sick": "omnishot.datasets.sick:read",
        "speech-commands": "omnishot.datasets.speech_commands:read",
        "ucihar": "omnishot.datasets.ucihar:read",
        "vqa": "omnishot.datasets.vqa:read",
    },
)


def read(name: str, directory: str | Path, out: str | Path, /, **options: Any) -> Path:
    """Write the data set `name` in the folder `directory` as the table `out`; returns its path.

    Raises:
        UsageError: if the data set or an option is unknown, or an option's value does not fit.
        DataError: if `directory` does not hold the published files, or one of them is damaged.
    """
    return DATASETS.call(name, Path(directory), Path(out), **options)
