from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf
from support.fused import DIM, build, here, rows

from omnishot.errors import UsageError
from omnishot.nn.fusion.graph import Graph


@given(st.integers(0, 999))
@settings(max_examples=10)
def test_nodes_tell_each_other_what_they_hold_and_are_read_out(seed):
    x, present = rows(seed)
    fusion = build("graph", {"rounds": 2}, seed=seed)
    got = fusion(x, present).detach().numpy()
    p = {n: t.detach().numpy() for n, t in fusion.named_parameters()}
    for row in range(len(x)):
        nodes = {i: x[row, i].numpy() + p["positions"][i] for i in here(present[row])}
        for turn in range(2):
            normed = {}
            for i, h in nodes.items():
                unit = (h - h.mean()) / np.sqrt(h.var() + 1e-5)
                normed[i] = unit * p[f"norms.{turn}.scale"] + p[f"norms.{turn}.shift"]
            keys = {i: p[f"keys.{turn}.weight"] @ h + p[f"keys.{turn}.bias"] for i, h in normed.items()}
            after = {}
            for i, h in nodes.items():
                total, mean = 1.0, normed[i].copy()
                for j in nodes:
                    if j != i:
                        edge = 1 / (1 + np.exp(-keys[i] @ keys[j] / DIM**0.5))
                        total, mean = total + edge, mean + edge * normed[j]
                told = p[f"messages.{turn}.weight"] @ (mean / total) + p[f"messages.{turn}.bias"]
                after[i] = h + told * (1 + erf(told / 2**0.5)) / 2  # GELU
            nodes = after
        weights = {i: np.exp(h @ p["score.weight"][0] + p["score.bias"][0]) for i, h in nodes.items()}
        expected = sum((weights[i] * h for i, h in nodes.items()), np.zeros(DIM)) / max(sum(weights.values()), 1e-9)
        assert np.allclose(got[row], expected)


def test_the_graph_is_symmetric_and_absent_nodes_have_no_edges():
    x, present = rows(0)
    fusion = build("graph", {})
    edges = fusion.adjacency(x, present)
    assert torch.allclose(edges, edges.mT)
    both = present[:, :, None] & present[:, None, :]
    assert (edges[~both] == 0).all()
    assert ((edges[both] > 0) & (edges[both] <= 1)).all()
    assert (edges.diagonal(dim1=-2, dim2=-1)[present] == 1).all()


def test_no_rounds_are_refused():
    with pytest.raises(UsageError, match="messages in 0 rounds"):
        Graph(2, DIM, rounds=0)
