"""Keeps freed memory within the process.

glibc returns large freed blocks to the kernel at once and requests them anew a moment later; every page is then faulted
in again, which can take longer than the arithmetic on it. A meta-step frees and allocates the same hundreds of
megabytes each time.
"""

from __future__ import annotations

import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3), as in malloc.h
_LARGEST = 1 << 30


def keep_freed_memory() -> bool:
    """Set glibc to keep freed memory, for the rest of the process; returns whether that could be done.

    The process then holds the largest amount of memory that it has needed at one time. Nothing is done with another C
    library, or where the environment already configures the allocator (`MALLOC_TRIM_THRESHOLD_`,
    `MALLOC_MMAP_THRESHOLD_`, `GLIBC_TUNABLES`, `LD_PRELOAD`), or with `OMNISHOT_MALLOC=default`.
    """
    settings = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
    if os.environ.get("OMNISHOT_MALLOC") == "default" or any(name in os.environ for name in settings):
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, 2 * _LARGEST - 1))
