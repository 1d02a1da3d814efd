"""Finding rows by words and files."""

from __future__ import annotations

import numpy as np
import pytest
from support import tables

import omnishot as om
from omnishot.analysis.search.gallery import Gallery, gallery_for
from omnishot.errors import DataError, UsageError


def test_matches_are_nearest_by_the_cosine_of_the_embeddings(run, birds):
    result = om.search(run, birds, "seen near the lake, day 0", top=4)
    assert (result.input, result.by, result.exact) == ("note", "photo", True)
    data, learner = run.dataset(), run.learner
    rows = data.store.gather(np.arange(len(data.store)))
    each = learner.embeddings(learner.params(), rows).detach().double().numpy()
    query = next(i for i, row in enumerate(tables.read(birds)) if row["note"] == "seen near the lake, day 0")
    words, photos = each[query, 1], each[:, 0]
    present = rows.present[:, 0].numpy()
    cosine = photos @ words / np.maximum(np.linalg.norm(photos, axis=1) * np.linalg.norm(words), 1e-9)
    order = np.argsort(-np.where(present, cosine, -2))[:4]
    assert [hit.similarity for hit in result.hits] == pytest.approx(cosine[order], abs=1e-5)
    assert [hit.row for hit in result.hits] == [i + 2 for i in order]  # lines of the file
    assert result.rows == present.sum() < len(present)
    lines = tables.read(birds)
    assert [hit.values["photo"] for hit in result.hits] == [lines[i]["photo"] for i in order]
    assert all("" not in hit.values.values() for hit in result.hits)


def test_a_file_is_the_first_input_of_its_kind_and_finds_itself(run, birds):
    photo = birds.parent / tables.read(birds)[5]["photo"]
    result = om.search(run, birds, str(photo), by="photo", top=3)
    assert (result.input, result.hits[0].row) == ("photo", 7)
    assert result.hits[0].similarity == pytest.approx(1, abs=1e-5)
    again = om.search(run, birds, photo.read_bytes(), by="photo", top=3)
    assert [h.row for h in again.hits] == [h.row for h in result.hits]
    assert om.search(run, birds, photo, top=1).by == "note"


def test_a_row_is_a_query_of_several_columns(run, birds):
    result = om.search(run, birds, {"weight": 31}, by="tabular", top=2)
    assert result.input == "tabular"
    weights = [abs(float(hit.values["weight"]) - 31) for hit in result.hits]
    assert max(weights) < 5
    with pytest.raises(UsageError, match="a row of one input, not of note, tabular"):
        om.search(run, birds, {"weight": 31, "note": "x"})
    with pytest.raises(UsageError, match="did you mean 'weight'"):
        om.search(run, birds, {"weigth": 31})


def test_the_query_input_is_the_first_other_input_that_the_table_has(run, birds):
    rows = [{"note": "in the wood"}, {"note": None}, {"note": "by the lake", "weight": 3.0}]
    words = om.search(run, rows, "in the wood")
    assert (words.by, words.rows) == ("tabular", 1)
    only = om.search(run, rows[:2], "in the wood")
    assert (only.by, [hit.row for hit in only.hits]) == ("note", [0])
    assert only.hits[0].similarity == pytest.approx(1, abs=1e-5)
    with pytest.raises(DataError, match="no row has the input 'photo'"):
        om.search(run, rows, "in the wood", by="photo")


def test_a_model_searches_by_what_it_adapted(birds, tmp_path):
    quick = {k: v for k, v in tables.QUICK.items() if k != "learner"}
    run = om.train(birds, target="species", out=tmp_path / "run", learner="protomaml", **quick)
    model = run.adapt(birds)
    saved = model.save(tmp_path / "birds.omni")
    by_run, by_model = (om.search(of, birds, "a lake", top=3) for of in (run, model))
    assert [h.similarity for h in by_run.hits] != [h.similarity for h in by_model.hits]
    assert om.search(saved, birds, "a lake", top=3) == by_model
    assert om.search(tmp_path / "run", birds, "a lake", top=3) == by_run


def test_an_index_finds_the_same(run, birds):
    pytest.importorskip("faiss")
    exact, index = (Gallery(run, birds, "photo", exact=e).search("near the lake", top=9) for e in (True, False))
    assert (exact.exact, index.exact) == (True, False)
    assert [h.row for h in index.hits] == [h.row for h in exact.hits]
    assert [h.similarity for h in index.hits] == pytest.approx([h.similarity for h in exact.hits], abs=1e-5)


def test_many_queries_of_one_gallery(run, birds):
    gallery = gallery_for(run, birds, "near the lake")
    assert gallery.search("in the wood", top=2) == om.search(run, birds, "in the wood", top=2)
    assert len(gallery.search("in the wood", top=1000).hits) == gallery.search("x").rows
    with pytest.raises(UsageError, match="top must be at least 1, not 0"):
        gallery.search("x", top=0)


def test_bad_cells_are_left_out_and_reported(run, birds, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    tables.picture(tmp_path / "good.png", 3, np.random.default_rng(0))
    gallery = Gallery(run, tables.write(tmp_path / "t.csv", [{"photo": "broken.png"}, {"photo": "good.png"}]), "photo")
    assert [(cell.row, cell.column) for cell in gallery.bad] == [(0, "photo")]
    assert [hit.row for hit in gallery.search("near the lake").hits] == [3]
    with pytest.raises(DataError, match=r"'.*broken\.png' cannot be read as photo"):
        gallery.search(tmp_path / "broken.png")


@pytest.mark.parametrize(
    ("query", "options", "kind", "message"),
    [
        ("none.png", {}, DataError, "none.png does not exist"),
        ("words", {"input": "nots"}, UsageError, "did you mean 'note'"),
        ("words", {"by": "foto"}, UsageError, "did you mean 'photo'"),
        ("words", {"input": "tabular"}, UsageError, "give the query as a row"),
        ("", {}, DataError, "cannot be read as note: it is empty"),
        (b"RIFF____WAVEfmt ", {}, UsageError, "is audio, which no input is"),
        (b"????", {}, UsageError, "has an unknown kind"),
    ],
)
def test_mistakes_are_explained(run, birds, query, options, kind, message):
    with pytest.raises(kind, match=message):
        om.search(run, birds, query, **options)
