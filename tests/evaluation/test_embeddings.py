"""Rows as unit vectors by one input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.errors import UsageError
from omnishot.evaluation.embeddings import unit_vectors
from omnishot.learners.distances import cosines


@pytest.mark.parametrize("how", [None, "model", "impute"])
def test_one_input_is_embedded_as_among_the_others(how):
    net = helpers.network("words", "facts", "sensor", **(helpers.OTHER_NETWORKS[how] if how else {})).double()
    rows = helpers.random_rows(net.modalities, (9,), 3, 0)
    together = net.embeddings(rows)
    for i, name in enumerate(net.names):
        alone = net.embedding(name, rows.inputs[name], rows.present[:, i])
        assert torch.allclose(alone, together[:, i], atol=1e-12)
        assert (alone[~rows.present[:, i]] == 0).all()


def test_a_single_input_and_none():
    net = helpers.network("facts").double()
    rows = helpers.random_rows(net.modalities, (5,), 3, 0)
    assert torch.equal(net.embedding("facts", rows.inputs["facts"], rows.present[:, 0]), net.embeddings(rows)[:, 0])
    early = helpers.network("words", "facts", level="early")
    with pytest.raises(UsageError, match="level 'early' has no embeddings"):
        early.embedding("facts", rows.inputs["facts"], rows.present[:, 0])


def test_cca_compares_inputs_by_what_they_are_mapped_to():
    learner = helpers.learner("cca", helpers.network("words", "facts"), power=2.0)
    rows = helpers.random_rows(learner.network.modalities, (12,), 3, 0)
    params = learner.params()
    each = torch.stack(
        [learner.embedding(params, n, rows.inputs[n], rows.present[:, i]) for i, n in enumerate(learner.network.names)],
        1,
    )
    mean = each.sum(1) / rows.present.sum(1, keepdim=True).clamp(min=1)
    assert torch.allclose(mean, learner.mapped(params, rows), atol=1e-12)
    assert cosines(mean, mean).shape == (12, 12)


def test_vectors_are_of_unit_length_whatever_the_chunk(run, monkeypatch):
    data, learner = run.dataset(), run.learner
    rows = np.arange(len(data.store))[::-1].copy()
    found = unit_vectors(learner, learner.params(), data.store, "photo", rows)
    here = data.store.present[rows, list(data.store.modalities).index("photo")]
    assert 0 < here.sum() < len(here)
    assert np.allclose(np.linalg.norm(found[here], axis=1), 1, atol=1e-5)
    assert (found[~here] == 0).all()
    monkeypatch.setattr("omnishot.evaluation.embeddings.CHUNK", 7)
    assert np.allclose(unit_vectors(learner, learner.params(), data.store, "photo", rows), found, atol=1e-5)
    whole = learner.embeddings(learner.params(), data.store.gather(rows))[:, 0].detach().numpy()
    cosine = (whole * found).sum(-1) / np.maximum(np.linalg.norm(whole, axis=1), 1e-9)
    assert np.allclose(cosine[here], 1, atol=1e-5)
