"""Frozen encoders: the modality, and the story of a run that takes one from an earlier run."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from support import helpers, tables

import omnishot as om
from omnishot.core.distributed import ALONE
from omnishot.core.storage import pack
from omnishot.errors import DataError, UsageError
from omnishot.experiment.build import restore_modality
from omnishot.modality.features import Features, freeze, frozen_weights
from omnishot.modality.inputs import decode_inputs
from omnishot.nn.encoders import build
from omnishot.report import write
from omnishot.runs.run import Run
from omnishot.table.cache import derived
from omnishot.training.train import train

ONE = {n: v for n, v in tables.QUICK.items() if n not in ("image", "text", "tabular")}
FREEZABLE = {"photo": "conv4", "words": "gru", "sensor": "conv1d", "facts": "mlp"}


@pytest.fixture
def features() -> Features:
    torch.manual_seed(0)
    photo = helpers.MODALITIES["photo"]
    return freeze(photo, build(photo, "conv4", width=4), "conv4", {"width": 4})


@pytest.fixture
def encoded(monkeypatch) -> list[int]:
    """How many cells each call of a frozen encoder was given."""
    counts: list[int] = []
    derive = Features.derive

    def counted(self: Features, cells: np.ndarray) -> np.ndarray:
        counts.append(len(cells))
        return derive(self, cells)

    monkeypatch.setattr(Features, "derive", counted)
    return counts


@pytest.mark.parametrize(("name", "encoder"), FREEZABLE.items())
def test_features_survive_their_json_and_weights(name, encoder):
    of = helpers.MODALITIES[name]
    before = freeze(of, build(of, encoder, width=8), encoder, {"width": 8})
    after = restore_modality("a/b", json.loads(json.dumps(before.to_json())), frozen_weights({"a/b": before}))
    assert after == before
    assert isinstance(after, Features)
    assert not any(p.requires_grad for p in after.module.parameters())
    cells = np.zeros((3, *of.shape), of.dtype)
    assert np.array_equal(before.derive(cells), after.derive(cells))
    assert after.derive(cells).shape == (3, *after.shape)


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_weights_that_are_not_those_that_were_frozen_are_refused(features, damage):
    weights = {n: t.clone() for n, t in frozen_weights({"photo": features}).items()}
    if damage == "missing":
        weights = {}
    else:
        next(iter(weights.values())).view(-1)[0] += 1
    with pytest.raises(DataError, match="frozen weights of input 'photo' are missing or damaged"):
        restore_modality("photo", features.to_json(), weights)


def test_noise_leaves_nothing_at_level_one_and_everything_at_level_zero(features):
    a, b = torch.randn(2, 50, features.width)
    whole = [features.corrupt(x, 1.0, torch.Generator().manual_seed(1)) for x in (a, b)]
    assert torch.equal(*whole)
    assert torch.equal(features.corrupt(a, 0.0, torch.Generator()), a)
    half = features.corrupt(a, 0.5, torch.Generator().manual_seed(1))
    torch.testing.assert_close(half, (a + whole[0]) / 2)
    assert torch.equal(features.normalise(a), a)
    assert features.picture(a[0].numpy()) == f"{features.width} features of image"


@pytest.fixture(scope="module")
def first(birds: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An earlier run; not to be changed."""
    return train(birds, target="species", out=tmp_path_factory.mktemp("first") / "run", **tables.QUICK)


def frozen_run(birds: Path, first: Run, out: Path, **more: object) -> Run:
    options = ONE | {"photo": {"frozen": str(first.folder)}, "note": {"frozen": first.folder}}
    return train(birds, target="species", out=out, **(options | {"tabular": {"width": 8}} | more))


def test_features_are_what_the_earlier_run_computes_and_are_computed_once(birds, first, tmp_path, encoded):
    run = frozen_run(birds, first, tmp_path / "second")
    table = run.table()
    here = decode_inputs(table, first.learner.network.modalities).present
    names = first.learner.network.names
    assert sum(encoded) == here[:, names.index("photo")].sum() + here[:, names.index("note")].sum()
    assert not here[:, names.index("photo")].all()
    encoded.clear()
    data = run.dataset()
    run.evaluate(episodes=2, save=False)
    frozen_run(birds, first, tmp_path / "third")
    assert not encoded

    store = first.dataset().store
    for name in ("photo", "note"):
        there = np.flatnonzero(data.store.present[:, names.index(name)])
        with torch.no_grad():
            expected = first.learner.network.encoders[names.index(name)](store.inputs(there)[name])
        found = data.store.stored[name]
        assert isinstance(found, np.memmap)
        np.testing.assert_allclose(found[there], expected.numpy(), atol=1e-5)
        absent = ~data.store.present[:, names.index(name)]
        assert not np.asarray(found[absent]).any()
        assert np.array_equal(data.store.present, store.present)
    assert np.array_equal(
        decode_inputs(table, data.store.modalities, cached=False).stored["photo"], data.store.stored["photo"]
    )


