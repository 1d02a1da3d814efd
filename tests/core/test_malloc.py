"""Freed memory stays with the process, unless the environment says otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from omnishot.core.malloc import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"

# Allocates and frees 64 blocks of 16 MB again and again; prints how many pages were faulted in after the first rounds.
CHURN = """
import resource, sys
from omnishot.core.malloc import keep_freed_memory
import torch
kept = keep_freed_memory()
def round():
    blocks = [torch.ones(4_000_000) for _ in range(16)]
for _ in range(3):
    round()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    round()
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def churn(**environment: str) -> tuple[int, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "LD_PRELOAD"))}
    done = subprocess.run(
        [sys.executable, "-c", CHURN], env=clean | environment, capture_output=True, text=True, check=True
    )
    kept, faults = done.stdout.split()
    return int(kept), int(faults)


@pytest.mark.skipif(not GLIBC, reason="another C library")
def test_freed_memory_is_not_faulted_in_again():
    kept, faults = churn()
    assert kept
    # Left to itself glibc may or may not give the blocks back, by what happens to lie behind them; told so, it does.
    left_alone, many = churn(MALLOC_MMAP_THRESHOLD_="1000000")
    assert not left_alone
    assert many > 1000
    assert faults < many / 10


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("OMNISHOT_MALLOC", "default")
    assert not keep_freed_memory()


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_a_setting_of_the_users_own_is_left_alone(name, monkeypatch):
    monkeypatch.setenv(name, "")
    assert not keep_freed_memory()
