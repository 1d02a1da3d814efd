"""Things of a user's own: registered, given as objects, and required by what is on disk."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from support import helpers
from torch import Tensor, nn

import omnishot as om
from omnishot.core import registry as module
from omnishot.core.imports import import_of, offered
from omnishot.core.registries import describe, imports_needed, register, registry, require
from omnishot.core.registry import KINDS, Registry
from omnishot.learners import LEARNERS
from omnishot.learners.protonet import ProtoNet
from omnishot.nn.encoders import ENCODERS, build, default_for
from omnishot.nn.encoders.conv4 import Conv4
from omnishot.nn.fusion import FUSIONS
from omnishot.nn.fusion.concat import Concat
from omnishot.objectives import OBJECTIVES
from omnishot.objectives.classify import Classify


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """Whatever a test registers is forgotten; no installed package offers anything."""
    for kind in KINDS:
        before = dict(module._REGISTERED[kind])
        monkeypatch.setattr(registry(kind), "registered", before)
        monkeypatch.setitem(module._REGISTERED, kind, before)
    monkeypatch.setattr(module, "offered", lambda group: ())


class Own(Concat):
    """An own fusion.

    Paper: nobody, nowhere, 2026
    """

    def __init__(self, inputs: int, dim: int, *, sharpness: float = 1.5):
        super().__init__(inputs, dim)
        self.sharpness = sharpness


def test_a_registered_thing_is_loaded_listed_and_has_typed_options():
    assert om.register("fusion", "own", Own) is Own
    assert FUSIONS.load("own") is Own
    assert FUSIONS.options("own") == {"sharpness": 1.5}
    assert FUSIONS.types("own") == {"sharpness": float}
    assert describe("fusions")[-1] == {
        "name": "own",
        "summary": "An own fusion.",
        "paper": "nobody, nowhere, 2026",
        "options": {"sharpness": 1.5},
    }
    with pytest.raises(om.UsageError, match="unknown fusion 'owm': did you mean 'own'"):
        FUSIONS.load("owm")


def test_register_is_a_decorator_too():
    @om.register("learner", "mine")
    class Mine(ProtoNet): ...

    assert LEARNERS.load("mine") is Mine
    assert LEARNERS.name_of(Mine) == "mine"


def test_every_kind_of_thing_can_be_registered():
    things = {"learner": ProtoNet, "fusion": Concat, "encoder": Conv4, "objective": Classify}
    things |= {"modality": type(helpers.MODALITIES["photo"])}
    for kind in KINDS:
        thing = things.get(kind)
        thing = type("Fresh", (thing,), {}) if thing else lambda out: out
        register(kind, "fresh", thing)
        assert registry(kind).load("fresh") is thing
    assert OBJECTIVES.load("fresh").name == "fresh"  # under which a run stores it
    assert Classify.name == "classify"
    with pytest.raises(om.UsageError, match="unknown kind of thing 'lerner': did you mean 'learner'"):
        register("lerner", "x", ProtoNet)


def test_a_name_that_is_taken_is_refused_unless_it_is_the_same_thing():
    register("fusion", "own", Own)
    register("fusion", "own", Own)
    register("fusion", "concat", Concat)
    again = type("Own", (Own,), {"__module__": __name__, "__qualname__": "Own"})  # as a notebook's cell run twice
    register("fusion", "own", again)
    assert FUSIONS.load("own") is again
    for name in ("own", "concat"):
        with pytest.raises(om.UsageError, match=rf"fusion '{name}' is .* already: register .*Pair by another name"):
            register("fusion", name, FUSIONS.load("pair"))
    with pytest.raises(om.UsageError, match="by another"):
        register("fusion", "a name", Own)


@pytest.mark.parametrize(
    ("kind", "thing", "needed"),
    [
        ("learner", Own, r"must be a class derived from omnishot\.learners\.base\.Learner"),
        ("fusion", nn.Linear, r"must be a class derived from omnishot\.nn\.fusion\.base\.Fusion"),
        ("objective", Classify(), "must be a class derived from"),
        ("encoder", 3, "must be something to call"),
        ("world", "spirals", "must be something to call"),
    ],
)
def test_a_thing_of_another_kind_is_refused(kind, thing, needed):
    with pytest.raises(om.UsageError, match=needed):
        register(kind, "own", thing)


def test_an_object_goes_by_the_name_of_its_class():
    assert FUSIONS.name_of(Own) == FUSIONS.name_of(Own) == "Own"
    assert FUSIONS.load("Own") is Own
    assert FUSIONS.name_of(Concat) == "concat"
    assert FUSIONS.name_of("concat") == "concat"
    assert FUSIONS.name_of("no such") == "no such"  # refused where it is loaded, with the nearest name


def test_two_objects_of_one_class_need_names():
    one, other = nn.Flatten(), nn.Flatten()
    assert ENCODERS.name_of(one) == ENCODERS.name_of(one) == "Flatten"
    with pytest.raises(om.UsageError, match=r"by another name \(om.register\('encoder', NAME, …\)\)"):
        ENCODERS.name_of(other)
    register("encoder", "other", other)
    assert ENCODERS.name_of(other) == "other"
    with pytest.raises(om.UsageError, match="register the encoder '<lambda>' by another"):
        ENCODERS.name_of(lambda: nn.Flatten())


class Pixels(nn.Module):
    def __init__(self, modality, *, width: int = 4):
        super().__init__()
        self.linear = nn.Linear(modality.blank().flatten(1).shape[1], width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1))


def pixels() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 4))


@pytest.mark.parametrize("made_by", [Pixels, pixels, pixels()])
def test_any_module_is_an_encoder(made_by):
    photo = helpers.MODALITIES["photo"]
    register("encoder", "own", made_by)
    encoder, other = build(photo, "own"), build(photo, "own")
    cells = helpers.random_cells(photo, (3,), torch.Generator().manual_seed(0))
    assert encoder.out == 4
    assert encoder(cells).shape == (3, 4)
    assert not {*map(id, encoder.parameters())} & {*map(id, other.parameters())}
    if made_by is Pixels:
        assert ENCODERS.types("own") == {"width": int}
        assert build(photo, "own", width=7).out == 7


def test_a_module_that_gives_no_vector_is_refused_with_its_shape():
    register("encoder", "own", nn.Identity())
    with pytest.raises(om.UsageError, match=r"Identity gives \[2, 1, 16, 16\] instead of \[2, width\]"):
        build(helpers.MODALITIES["photo"], "own")


def test_a_kind_without_a_default_takes_the_first_encoder_that_reads_it():
    with pytest.raises(om.UsageError, match="no encoder reads lidar"):
        default_for("lidar")
    register("encoder", "points", type("Points", (Conv4,), {"reads": ("lidar",)}))
    assert default_for("lidar") == "points"


def test_what_is_needed_on_disk_is_named_and_required(monkeypatch):
    register("fusion", "own", Own)
    needed = imports_needed({"fusion": ["own", "concat"], "learner": ["protonet"]})
    assert needed == {"fusion": {"own": f"{__name__}:Own"}}
    require(needed)
    other = {"fusion": {"own": f"{__name__}:Another"}}
    with pytest.raises(om.UsageError, match=r"trained with the fusion 'own' of .*:Another, and here 'own' is .*:Own"):
        require(other)
    registry("fusion").registered.clear()
    own = types.ModuleType("own_things")
    own.Own, own.make, own.Linear = Own, pixels, nn.Linear  # type: ignore[attr-defined]
    with pytest.raises(
        om.UsageError, match=r"fusion 'own', own_things:Own, which is not known here: import own_things"
    ):
        require({"fusion": {"own": "own_things:Own"}})
    monkeypatch.setitem(sys.modules, "own_things", own)
    require({"fusion": {"own": "own_things:Own"}, "encoder": {"line": "own_things:Linear"}})
    assert FUSIONS.load("own") is Own
    for kind, place in (("fusion", "own_things:Linear"), ("encoder", "own_things:make"), ("fusion", "own_things:gone")):
        with pytest.raises(om.UsageError, match="not known here"):  # a file does not choose what is run
            require({kind: {"x": place}})
    with pytest.raises(om.UsageError, match=r"Gone belongs to the script that trained it, so define or import it here"):
        require({"learner": {"x": "__main__:Gone"}})
    with pytest.raises(om.UsageError, match=r"make it again as it was when it was trained, and om.register\('encoder'"):
        require({"encoder": {"x": "own_things:Net()"}})


def test_nothing_is_imported_for_a_file(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(om.UsageError, match="import planted"):
        require({"learner": {"x": "planted:Learner"}})


def test_the_place_of_a_script_run_as_a_module_is_its_name(monkeypatch):
    assert import_of(Own) == f"{__name__}:Own"
    assert import_of(Own(2, 3)) == f"{__name__}:Own()"
    monkeypatch.setattr(Own, "__module__", "__main__")
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert import_of(Own) == "__main__:Own"
    main.__spec__ = types.SimpleNamespace(name="pack.training")  # type: ignore[assignment]
    assert import_of(Own) == "pack.training:Own"


@pytest.mark.filterwarnings("ignore:fusion 'pair' of an installed package")
def test_installed_packages_offer_things_by_entry_points(tmp_path, monkeypatch):
    (tmp_path / "plugin.py").write_text(
        "from omnishot.nn.fusion.concat import Concat\n\n\n"
        'class Theirs(Concat):\n    """Their fusion."""\n\n'
        "    def __init__(self, inputs: int, dim: int, *, depth: int = 2):\n        super().__init__(inputs, dim)\n\n\n"
        "def make(): ...\n"
    )
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[omnishot.fusions]\ntheirs = plugin:Theirs\nbroken = nosuch:Thing\nwrong = plugin:make\npair = plugin:Theirs\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    offered.cache_clear()
    monkeypatch.setattr(module, "offered", offered)
    try:
        with pytest.warns(
            UserWarning, match="fusion 'pair' of an installed package, plugin:Theirs, is omnishot.* already"
        ):
            names = FUSIONS.names()
        assert FUSIONS.options("theirs") == {"depth": 2}
        assert names[-3:] == ["theirs", "broken", "wrong"]
        listed = {thing["name"]: thing["summary"] for thing in FUSIONS.describe()}
        assert listed["theirs"] == "Their fusion."
        assert "plugin" not in sys.modules
        assert listed["broken"].startswith("fusion 'broken' of an installed package: nosuch:Thing fails with")
        assert FUSIONS.load("pair").__module__ == "omnishot.nn.fusion.pair"
        theirs = FUSIONS.load("theirs")
        assert FUSIONS.name_of(theirs) == "theirs"
        assert imports_needed({"fusion": ["theirs"]}) == {"fusion": {"theirs": "plugin:Theirs"}}
        require({"fusion": {"theirs": "plugin:Theirs"}})
        register("fusion", "theirs", theirs)
        with pytest.raises(om.UsageError, match="fusion 'wrong' must be a class derived from"):
            FUSIONS.load("wrong")
    finally:
        offered.cache_clear()
        sys.modules.pop("plugin", None)


def test_registries_of_other_kinds_keep_what_is_registered_to_themselves():
    one, other = Registry("thing", {}), Registry("thing", {})
    one.register("x", pixels)
    assert one.names() == ["x"]
    assert other.names() == []
