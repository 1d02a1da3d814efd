"""From a table to a store of its decoded rows."""

from __future__ import annotations

from collections.abc import Mapping

from omnishot.core.distributed import ALONE, Ranks
from omnishot.episodes.store import Store
from omnishot.modality.base import Modality
from omnishot.modality.inputs import decode_inputs
from omnishot.table.checking import BadCell
from omnishot.table.table import Table


def decode_table(
    table: Table,
    modalities: Mapping[str, Modality],
    *,
    cached: bool = False,
    progress: bool = False,
    host: Ranks = ALONE,
) -> tuple[Store, list[BadCell]]:
    """Decode every row of a table with fitted modalities, without a target; also the cells that cannot be read.

    Args:
        cached: whether decoded media go through the cache on disk.
        progress: show progress on stderr.
        host: the ranks that fill the cache together.

    Raises:
        UsageError: if the table lacks a column that a modality reads.
        DataError: if the cache cannot be written.
    """
    decoded = decode_inputs(table, modalities, cached=cached, progress=progress, host=host)
    return Store(modalities, decoded.stored, decoded.present), decoded.bad
