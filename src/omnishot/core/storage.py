"""Files on disk: JSON, and tensors as safetensors with JSON metadata, written atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from omnishot.errors import DataError

#: Version of the layout of runs and models; one that is newer than this program is refused.
FORMAT = 1


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file completely or not at all, even if the machine stops meanwhile.

    Raises:
        DataError: if the disk is full or the folder cannot be written, naming the file.
    """
    data = data.encode() if isinstance(data, str) else data
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise DataError(f"cannot write {path} ({len(data):,} bytes): {error.strerror}") from None


def write_json(path: Path, value: Any) -> None:
    """Write JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        DataError: if the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is missing: is {path.parent} a whole run?") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}") from None


def pack(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file with these tensors and with `facts` as JSON metadata."""
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    return save(plain, metadata={"omnishot": json.dumps({"format": FORMAT, **facts})})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a file written by `pack`.

    Raises:
        DataError: if the file is missing, cut off, not Omnishot's, or of a newer format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("omnishot", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is damaged or cut off: {error}") from None
    if not isinstance(facts, dict):
        raise DataError(f"{path} was not written by Omnishot")
    if facts["format"] > FORMAT:
        raise DataError(f"{path} has format {facts['format']}, this Omnishot reads up to {FORMAT}: upgrade Omnishot")
    return tensors, facts


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """A tree of tensors as a flat dict, levels joined by `/`."""
    flat: dict[str, Tensor] = {}
    for name, value in tree.items():
        flat |= {prefix + name: value} if torch.is_tensor(value) else flatten(value, f"{prefix}{name}/")
    return flat


def unflatten(flat: Mapping[str, Tensor]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *path, leaf = name.split("/")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = value
    return tree
