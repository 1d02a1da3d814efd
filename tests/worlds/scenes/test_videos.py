import io
import re
import sys
import wave

import numpy as np
import pandas as pd
import pytest

from omnishot.errors import UsageError
from omnishot.worlds import make
from omnishot.worlds.scenes import clip_sentences as scene_clip_sentences
from omnishot.worlds.scenes import motion as scene_motion
from omnishot.worlds.scenes import videos as scene_videos
from omnishot.worlds.scenes.concepts import concepts
from omnishot.worlds.scenes.layout import Scene, Thing
from omnishot.worlds.scenes.motion import Clip, Motion
from omnishot.worlds.scenes.vocabulary import VOCABULARY

encoded = pytest.mark.skipif(not scene_videos.installed(), reason="PyAV is not installed")
CONCEPTS = concepts(9, 3)
CLIPS = [
    (concept, scene_motion.draw_clip(concept, np.random.default_rng([seed, n])))
    for n, concept in enumerate(CONCEPTS)
    for seed in range(12)
]


def test_things_stay_inside_and_apart_and_meet_the_wall_when_they_bounce():
    bounces = 0
    for _, clip in CLIPS:
        paths = []
        for thing, motion in zip(clip.scene.things, clip.motions, strict=True):
            path = np.array([scene_motion.position(thing, motion, t) for t in np.linspace(0, 2, 81)])
            assert path.min() >= thing.radius - 0.001
            assert path.max() <= 1 - thing.radius + 0.001
            gaps = np.minimum(path, 1 - path).min(1) - thing.radius
            if motion.bounces:
                bounces += 1
                at = np.array(scene_motion.position(thing, motion, motion.bounces))
                assert np.minimum(at, 1 - at).min() == pytest.approx(thing.radius, abs=0.001)
                assert 0 < motion.appears < motion.bounces < 2 or motion.appears == 0
            elif motion.direction != "still":
                assert np.linalg.norm(path[-1] - path[0]) >= scene_motion.LEAST - 0.001
                assert gaps.min() > -0.001
            paths.append(path)
        if len(paths) == 2:
            assert np.linalg.norm(paths[0] - paths[1], axis=1).min() > sum(t.radius for t in clip.scene.things) - 0.03
    assert bounces > 20


TONES = {"big": {"low", "deep"}, "small": {"high"}}


def true(sentence, clip, word):
    """Whether what the sentence says each thing does is what it does; the sentence's things are told by their words."""
    assert sentence.count(word) == 1
    pairs = list(zip(clip.scene.things, clip.motions, strict=True))
    heard = re.fullmatch(r"(a .*) is heard (?:as|when) an? .* bounces", sentence)
    if heard:
        return (
            pairs[0][1].bounces > 0
            and heard[1].split()[1] in {"big": ("low", "deep"), "small": ("high",)}[pairs[0][0].size]
        )
    if re.fullmatch(r"there is (a chirp|a rising sound) (as|when) an? .* appears", sentence):
        return pairs[0][1].appears > 0
    # A verb that follows another verb belongs to the same thing: only " while " and " and a " begin another.
    parts = re.split(r" while | and (?=an? )", sentence)
    first = next(i for i, part in enumerate(parts) if word in part.split())
    order = pairs if first == 0 else pairs[::-1]
    return len(parts) <= len(pairs) and all(does(p, *pair) for p, pair in zip(parts, order, strict=False))


def does(part, thing, motion):
    words = part.split()
    goes = next(
        (w for verb in ("moves", "goes", "slides") if verb in words for w in words[words.index(verb) + 1 :]), None
    )
    goes = next((w for w in words[words.index("to") + 2 :]), goes) if goes == "to" else goes
    direction = {"upwards": "up", "downwards": "down", None: "still"}.get(goes, goes)
    return (
        direction == motion.direction
        and ("bounces" in words) == (motion.bounces > 0)
        and not ({"low", "deep", "high"} & set(words) - TONES[thing.size])
        and (motion.appears > 0 or not {"appears", "pops", "chirp"} & set(words))
        and (("still" in words or "not" in words) <= (motion.direction == "still" and not motion.appears))
    )


