"""Things that registries of tests hold."""

from __future__ import annotations


class Documented:
    """A thing with everything.

    More about it, which is no summary.

    Paper: Somebody, Something, 2020
    """

    def __init__(self, first: int, *, size: int = 3, name: str = "x"):
        self.first, self.size, self.name = first, size, name


class Bare:
    pass