def test_another_encoder_is_another_entry(birds, first, tmp_path, encoded):
    run = frozen_run(birds, first, tmp_path / "second")
    encoded.clear()
    photo = run.learner.network.modalities["photo"]
    assert isinstance(photo, Features)
    module = build(photo.of, photo.encoder, **photo.encoder_options)
    other = freeze(photo.of, module, photo.encoder, photo.encoder_options)
    stored = [decode_inputs(run.table(), {"photo": m}, host=ALONE).stored["photo"] for m in (photo, other, other)]
    assert len(encoded) == 1
    assert not np.allclose(stored[0], stored[1])
    assert np.array_equal(stored[1], stored[2])


def test_frozen_weights_do_not_learn_and_what_reads_them_does(birds, first, tmp_path):
    run = frozen_run(birds, first, tmp_path / "second")
    network = run.learner.network
    weights = first.learner.network.encoders[network.names.index("photo")].state_dict()
    frozen = network.modalities["photo"].module.state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(weights[name], tensor) for name, tensor in frozen.items())
    own = [name for name in run.learner.params() if name.startswith("network.encoders.0.")]
    assert own == ["network.encoders.0.weight"]
    assert (run.learner.params()["network.encoders.0.weight"] != 1).any()


@pytest.mark.parametrize("learner", ["protonet", "protomaml", "scratch"])
def test_a_run_of_frozen_features_alone_stands_alone(birds, first, tmp_path, learner):
    """The whole story: train, evaluate, adapt, save; the first run goes; open both, predict the same, resume."""
    earlier = tmp_path / "earlier"
    shutil.copytree(first.folder, earlier)
    run = train(birds, target="species", inputs=["photo"], out=tmp_path / "second", learner=learner, skip_bad=True,
                **{k: v for k, v in ONE.items() if k != "learner"}, image={"frozen": str(earlier)})  # fmt: skip
    figures = run.evaluate(episodes=3, missing={"image": 0.2}, noise={"photo": 0.1}).metrics
    support = om.read_table(birds, target="species").select([0, 2, 3, 5, 6, 8])
    rows = om.read_table(birds, target="species")
    model = run.adapt(support)
    answers = model.predict_proba(rows)
    model.save(tmp_path / "m.omni")
    om.evaluate(run, episodes=2)
    shutil.rmtree(earlier)

    assert np.array_equal(om.load(tmp_path / "m.omni").predict_proba(rows), answers)
    again = Run.load(run.folder)
    assert np.array_equal(again.adapt(support).predict_proba(rows), answers)
    assert again.evaluate(episodes=3, missing={"image": 0.2}, noise={"photo": 0.1}).metrics == figures
    assert train(birds, out=run.folder, resume=True).learner.params().keys() == run.learner.params().keys()
    assert "features of image" in write(again).read_text()
    with zipfile.ZipFile(tmp_path / "m.omni") as archive:
        assert "frozen.safetensors" in archive.namelist()


def test_what_stands_in_an_absent_cell_is_not_encoded(features, tmp_path):
    rng = np.random.default_rng(0)
    cells, present = rng.integers(0, 256, (9, *features.of.shape), np.uint8), rng.random(9) < 0.6
    other = np.where(present[:, None, None, None], cells, 7)
    about = {"shape": features.shape, "dtype": features.dtype, "key_settings": {}, "derive": features.derive}
    stored = [derived(c, present, **about, root=tmp_path / str(i)) for i, c in enumerate((cells, other))]
    assert np.array_equal(*stored)
    assert stored[0][present].any(axis=1).all()
    assert not stored[0][~present].any()
    for empty in (cells[:0], cells[:3]):
        none = derived(empty, np.zeros(len(empty), bool), **about, root=tmp_path)
        assert none.shape == (len(empty), features.width)
        assert not none.any()