def test_sentences_are_true_of_their_clip_and_known_words_suffice():
    elsewhere, count = 0, 0
    for (concept, clip), (_, other) in zip(CLIPS, CLIPS[1:] + CLIPS[:1], strict=True):
        for sentence in scene_clip_sentences.sentences(clip, 5, np.random.default_rng(1)):
            assert true(sentence, clip, concept.word), (sentence, clip)
            assert set(sentence.split()) - {concept.word} <= VOCABULARY | scene_clip_sentences.VOCABULARY, sentence
            elsewhere += true(sentence, other, concept.word)
            count += 1
    assert elsewhere < 0.4 * count


THING = Thing("red", "star", "plain", "small", 0.5, 0.5, 0.15)


@pytest.mark.parametrize(("size", "low", "high"), [("big", 200, 290), ("small", 620, 820)])
def test_a_bounce_is_a_tone_at_its_time(size, low, high):
    clip = Clip(Scene((Thing(**(vars(THING) | {"size": size})),), "light"), (Motion("left", 0.5, 0.0, 0.75),))
    heard = scene_motion.sound(clip, np.random.default_rng(0)).astype(float)
    assert heard.shape == (16000,)
    tone, before = heard[6000:7000], heard[4500:5500]
    assert tone.std() > 5 * before.std()
    pitch = np.argmax(np.abs(np.fft.rfft(tone, 16000))) / 2
    assert low < pitch < high


def test_an_appearance_is_a_rising_sound_and_stillness_is_silent():
    clip = Clip(Scene((THING,), "light"), (Motion("still", 0.0, 1.0, 0.0),))
    heard = scene_motion.sound(clip, np.random.default_rng(0)).astype(float)
    early, late = (np.argmax(np.abs(np.fft.rfft(heard[a : a + 400], 8000))) for a in (8050, 8500))
    assert early < late
    assert np.abs(heard[:7900]).max() < 0.1 * np.abs(heard[8000:9000]).max()


def test_frames_show_the_thing_only_once_it_appears_and_where_it_is():
    clip = Clip(Scene((THING,), "light"), (Motion("right", 0.3, 0.95, 0.0),))
    frames = scene_videos.draw(clip, CONCEPTS[0], 64, np.random.default_rng(0)).astype(float)
    assert frames.shape == (20, 64, 64, 3)
    changed = np.abs(frames - frames[0]).max(-1) > 60
    assert not changed[:10].any()
    for frame in (10, 15, 19):
        x, _ = scene_motion.position(THING, clip.motions[0], frame / 10)
        assert np.nonzero(changed[frame])[1].mean() / 64 == pytest.approx(x, abs=0.03)


def test_a_clip_survives_json():
    for _, clip in CLIPS[:5]:
        assert Clip.from_json(clip.to_json()) == clip


@encoded
def test_the_table_holds_clips_and_sounds_and_the_same_bytes_each_time(tmp_path):
    import av

    table, again = (
        pd.read_parquet(make("scenes", tmp_path / n, form="videos", concepts=12, pictures=1))
        for n in ("a.parquet", "b.parquet")
    )
    assert list(table.columns) == ["video", "sound", "caption", "concept", "split", "_kind", "_scene"]
    assert list(table.video) == list(again.video)
    assert list(table.sound) == list(again.sound)
    for row in table.itertuples():
        with av.open(io.BytesIO(row.video)) as file:
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
            assert float(file.duration / av.time_base) == pytest.approx(2, abs=0.01)
        assert (len(frames), frames[0].shape) == (20, (64, 64, 3))
        with wave.open(io.BytesIO(row.sound)) as file:
            assert file.getnframes() / file.getframerate() == 2
        assert len(row.caption) == 5


@encoded
def test_encoding_keeps_the_pictures():
    import av

    concept, clip = CLIPS[0]
    frames = scene_videos.draw(clip, concept, 64, np.random.default_rng(0))
    with av.open(io.BytesIO(scene_videos.encode_mp4(frames))) as file:
        decoded = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
    assert np.abs(decoded.astype(float) - frames).mean() < 8


def test_without_pyav_videos_are_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"PyAV; install it with: pip install 'omnishot\[video\]'"):
        make("scenes", tmp_path / "s.csv", form="videos")
    assert not list(tmp_path.iterdir())


def test_an_odd_size_is_refused_for_videos(tmp_path):
    with pytest.raises(UsageError, match="size must be even for videos, not 65"):
        make("scenes", tmp_path / "s.csv", form="videos", size=65)
    assert not list(tmp_path.iterdir())
