"""The cache of decoded cells: decoded once, then memory-mapped (`cache_entry`); named by content and settings."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from omnishot.core.distributed import ALONE, Ranks
from omnishot.table.cache_entry import Decoded, RankResult, entry_meta, open_entry
from omnishot.table.cells import missing, open_cell
from omnishot.table.parallel import in_chunks
from omnishot.table.table import cell_digest


def cache_root() -> Path:
    """`$OMNISHOT_CACHE`, else `omnishot` in the user's cache folder."""
    if folder := os.environ.get("OMNISHOT_CACHE"):
        return Path(folder).expanduser()
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
    """Decode every cell, or read it from the cache if the same cells were decoded with the same settings before.

    Args:
        cells: n media cells (see `open_cell`); missing ones stay zero.
        key_settings: JSON-able, everything that `decode` depends on.
        shape, dtype: of one decoded cell.
        decode: content -> array of `shape`; a ValueError says why a cell is bad.
        folder: where paths start from.
        root: of the cache; by default `cache_root()`.
        label: shows progress on stderr.
        host: the ranks that share the cache; each reads and decodes its own range of the cells.

    Returns:
        Stored cells `[n, *shape]`, read-only and memory-mapped; present, bool `[n]`; and the bad cells as
        (row, reason), which are stored as zeros and not present.

    Raises:
        DataError: if the cache cannot be written: a full disk, or a folder without write permission.
    """
    cells, root = list(cells), root or cache_root()
    meta = entry_meta(len(cells), key_settings, shape, dtype)
    shard = host.shard(len(cells))
    cells = cells[shard.start : shard.stop]
    workers = workers or max(1, min(32, os.cpu_count() or 1) // host.world)
    key = _key(cells, folder, meta, label and f"{label}: looking", workers, host)
    return open_entry(
        root / key, meta, lambda stored: _decode_into(stored, cells, decode, folder, label, workers), host
    )


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
    """Apply `derive` to decoded cells, or read its result from the cache if it was computed before.

    Args:
        cells: `[n, *cell]`, decoded.
        present: bool `[n]`; the result of the other cells is zero.
        key_settings: JSON-able, everything that `derive` depends on.
        shape, dtype: of the result of one cell.
        derive: some cells `[k, *cell]` -> `[k, *shape]`.
        root, label, host: see `decoded`.

    Returns:
        `[n, *shape]`, read-only and memory-mapped.

    Raises:
        DataError: see `decoded`.
    """
    meta = entry_meta(len(cells), key_settings, shape, dtype)
    shard = host.shard(len(cells))
    own = slice(shard.start, shard.stop)
    # One digest a cell: the key does not depend on how many ranks divide the cells.
    digests = (cell_digest(cells[i]) if present[i] else bytes(16) for i in shard)
    key = _combined_key(meta, b"".join(digests), host)

    def fill(stored: np.ndarray) -> RankResult:
        derive_into(stored, cells[own], present[own], derive, label)
        return present[own], []

    return open_entry((root or cache_root()) / key, meta, fill, host)[0]


def derive_into(
    out: np.ndarray,
    cells: np.ndarray,
    present: np.ndarray,
    derive: Callable[[np.ndarray], np.ndarray],
    label: str | None = None,
) -> None:
    """Write `derive` of the present cells into `out` `[n, *shape]` (zeros at first), a batch at a time."""
    rows = np.flatnonzero(present)

    def work(chunk: range) -> None:
        some = rows[chunk.start : chunk.stop]
        out[some] = derive(cells[some])

    for _ in in_chunks(work, len(rows), label=label, workers=1):
        pass


def _key(
    cells: Sequence[Any],
    folder: Path | None,
    meta: dict[str, Any],
    label: str | None,
    workers: int | None,
    host: Ranks,
) -> str:
    """The name of an entry; `cells` are those of this rank."""

    def digest(chunk: range) -> bytes:
        return b"".join(_content_digest(cells[i], folder) for i in chunk)

    return _combined_key(meta, b"".join(in_chunks(digest, len(cells), label=label, workers=workers)), host)


def _combined_key(meta: dict[str, Any], own: bytes, host: Ranks) -> str:
    """The key of an entry: a digest of its `meta` and of the content digests of all ranks, this rank's being `own`."""
    key = hashlib.blake2b(json.dumps(meta, sort_keys=True).encode(), digest_size=20)
    for part in host.gather(own):
        key.update(part)
    return key.hexdigest()


def _content_digest(cell: Any, folder: Path | None) -> bytes:
    """16 bytes for the content of a cell; a cell that cannot be opened counts by the reason."""
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
) -> RankResult:
    """Decode the cells into `stored`. Returns which are present, and the bad ones."""
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
