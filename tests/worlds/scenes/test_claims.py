import numpy as np
import pytest

from omnishot.worlds.scenes.claims import read
from omnishot.worlds.scenes.concepts import concepts
from omnishot.worlds.scenes.layout import Scene, Thing, draw_scene
from omnishot.worlds.scenes.sentences import FORMS, sentences

WUG = Thing("red", "wug", "striped", "big", 0.25, 0.3, 0.22)
BOX = Thing("blue", "square", "plain", "small", 0.75, 0.35, 0.15)
SCENE = Scene((WUG, BOX), "light")


def test_every_sentence_of_every_form_is_read_and_true_and_mostly_of_its_own_scene_only():
    true_elsewhere, count = 0, 0
    for concept in concepts(30, 5):
        rng = np.random.default_rng(7)
        scenes = [draw_scene(concept, rng) for _ in range(12)]
        for scene, other in zip(scenes, scenes[1:] + scenes[:1], strict=True):
            for sentence in sentences(scene, 8, rng):
                claims = read(sentence, concept.kind, concept.word)
                assert claims is not None, sentence
                assert claims.hold(scene), (sentence, scene)
                true_elsewhere += claims.hold(other)
                count += 1
    assert true_elsewhere < 0.15 * count


@pytest.mark.parametrize(
    "form", list(dict.fromkeys(form for forms in FORMS.values() for form in forms)), ids=lambda form: form.__name__
)
def test_every_form_fits_a_pair(form):
    written = {form(SCENE, np.random.default_rng(seed)) for seed in range(40)} - {""}
    assert len(written) > 5
    for sentence in written:
        claims = read(sentence, "shape", "wug")
        assert claims is not None, sentence
        assert claims.hold(SCENE), sentence


@pytest.mark.parametrize(
    ("sentence", "true"),
    [
        ("a red wug", True),
        ("a blue wug", False),
        ("a large stripy wug", True),
        ("a wug with stripes", True),
        ("a wug with dots", False),
        ("a small thing", True),
        ("the wug is in the top left corner", True),
        ("the wug is on the right", False),
        ("at the bottom sits a wug", False),
        ("a wug left of a blue square", True),
        ("a wug to the right of a blue square", False),
        ("a wug with a square beside it", True),
        ("a wug with a square to the left of it", False),
        ("a square right of a wug on a light background", True),
        ("a wug on a dark background", False),
        ("two things, one of them a wug", True),
        ("three shapes and one is a wug", False),
        ("a wug and a wug", False),
        ("a wug and a red thing", False),  # the wug is the only red thing
        ("a square, a wug and a thing", False),
    ],
)
def test_claims_are_judged(sentence, true):
    claims = read(sentence, "shape", "wug")
    assert claims is not None
    assert claims.hold(SCENE) == true


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "a",
        "a red",
        "wug",
        "a wug above",
        "a red blue wug",
        "a wug of it",
        "a dax",
        "above a wug",
        "in the top left corner",
    ],
)
def test_what_is_no_sentence_claims_nothing(sentence):
    assert read(sentence, "shape", "wug") is None


def test_new_textures_have_two_phrases():
    scene = Scene((Thing("red", "star", "dax", "big", 0.5, 0.5, 0.2),), "dark")
    assert read("a star with a dax pattern", "texture", "dax").hold(scene)
    assert read("a dax star in the middle", "texture", "dax").hold(scene)
    assert not read("a striped star", "texture", "dax").hold(scene)


def test_a_scene_survives_json():
    assert Scene.from_json(SCENE.to_json()) == SCENE
