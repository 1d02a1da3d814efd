"""The cache of decoded cells: decoded once, then memory-mapped; named by content and settings.

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

from omnishot.core.distributed import ALONE, Ranks
from omnishot.errors import DataError
from omnishot.table.cells import missing, open_cell
from omnishot.table.parallel import in_chunks
from omnishot.table.table import cell_digest

VERSION = 1
Decoded = tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]
#: Which of a rank's cells are present, and the bad ones.
Share = tuple[np.ndarray, list[tuple[int, str]]]


def cache_root() -> Path:
    """`$OMNISHOT_CACHE`, else `omnishot` in the user's cache folder."""
    if said := os.environ.get("OMNISHOT_CACHE"):
        return Path(said).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "omnishot"


def decoded(
    cells: Sequence[Any],
    *,
    key_settings: dict[str, Any],
    shape: tuple[int, ...],
    dtype: Any,
    decode: Callable[[bytes | np.ndarray], np.ndarray],
    folder: Path | None,
    root: Path | None = None,
    label: str | None = None,
    workers: int | None = None,
    host: Ranks = ALONE,
) -> Decoded:
    """Every cell decoded, from the cache if the same cells were decoded with the same settings before.

    Args:
        cells: n media cells (see `open_cell`); missing ones stay zero.
        key_settings: JSON-able, everything that `decode` depends on.
        shape, dtype: of one decoded cell.
        decode: content -> array of `shape`; a ValueError says why a cell is bad.
        folder: where paths start from.
        root: of the cache; by default `cache_root()`.
        label: shows progress on stderr.
        host: the ranks that share the cache, of which each reads and decodes its share of the cells.

    Returns:
        Stored cells `[n, *shape]`, read-only and memory-mapped; present, bool `[n]`; and the bad cells as
        (row, reason), which are stored as zeros and not present.

    Raises:
        DataError: if the cache cannot be written: the disk is full, or the folder not ours.
    """
    cells, root = list(cells), root or cache_root()
    meta = _about(len(cells), key_settings, shape, dtype)
    span = host.shard(len(cells))
    cells = cells[span.start : span.stop]
    workers = workers or max(1, min(32, os.cpu_count() or 1) // host.world)
    key = _key(cells, folder, meta, label and f"{label}: looking", workers, host)
    return _entry(root / key, meta, lambda stored: _decode_into(stored, cells, decode, folder, label, workers), host)


def derived(
    cells: np.ndarray,
    present: np.ndarray,
    *,
    key_settings: dict[str, Any],
    shape: tuple[int, ...],
    dtype: Any,
    derive: Callable[[np.ndarray], np.ndarray],
    root: Path | None = None,
    label: str | None = None,
    host: Ranks = ALONE,
) -> np.ndarray:
    """What `derive` makes of decoded cells, from the cache if it was made of the same cells with the same settings.

    Args:
        cells: `[n, *cell]`, decoded.
        present: bool `[n]`; what is made of the other cells is zero.
        key_settings: JSON-able, everything that `derive` depends on.
        shape, dtype: of what is made of one cell.
        derive: some cells `[k, *cell]` -> `[k, *shape]`.
        root, label, host: as `decoded` takes them.

    Returns:
        `[n, *shape]`, read-only and memory-mapped.

    Raises:
        DataError: as `decoded` does.
    """
    meta = _about(len(cells), key_settings, shape, dtype)
    span = host.shard(len(cells))
    own = slice(span.start, span.stop)
    digests = (cell_digest(cells[i]) if present[i] else bytes(16) for i in span)  # of each: ranks may deal otherwise
    key = _joined(meta, b"".join(digests), host)

    def fill(stored: np.ndarray) -> Share:
        derive_into(stored, cells[own], present[own], derive, label)
        return present[own], []

    return _entry((root or cache_root()) / key, meta, fill, host)[0]


def derive_into(
    out: np.ndarray,
    cells: np.ndarray,
    present: np.ndarray,
    derive: Callable[[np.ndarray], np.ndarray],
    label: str | None = None,
) -> None:
    """Fill `out` `[n, *shape]`, which is zero, with what `derive` makes of the present cells, a batch at a time."""
    rows = np.flatnonzero(present)

    def work(chunk: range) -> None:
        some = rows[chunk.start : chunk.stop]
        out[some] = derive(cells[some])

    for _ in in_chunks(work, len(rows), label=label, workers=1):
        pass


def _about(cells: int, settings: dict[str, Any], shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    """What an entry's `meta.json` says of it, beside its bad cells."""
    kind = np.dtype(dtype).str
    return {"version": VERSION, "settings": settings, "shape": list(shape), "dtype": kind, "cells": cells}


def _entry(entry: Path, meta: dict[str, Any], fill: Callable[[np.ndarray], Share], host: Ranks) -> Decoded:
    """An entry, made by `fill` if there is none; every rank fills its share of it."""
    root, total = entry.parent, meta["cells"]
    if not host.on_main(lambda: _load(entry, meta) is not None):
        span = host.shard(total)
        needed = total * int(np.prod(meta["shape"])) * np.dtype(meta["dtype"]).itemsize
        partial = host.on_main(lambda: root / f"{entry.name}.partial-{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
        try:
            host.on_main(lambda: _begin(partial, needed))
            with _room(root, needed):
                stored = _map(partial / "cells.bin", meta, "r+")
            done = fill(stored[span.start : span.stop])
            with _room(root, needed):
                if isinstance(stored, np.memmap):
                    stored.flush()
            shares = host.gather((span.start, *done))
            host.on_main(lambda: _finish(partial, entry, meta, needed, shares))
        finally:
            if host.rank == 0:
                shutil.rmtree(partial, ignore_errors=True)
    found = _load(entry, meta)
    if found is None:
        raise DataError(f"the cache entry {entry} was damaged while it was written: try again")
    return found


def _key(
    cells: Sequence[Any],
    folder: Path | None,
    meta: dict[str, Any],
    label: str | None,
    workers: int | None,
    host: Ranks,
) -> str:
    """The name of an entry; `cells` are this rank's share."""

    def digest(chunk: range) -> bytes:
        return b"".join(_content_digest(cells[i], folder) for i in chunk)

    return _joined(meta, b"".join(in_chunks(digest, len(cells), label=label, workers=workers)), host)


def _joined(meta: dict[str, Any], share: bytes, host: Ranks) -> str:
    """A key of what an entry is about and every rank's share of what it is made of."""
    key = hashlib.blake2b(json.dumps(meta, sort_keys=True).encode(), digest_size=20)
    for part in host.gather(share):
        key.update(part)
    return key.hexdigest()


def _begin(partial: Path, needed: int) -> None:
    """Make the folder of an entry to be, with room for its cells."""
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
    shares: Sequence[tuple[int, np.ndarray, list[tuple[int, str]]]],
) -> None:
    """Publish what was decoded: by share its first row, which of its cells are present, and the bad ones."""
    bad = [(start + row, reason) for start, _, found in shares for row, reason in found]
    with _room(entry.parent, needed):
        np.save(partial / "present.npy", np.concatenate([present for _, present, _ in shares]))
        (partial / "meta.json").write_text(json.dumps({**meta, "bad": bad}))
        _publish(partial, entry, meta)


def _content_digest(cell: Any, folder: Path | None) -> bytes:
    """16 bytes for what `open_cell` gives; a cell that cannot be opened counts by the reason."""
    if missing(cell):
        return bytes(16)
    try:
        return cell_digest(open_cell(cell, folder))
    except ValueError as problem:
        return cell_digest(str(problem))


def _decode_into(
    stored: np.ndarray,
    cells: Sequence[Any],
    decode: Callable[[bytes | np.ndarray], np.ndarray],
    folder: Path | None,
    label: str | None,
    workers: int | None,
) -> Share:
    """Fill `stored`; which cells are present, and the bad ones."""
    present = np.zeros(len(cells), dtype=bool)

    def work(chunk: range) -> list[tuple[int, str]]:
        bad = []
        for i in chunk:
            if missing(cells[i]):
                continue
            try:
                array = np.asarray(decode(open_cell(cells[i], folder)))
            except ValueError as problem:
                bad.append((i, str(problem)))
                continue
            if array.shape != stored.shape[1:]:  # the modality's mistake, not the cell's
                raise TypeError(f"decoding gave shape {array.shape}, not {stored.shape[1:]}")
            stored[i], present[i] = array, True
        return bad

    bad = [problem for part in in_chunks(work, len(cells), label=label, workers=workers) for problem in part]
    return present, bad


@contextmanager
def _room(root: Path, needed: int) -> Iterator[None]:
    """Explain that the disk is full, or the folder not ours."""
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


def _publish(partial: Path, entry: Path, meta: dict[str, Any]) -> None:
    """Give the folder its name once it is on the disk, unless another process has been first."""
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


def _remove_stale(root: Path) -> None:
    """Remove what processes of this host left behind that no longer run."""
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
