import io
import wave

import numpy as np
import pytest

from omnishot.errors import DataError
from omnishot.worlds import espeak, speech

spoken = pytest.mark.skipif(not speech.installed(), reason="espeakng-loader is not installed")


@spoken
def test_the_same_list_gives_the_same_samples():
    rng = np.random.default_rng(0)
    names = [speech.draw_utterance(name, rng) for name in ("alpha", "shin", "ngo", "alpha")]
    first, second = list(speech.speak(names)), list(speech.speak(names))
    assert [voice.tobytes() for voice in first] == [voice.tobytes() for voice in second]
    assert first[0].tobytes() != first[3].tobytes()


@spoken
def test_every_language_and_variant_speaks():
    names = [("alpha", f"{language}+m1", 160, 50) for language in speech.LANGUAGES]
    names += [("alpha", f"en+{variant}", 160, 50) for variant in speech.VARIANTS]
    voices = list(speech.speak(names))
    assert len({voice.tobytes() for voice in voices[len(speech.LANGUAGES) :]}) == len(speech.VARIANTS)
    for name, voice in zip(names, voices, strict=True):
        assert 0.15 < len(voice) / speech.RATE < 1.5, name
        assert np.abs(voice.astype(int)).max() > 3000, name
        assert np.abs(voice[:8].astype(int)).max() > 0, f"{name} begins with silence"


@spoken
def test_a_voice_that_does_not_exist_is_an_error_in_espeaks_words():
    with pytest.raises(DataError, match=r"could not speak .*alpha.*: eSpeak NG has no voice 'nowhere'$"):
        list(speech.speak([("alpha", "nowhere", 160, 50)]))


@spoken
def test_no_process_is_left_when_listening_stops_early():
    voices = speech.speak([("alpha", "en", 160, 50)] * 200)
    assert len(next(voices))
    voices.close()


def test_recordings_are_short_loud_and_noisy():
    tone = (8000 * np.sin(np.arange(9000) * 0.5)).astype(np.int16)
    for seed in range(20):
        heard = speech.record(tone, np.random.default_rng(seed))
        assert heard.dtype == np.int16
        assert len(heard) == speech.RATE * speech.LONGEST
        assert 0.25 < np.abs(heard.astype(int)).max() / 32767 < 0.95
    quiet, loud = speech.record(tone, np.random.default_rng(0)), speech.record(tone, np.random.default_rng(1))
    assert (quiet != loud).any()


def test_noise_has_unit_power():
    for seed in range(10):
        noise = speech.coloured_noise(6400, np.random.default_rng(seed))
        assert np.mean(noise**2) == pytest.approx(1)


@pytest.mark.parametrize("rate", [22050, 16000, 44100])
def test_resampling_keeps_a_tone(rate):
    seconds = np.arange(rate // 2) / rate
    heard = espeak.resample(np.sin(2 * np.pi * 440 * seconds), rate)
    assert len(heard) == espeak.RATE // 2
    middle = slice(400, -400)
    expected = np.sin(2 * np.pi * 440 * np.arange(len(heard)) / espeak.RATE)
    assert np.abs(heard - expected)[middle].max() < 0.02


def test_trimming_cuts_silence_only():
    sound = np.concatenate([np.zeros(50), [0.5, 0.0, -1.0], np.zeros(20)])
    assert espeak.trim(sound).tolist() == [0.5, 0.0, -1.0]
    assert len(espeak.trim(np.zeros(9))) == 0
    assert len(espeak.trim(np.zeros(0))) == 0


def test_the_rates_agree():
    assert espeak.RATE == speech.RATE


def test_wav_keeps_every_sample():
    samples = np.array([0, 1, -32768, 32767], np.int16)
    with wave.open(io.BytesIO(speech.encode_wav(samples))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert np.frombuffer(file.readframes(4), "<i2").tolist() == samples.tolist()
