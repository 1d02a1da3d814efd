import numpy as np
import pytest

from omnishot.worlds.accents import voices
from omnishot.worlds.speech import RATE


def tone(hertz, seconds=0.5):
    return np.rint(8000 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.int16)


def voice(**changes):
    return voices.Voice("en+m1 p50 s160", "en+m1", 50, 160, **{"tract": 1.0, "ripples": (0.0,) * 4} | changes)


def test_a_voice_follows_its_generator_and_takes_a_name_that_is_free():
    first = voices.draw("en-us", (), np.random.default_rng(3))
    assert first == voices.draw("en-us", (), np.random.default_rng(3))
    assert first.name == f"{first.reader} p{first.pitch} s{first.speed}"
    assert first.reader.startswith("en-us+")
    assert voices.draw("en-us", {first.name}, np.random.default_rng(3)).name != first.name


def test_takes_differ_a_little():
    takes = {voices.utter(voice(), "red", np.random.default_rng(seed)) for seed in range(50)}
    assert len(takes) > 40
    assert {take[:2] for take in takes} == {("red", "en+m1")}
    assert all(144 <= speed <= 176 for _, _, speed, _ in takes)
    assert all(44 <= pitch <= 56 for _, _, _, pitch in takes)


@pytest.mark.parametrize("tract", [0.9, 1.1])
def test_a_longer_tract_lowers_every_frequency(tract):
    heard = voices.record(voice(tract=tract), tone(400), np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(heard, 80_000))
    assert spectrum.argmax() / 10 == pytest.approx(400 / tract, abs=2)


def test_recordings_are_whole_loud_and_noisy():
    for seed in range(20):
        heard = voices.record(voice(), tone(300), np.random.default_rng(seed))
        assert heard.dtype == np.int16
        assert 0.5 <= len(heard) / RATE < 0.5 + 2 * voices.PAUSE
        assert 0.25 < np.abs(heard.astype(int)).max() / 32767 < 0.95
    again = voices.record(voice(), tone(300), np.random.default_rng(19))
    assert (again == heard).all()


def test_a_microphone_has_a_frequency_response_of_its_own():
    both = tone(200) // 2 + tone(3000) // 2

    def balance(ripples):
        """dB of the low tone over the high one."""
        spectrum = np.abs(np.fft.rfft(voices.record(voice(ripples=ripples), both, np.random.default_rng(0)), 80_000))
        return 20 * np.log10(spectrum[1990:2010].max() / spectrum[29_990:30_010].max())

    octaves = np.log2(np.array([200, 3000]) / 125) / 5
    low, high = 6 * np.cos(np.pi * octaves)
    assert balance((6.0, 0.0, 0.0, 0.0)) - balance((0.0,) * 4) == pytest.approx(low - high, abs=0.5)