def test_a_row_alone_is_answered_as_in_a_batch(birds, first, tmp_path):
    run = frozen_run(birds, first, tmp_path / "second")
    model = run.adapt(om.read_table(birds, target="species").select(range(12)))
    rows = om.read_table(birds, target="species").select(range(8))
    whole = model.predict_proba(rows)
    assert np.isfinite(whole).all()
    for i in range(8):
        np.testing.assert_allclose(model.predict_proba(rows.select([i])), whole[[i]], atol=1e-5)
    assert np.isfinite(model.predict_proba(pd.DataFrame({"photo": [None], "note": [None], "weight": [None]}))).all()


def test_damaged_frozen_weights_of_a_run_are_refused(birds, first, tmp_path):
    run = frozen_run(birds, first, tmp_path / "second")
    file = run.folder / "frozen.safetensors"
    weights = load_file(file)
    next(iter(weights.values())).view(-1)[0] += 1
    file.write_bytes(pack(weights, {}))
    with pytest.raises(DataError, match=r"frozen weights of input '.*' are missing or damaged"):
        Run.load(run.folder)
    save_file(weights, file)
    with pytest.raises(DataError, match="was not written by Omnishot"):
        Run.load(run.folder)
    file.unlink()
    with pytest.raises(DataError, match=r"frozen\.safetensors does not exist"):
        Run.load(run.folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"photo": {"frozen": "RUN", "encoder": "resnet"}},
            "determines encoder: leave out photo.encoder, or frozen",
        ),
        ({"image": {"size": 16}, "photo": {"frozen": "RUN"}}, "which determines size"),
        ({"photo": {"frozen": 3}}, "'photo.frozen' takes the folder of a run, not 3"),
        ({"photo": {"frozen": ""}}, "'photo.frozen' takes the folder of a run, not ''"),
        ({"photo": {"frozen": "RUN"}, "rotations": True}, "cannot be rotated"),
        ({"photo": {"frozn": "RUN"}}, "no option 'frozn': did you mean 'frozen'"),
        ({"photo": {"encoder": "scale"}}, "encoder 'scale' reads features, not image; use one of: conv4, resnet"),
    ],
)
def test_wrong_usage_is_explained(birds, first, tmp_path, options, message):
    said = {n: {o: str(first.folder) if v == "RUN" else v for o, v in s.items()} if isinstance(s, dict) else s
            for n, s in options.items()}  # fmt: skip
    with pytest.raises(UsageError, match=message):
        train(birds, target="species", out=tmp_path / "x", **(ONE | said))
    assert not (tmp_path / "x").exists()


def test_an_earlier_run_that_cannot_serve_is_explained(birds, first, tmp_path):
    with pytest.raises(DataError, match=r"input 'photo' cannot have a frozen encoder: .* is not a run"):
        frozen_run(birds, first, tmp_path / "x", photo={"frozen": str(tmp_path)})
    second = frozen_run(birds, first, tmp_path / "second")
    with pytest.raises(UsageError, match="is frozen itself: name the run that learned it"):
        frozen_run(birds, second, tmp_path / "x")
    words = train(birds, target="species", inputs=["note"], out=tmp_path / "words", **ONE)
    with pytest.raises(UsageError, match=r"has no input of kind 'image' to freeze for 'photo': it has note \(text\)"):
        frozen_run(birds, words, tmp_path / "x")
    batch = train(birds, target="species", inputs=["photo"], out=tmp_path / "batch", **ONE, skip_bad=True,
                  image={"size": 16, "width": 8, "norm": "batch"})  # fmt: skip
    with pytest.raises(UsageError, match="transductive"):
        frozen_run(birds, batch, tmp_path / "x", note={})


def test_an_input_of_another_name_takes_the_only_one_of_its_kind(birds, first, tmp_path):
    shutil.copytree(birds.parent / "photos", tmp_path / "photos")
    rows = [{("image of it" if n == "photo" else n): v for n, v in row.items()} for row in tables.read(birds)]
    table = tables.write(tmp_path / "other.csv", rows)
    run = train(table, target="species", out=tmp_path / "run", **ONE, image={"frozen": str(first.folder)})
    assert run.learner.network.modalities["image of it"].of == first.learner.network.modalities["photo"]  # type: ignore[attr-defined]
    frozen = load_file(run.folder / "frozen.safetensors")
    assert {name.rpartition("/")[0] for name in frozen} == {"image of it"}
