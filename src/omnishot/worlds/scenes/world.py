"""The world `scenes`: drawn scenes with captions or questions, and a new word to learn in every task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from omnishot.errors import UsageError, choose
from omnishot.table.encoding import encode_png
from omnishot.table.writing import TableWriter
from omnishot.worlds.ranges import check_range
from omnishot.worlds.scenes import clip_sentences as scene_clip_sentences
from omnishot.worlds.scenes import concepts as scene_concepts
from omnishot.worlds.scenes import motion as scene_motion
from omnishot.worlds.scenes import pictures as scene_pictures
from omnishot.worlds.scenes import videos as scene_videos
from omnishot.worlds.scenes.concepts import Concept
from omnishot.worlds.scenes.layout import MOST, Scene, draw_scene
from omnishot.worlds.scenes.motion import Clip
from omnishot.worlds.scenes.questions import ask
from omnishot.worlds.scenes.sentences import sentences as scene_sentences
from omnishot.worlds.speech import encode_wav

FEWEST = 12  # concepts: one of each kind for train and val, two for test
SIDES = (24, 512)  # pixels
MOST_QUESTIONS = 7
MOST_SENTENCES = 20  # a single plain thing has few more


def make(
    out: str | Path,
    *,
    seed: int = 0,
    form: str = "captions",
    concepts: int = 600,
    pictures: int = 20,
    sentences: int = 5,
    questions: int = 3,
    things: int = 3,
    without: float = 0.3,
    size: int = 64,
) -> Path:
    """Drawn scenes in sentences, questions or short videos; every task has a new word for a colour, shape or texture.

    Columns of `captions`, a row for each picture: `image` (PNG), `caption` (a list of sentences, the target);
    of `questions`, a row for each question: `image`, `question`, `answer` (the target); of `videos`, a row for each
    clip: `video` (2 s), `sound` (its tones), `caption`. All have `concept` (the group: the invented word), `split`
    (seven tenths of the concepts of each kind train, one val, two test) and the notes `_kind` (what the word names,
    or the kind of question) and `_scene` (the scene, as JSON). The same seed and options give the same files, byte for
    byte, with the same versions of Pillow, NumPy and PyAV; pictures of `captions` and `questions` are the same.

    Args:
        out: the table to write; `.parquet` holds pictures itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        form: `captions`, `questions` or `videos`; the last needs PyAV.
        concepts: how many new words, 12 or more; a third each names colours, shapes and textures.
        pictures: pictures, or clips, of each.
        sentences: sentences of each picture or clip, 1 to 20.
        questions: questions about each picture, 1 to 7.
        things: the most things in a scene, 1 to 3; fewer are easier.
        without: the fraction of a task's captioned pictures without its new word, 0 to 0.9, so that a caption that
            always has the word is wrong. Questions and clips all have to do with it.
        size: pixels of a picture's side, 24 to 512.

    Raises:
        UsageError: for an unknown form or a number out of range, or `videos` without PyAV.
    """
    write = WRITERS[choose("form", form, WRITERS)]
    plan = Plan(seed, concepts, pictures, sentences, questions, things, without, size)
    plan.check()
    if form == "videos" and size % 2:
        raise UsageError(f"size must be even for videos, not {size}")
    if form == "videos" and not scene_videos.installed():
        raise UsageError(f"videos cannot be written without PyAV; install it with: {scene_videos.INSTALL}")
    writer = TableWriter(out)
    write(writer, plan if form == "captions" else replace(plan, without=0.0))
    return writer.close()


@dataclass(frozen=True)
class Plan:
    """The options of `make` that fix the scenes."""

    seed: int
    concepts: int
    pictures: int
    sentences: int
    questions: int
    things: int
    without: float
    size: int

    def check(self) -> None:
        """Check every number.

        Raises:
            UsageError: if one is out of range.
        """
        check_range("seed", self.seed, 0)
        check_range("concepts", self.concepts, FEWEST)
        check_range("pictures", self.pictures, 1)
        check_range("sentences", self.sentences, 1, MOST_SENTENCES)
        check_range("questions", self.questions, 1, MOST_QUESTIONS)
        check_range("things", self.things, 1, MOST)
        check_range("without", self.without, 0, 0.9)
        check_range("size", self.size, *SIDES)

    def scenes(self) -> Iterator[tuple[Concept, Scene, Callable[[int], np.random.Generator]]]:
        """Every scene with its concept and the generators of its parts: they do not depend on `pictures`."""
        for number, concept in enumerate(scene_concepts.concepts(self.concepts, self.seed)):
            for picture in range(self.pictures):

                def rng(part: int, key: tuple[int, ...] = (self.seed, 2, number, picture)) -> np.random.Generator:
                    return np.random.default_rng([*key, part])

                shown = None if rng(8).random() < self.without else concept
                yield concept, draw_scene(shown, rng(0), most=self.things), rng


def _notes(concept: Concept, scene: Scene | Clip, kind: str) -> dict[str, str]:
    return {"concept": concept.word, "split": concept.split, "_kind": kind, "_scene": scene.to_json()}


def _image(
    writer: TableWriter, plan: Plan, row: int, concept: Concept, scene: Scene, rng: np.random.Generator
) -> str | bytes:
    picture = scene_pictures.draw(scene, concept, plan.size, rng)
    return writer.media(f"{row:06d}.png", encode_png(picture, compress_level=3))


def _captions(writer: TableWriter, plan: Plan) -> None:
    for row, (concept, scene, rng) in enumerate(plan.scenes()):
        image = _image(writer, plan, row, concept, scene, rng(1))
        caption = scene_sentences(scene, plan.sentences, rng(2))
        writer.row(image=image, caption=caption, **_notes(concept, scene, concept.kind))


def _questions(writer: TableWriter, plan: Plan) -> None:
    counts: dict[str, Counter[str]] = {}
    for row, (concept, scene, rng) in enumerate(plan.scenes()):
        image = _image(writer, plan, row, concept, scene, rng(1))
        for question in ask(scene, concept.word, plan.questions, counts.setdefault(concept.split, Counter()), rng(3)):
            notes = _notes(concept, scene, question.kind)
            writer.row(image=image, question=question.text, answer=question.answer, **notes)


def _videos(writer: TableWriter, plan: Plan) -> None:
    for row, (concept, _, rng) in enumerate(plan.scenes()):
        clip = scene_motion.draw_clip(concept, rng(4), most=plan.things)
        frames = scene_videos.draw(clip, concept, plan.size, rng(5))
        video = writer.media(f"{row:06d}.mp4", scene_videos.encode_mp4(frames))
        sound = writer.media(f"{row:06d}.wav", encode_wav(scene_motion.sound(clip, rng(6))))
        caption = scene_clip_sentences.sentences(clip, plan.sentences, rng(7))
        writer.row(video=video, sound=sound, caption=caption, **_notes(concept, clip, concept.kind))


#: Form -> function that writes its rows.
WRITERS: dict[str, Callable[[TableWriter, Plan], None]] = {
    "captions": _captions,
    "questions": _questions,
    "videos": _videos,
}
