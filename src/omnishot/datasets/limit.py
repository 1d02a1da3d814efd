"""The option `limit` of readers: how many rows of each group (a split, a class) are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from omnishot.errors import UsageError


class RowLimit:
    """Counts rows by group and keeps the first `limit` of each; None keeps all.

    Raises:
        UsageError: if `limit` is less than 1.
    """

    def __init__(self, limit: int | None):
        if limit is not None and limit < 1:
            raise UsageError(f"limit must be at least 1, not {limit}")
        self.limit = limit
        self.counts: Counter[Hashable] = Counter()

    def keeps(self, *group: Hashable) -> bool:
        """Count one more row of the group; whether the row is kept."""
        self.counts[group] += 1
        return self.limit is None or self.counts[group] <= self.limit
