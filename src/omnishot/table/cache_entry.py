"""One entry of the cache on disk: decoded cells, written whole or not at all, and memory-mapped when read.

An entry is a folder `<key>` that holds `cells.bin` (raw, `[n, *shape]`), `present.npy` (bool `[n]`) and
`meta.json`. It is written as `<key>.partial-...` and renamed when whole, so an entry that has its name is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.core.distributed import Ranks
from omnishot.errors import DataError

VERSION = 1
#: Stored cells `[n, *shape]`; which are present, bool `[n]`; the bad ones as (row, reason).
Decoded = tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]
#: Which of one rank's cells are present, and the bad ones.
RankResult = tuple[np.ndarray, list[tuple[int, str]]]


def entry_meta(cells: int, settings: dict[str, Any], shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    """The content of an entry's `meta.json`, without its bad cells: `cells` cells of `shape` and `dtype`."""
    kind = np.dtype(dtype).str
    return {"version": VERSION, "settings": settings, "shape": list(shape), "dtype": kind, "cells": cells}


def open_entry(entry: Path, meta: dict[str, Any], fill: Callable[[np.ndarray], RankResult], host: Ranks) -> Decoded:
    """Read an entry; if there is none, write it first.

    Args:
        entry: its folder.
        meta: see `entry_meta`.
        fill: writes one rank's cells into the array that it gets, `[cells of the rank, *shape]`.
        host: the ranks that write the entry together, each its own range of cells.

    Raises:
        DataError: if the entry cannot be written, or was damaged while it was written.
    """
    root, total = entry.parent, meta["cells"]
    if not host.on_main(lambda: _load(entry, meta) is not None):
        shard = host.shard(total)
        needed = total * int(np.prod(meta["shape"])) * np.dtype(meta["dtype"]).itemsize
        partial = host.on_main(lambda: root / f"{entry.name}.partial-{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
        try:
            host.on_main(lambda: _begin(partial, needed))
            with _room(root, needed):
                stored = _map(partial / "cells.bin", meta, "r+")
            done = fill(stored[shard.start : shard.stop])
            with _room(root, needed):
                if isinstance(stored, np.memmap):
                    stored.flush()
            results = host.gather((shard.start, *done))
            host.on_main(lambda: _finish(partial, entry, meta, needed, results))
        finally:
            if host.rank == 0:
                shutil.rmtree(partial, ignore_errors=True)
    loaded = _load(entry, meta)
    if loaded is None:
        raise DataError(f"the cache entry {entry} was damaged while it was written: try again")
    return loaded


def _begin(partial: Path, needed: int) -> None:
    """Make the folder of an unfinished entry and reserve the space of its cells."""
    root = partial.parent
    with _room(root, needed):
        partial.mkdir(parents=True)
        _remove_stale(root)
        _allocate(partial / "cells.bin", needed)


def _finish(
    partial: Path,
    entry: Path,
    meta: dict[str, Any],
    needed: int,
    results: Sequence[tuple[int, np.ndarray, list[tuple[int, str]]]],
) -> None:
    """Publish a filled entry; `results` holds for each rank its first row, its present cells and its bad cells."""
    bad = [(start + row, reason) for start, _, problems in results for row, reason in problems]
    with _room(entry.parent, needed):
        np.save(partial / "present.npy", np.concatenate([present for _, present, _ in results]))
        (partial / "meta.json").write_text(json.dumps({**meta, "bad": bad}))
        _publish(partial, entry, meta)


def _publish(partial: Path, entry: Path, meta: dict[str, Any]) -> None:
    """Sync the folder to disk and rename it, unless another process has published the same entry first."""
    for file in (*partial.iterdir(), partial):
        _sync(file)
    try:
        partial.rename(entry)
    except OSError:
        if _load(entry, meta) is not None:
            return
        shutil.rmtree(entry, ignore_errors=True)  # damaged
        partial.rename(entry)
    _sync(entry.parent)


def _load(entry: Path, meta: dict[str, Any]) -> Decoded | None:
    """A whole entry, or None if there is none or it is damaged."""
    try:
        saved = json.loads((entry / "meta.json").read_text())
        bad = [(int(row), str(reason)) for row, reason in saved.pop("bad")]
        present = np.load(entry / "present.npy", allow_pickle=False)
        if saved != json.loads(json.dumps(meta)) or present.shape != (meta["cells"],) or present.dtype != bool:
            return None
        return _map(entry / "cells.bin", meta, "r"), present, bad
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _map(path: Path, meta: dict[str, Any], mode: Any) -> np.ndarray:
    shape, dtype = (meta["cells"], *meta["shape"]), np.dtype(meta["dtype"])
    size = int(np.prod(shape)) * dtype.itemsize
    if path.stat().st_size != size:
        raise ValueError(f"{path} holds {path.stat().st_size} bytes, not {size}")
    return np.memmap(path, dtype, mode, shape=shape) if size else np.zeros(shape, dtype)


@contextmanager
def _room(root: Path, needed: int) -> Iterator[None]:
    """Turn an OSError (a full disk, a folder without write permission) into a DataError with a remedy."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot cache decoded cells in {root}: {error.strerror or error} ({needed:,} bytes are needed): "
            "make room there, or set OMNISHOT_CACHE to a folder on a disk that has it"
        ) from error


def _allocate(path: Path, size: int) -> None:
    """Reserve the file now: a full disk is an error here, but a crash when memory-mapped pages are written."""
    with path.open("wb") as file:
        if not size:
            return
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
            return
        block = bytes(1 << 20)
        for start in range(0, size, len(block)):
            file.write(block[: size - start])


def _remove_stale(root: Path) -> None:
    """Remove unfinished entries of processes on this host that no longer run."""
    for folder in root.glob(f"*.partial-{_host()}-*"):
        pid = folder.name.rsplit("-", 2)[1]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _host() -> str:
    """A short name of this host: a cache on a shared disk holds partial folders of processes elsewhere."""
    return hashlib.blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
