"""The world `accents`: words and short sentences, spoken by many voices of many languages."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from omnishot.errors import UsageError, choose
from omnishot.table.writing import TableWriter
from omnishot.worlds import speech
from omnishot.worlds.accents.lexicon import ENGLISHES, LANGUAGES, sentence, sentences
from omnishot.worlds.accents.voices import Voice, draw, record, utter

FORMS, UNSEEN = ("words", "sentences"), ("voices", "accents", "languages")
VOICES = {"words": 90, "sentences": 64}
PARTS = ("train", "test", "val", "train", "train")  # dealt in turn to the voices of a language, and start over


@dataclass(frozen=True)
class Speaker:
    """A voice, the language it comes from, the language of what it says, and its part of the table."""

    voice: Voice
    speaks: str
    says: str
    split: str


def make(
    out: str | Path,
    *,
    seed: int = 0,
    form: str = "words",
    unseen: str = "voices",
    languages: str | None = None,
    voices: int | None = None,
    words: int = 40,
    takes: int = 2,
    utterances: int = 60,
    progress: bool = False,
) -> Path:
    """Words and short sentences spoken by many voices: recognition and transcription of who was never heard.

    Columns: `audio` (8 kHz mono WAV), `word` (a class) or `text` (what was said, in lower case), `voice` (the group),
    `_language` (a note: of the voice), `split` (train, val or test; no voice in two). A voice is a language's or a
    region's way of speaking, a variant of eSpeak NG's, a pitch, a speed, a vocal tract and a microphone; a take
    differs in pitch, speed, loudness and noise. The same seed and options give the same files with the same versions
    of NumPy and eSpeak NG.

    Args:
        out: the table to write; `.parquet` holds the sounds itself, others in a folder beside it.
        seed: of everything random, 0 or more.
        form: "words", or "sentences" of 3 to 7 words of a small grammar.
        unseen: what val and test hold that training does not. "voices": voices alone. "accents": English read by
            voices of other languages by their own rules of reading, each in one split. "languages": languages with
            their own words and letters, each in one split.
        languages: eSpeak NG's names joined by commas; by default all there are, or for sentences of unseen voices,
            the ways in which English is spoken.
        voices: how many, in turn of each language; by default 90, or 64 for sentences.
        words: how many of the 40 words of a language each voice says.
        takes: how often a voice says each word.
        utterances: how many sentences a voice says, no two alike.
        progress: whether to show a progress bar.

    Raises:
        UsageError: for an unknown form or language, a number out of range, a split left without a voice, or if
            `espeakng-loader` is not installed.
    """
    choose("form", form, FORMS)
    choose("unseen", unseen, UNSEEN)
    voices = VOICES[form] if voices is None else voices
    for name, value, low, high in (
        ("seed", seed, 0, None),
        ("voices", voices, 3, None),
        ("words", words, 2, 40),
        ("takes", takes, 1, None),
        ("utterances", utterances, 1, None),
    ):
        if value < low or (high is not None and value > high):
            raise UsageError(f"{name} must be {low} {'or more' if high is None else f'to {high}'}, not {value}")
    speakers = _cast(_named(languages, form, unseen), unseen, voices, seed)
    if form == "words":
        said = [[word for word in LANGUAGES[s.says].words[:words] for _ in range(takes)] for s in speakers]
    else:
        said = [_sentences(s.says, utterances, _rng(seed, who, 1)) for who, s in enumerate(speakers)]
    if not speech.installed():
        raise UsageError(f"voices need espeakng-loader, which is not installed; install it with: {speech.INSTALL}")
    writer = TableWriter(out)
    takings = [(who, turn, text) for who, texts in enumerate(said) for turn, text in enumerate(texts)]
    asked = [utter(speakers[who].voice, text, _rng(seed, who, 2, turn)) for who, turn, text in takings]
    spoken, bar = speech.speak(asked), Progress(console=Console(stderr=True), disable=not progress)
    with contextlib.closing(spoken), bar:
        for (who, turn, text), samples in zip(bar.track(takings, description="accents"), spoken, strict=True):
            voice = speakers[who].voice
            heard = speech.encode_wav(record(voice, samples, _rng(seed, who, 3, turn)))
            audio = writer.media(f"{who:03d}/{turn:04d}.wav", heard)
            cells = {"audio": audio, "word" if form == "words" else "text": text, "voice": voice.name}
            writer.row(**cells, _language=speakers[who].speaks, split=speakers[who].split)
    return writer.close()


def _rng(*key: int) -> np.random.Generator:
    """Every voice, sentence and take has its own generator."""
    return np.random.default_rng(key)


def _named(languages: str | None, form: str, unseen: str) -> list[str]:
    """The languages of the voices, as asked for or by default."""
    spoken = [name for name, known in LANGUAGES.items() if known.slots or form == "words" or unseen == "accents"]
    if languages is None:
        return list(ENGLISHES) if (form, unseen) == ("sentences", "voices") else spoken
    names = [choose("language", name.strip(), {*spoken, *ENGLISHES}) for name in languages.split(",")]
    if len(set(names)) < len(names):
        raise UsageError(f"languages = {languages!r} names one twice")
    return names


def _cast(names: list[str], unseen: str, count: int, seed: int) -> list[Speaker]:
    """The voices, in turn of the languages."""
    speakers: list[Speaker] = []
    for who in range(count):
        round_, turn = divmod(who, len(names))
        name = names[turn]
        own = "en" if name in ENGLISHES else name
        split = PARTS[round_ % len(PARTS)] if unseen == "voices" else LANGUAGES[own].split
        voice = draw(name, {s.voice.name for s in speakers}, _rng(seed, who, 0))
        speakers.append(Speaker(voice, name, "en" if unseen == "accents" else own, split))
    missing = {"train", "val", "test"} - {s.split for s in speakers}
    if missing and unseen == "voices":
        raise UsageError(f"voices must be {3 * len(names)} or more, 3 of each of {', '.join(names)}, not {count}")
    if missing:
        parts = "; ".join(f"{part}: {', '.join(_of(part))}" for part in sorted(missing))
        raise UsageError(f"{count} voices of {', '.join(names)} leave none of a language of every split ({parts})")
    return speakers


def _of(split: str) -> list[str]:
    return [name for name, language in LANGUAGES.items() if language.split == split]


def _sentences(language: str, count: int, rng: np.random.Generator) -> list[str]:
    """Different sentences."""
    if count > (most := sentences(LANGUAGES[language])):
        raise UsageError(f"utterances must be at most {most}, as many as there are different ones, not {count}")
    found: dict[str, None] = {}
    while len(found) < count:
        found[sentence(LANGUAGES[language], rng)] = None
    return list(found)
