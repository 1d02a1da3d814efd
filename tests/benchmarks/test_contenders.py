"""The race of the benchmarks: who is compared with whom, and what stops it."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def contenders(script) -> ModuleType:
    return script("contenders")


def test_ratios_are_to_the_fastest_peer_and_never_to_the_library(contenders):
    seconds = {"ours": np.array([1.0, 1.0]), "slow": np.array([4.0, 4.0]), "fast": np.array([2.0, 2.0])}
    records = {r["name"]: r for r in contenders.against_fastest("step", seconds, at_least=1.8)}
    assert {r["reference"] for r in records.values()} == {"fast"}
    assert [records[n]["ratio"] for n in ("ours", "slow", "fast")] == [2.0, 0.5, 1.0]
    assert records["ours"]["met"]


def test_other_gradients_are_not_compared(contenders):
    ours = np.array([1.0, -2.0, 3.0])
    contenders.agree({"ours": ours, "plain": ours * (1 + 1e-12)})
    with pytest.raises(SystemExit, match=r"plain differs .* by 1\.0e-06"):
        contenders.agree({"ours": ours, "plain": ours * (1 + 1e-6)})
    with pytest.raises(SystemExit, match="by nan"):
        contenders.agree({"ours": ours, "plain": ours * np.nan})
