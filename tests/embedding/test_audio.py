"""Decoding: every format, rate and number of channels gives the same tone; every kind of bad file its reason."""

from __future__ import annotations

import os
import tracemalloc

import numpy as np
import pytest
import soundfile

from musai.embedding.audio import SAMPLE_RATE, Plan, Unusable, content_hash, excerpts
from tests.embedding.conftest import tone

PLAN = Plan(seconds=2.0, count=3, longest_s=3600)


def loudest_hz(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)[spectrum.argmax()])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8_000, 1)])
def test_a_tone_comes_back_at_16_khz_mono(sound_file, name, rate, channels):
    found = excerpts(sound_file(name, rate=rate, channels=channels), PLAN)
    assert found.shape == (3, 32_000)
    assert found.dtype == np.float32
    for excerpt in found:
        assert loudest_hz(excerpt) == pytest.approx(440, abs=1)
        assert np.sqrt(np.mean(excerpt[2000:-2000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_channels_are_averaged(tmp_path):
    both = np.concatenate([tone(3), -tone(3)], axis=1)
    soundfile.write(tmp_path / "opposite.wav", both, 16_000)
    with pytest.raises(Unusable, match=r"^silent$"):
        excerpts(tmp_path / "opposite.wav", PLAN)


@pytest.mark.parametrize(
    ("duration", "starts"),
    [(1.0, [0]), (2.0, [0]), (3.9, [0]), (4.0, [0, 2]), (6.0, [0, 2, 4]), (20.0, [0, 9, 18])],
)
def test_excerpts_lie_evenly_and_do_not_overlap(duration, starts):
    assert PLAN.starts(duration) == pytest.approx(starts if duration != 3.9 else [0])


def test_an_excerpt_is_the_part_that_it_should_be(tmp_path):
    steps = np.repeat([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 16_000)
    soundfile.write(tmp_path / "steps.wav", steps, 16_000)
    found = excerpts(tmp_path / "steps.wav", Plan(1.0, 6, 3600))
    np.testing.assert_allclose(found.mean(axis=1), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], atol=1e-3)


def test_a_short_track_is_repeated(tmp_path):
    ramp = np.linspace(0.1, 0.9, 12_000)
    soundfile.write(tmp_path / "short.wav", ramp, 16_000, subtype="FLOAT")
    (found,) = excerpts(tmp_path / "short.wav", PLAN)
    np.testing.assert_array_equal(found[:12_000], found[12_000:24_000])


def test_an_hour_takes_the_memory_of_its_excerpts(tmp_path):
    path, minute = tmp_path / "long.wav", tone(60, rate=8_000)
    with soundfile.SoundFile(path, "w", 8_000, 1, subtype="PCM_U8") as file:
        for _ in range(60):
            file.write(minute)
    tracemalloc.start()
    found = excerpts(path, PLAN)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 3
    assert peak < 4 * found.nbytes  # 1.5 MB; the whole hour would take 230


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


@pytest.mark.parametrize("share", [0.999, 0.6])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_a_truncated_file_is_refused(sound_file, name, share):
    whole = sound_file(name)
    assert len(excerpts(whole, PLAN)) == 3
    with pytest.raises(Unusable, match=r"truncated|no sound file that can be decoded"):
        excerpts(cut(whole, share), PLAN)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_a_damaged_file_is_heard_or_refused(sound_file, name):
    """Bytes of its header, or of the whole, that are others, or gone."""
    path, rng = sound_file(name, seconds=2), np.random.default_rng(len(name))
    whole, heard = path.read_bytes(), 0
    for number in range(40):
        damaged = bytearray(whole)
        end = 64 if number % 2 else len(whole)
        for place in rng.integers(0, end, rng.integers(1, 6)):
            damaged[place] = rng.choice([0, 127, 128, 255])
        if number % 5 == 0:
            del damaged[(gone := int(rng.integers(end))) : gone + 3]
        path.write_bytes(damaged)
        try:
            found = excerpts(path, PLAN)
        except Unusable:
            continue
        heard += 1
        assert np.isfinite(found).all()
    assert heard < 40


def test_bytes_after_the_end_do_no_harm(sound_file):
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"):
        path = sound_file(name)
        path.write_bytes(path.read_bytes() + bytes(5000))
        assert len(excerpts(path, PLAN)) == 3


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_every_kind_of_sample_is_the_same_sound(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", np.repeat(tone(6), 6, axis=1), SAMPLE_RATE, subtype=subtype)
    found = excerpts(tmp_path / "a.wav", PLAN)
    assert found.shape == (3, 32_000)
    np.testing.assert_allclose(found[0], tone(6)[:32_000, 0], atol=0.03)


def test_a_flac_that_was_streamed_says_so(sound_file):
    path = sound_file("a.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the number of samples, 36 bits of STREAMINFO: 0 is unknown
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(Unusable, match=r"^does not say how long it is$"):
        excerpts(path, PLAN)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(Unusable, match="no regular file"):
        content_hash(tmp_path / "pipe.wav")


def test_an_ogg_file_is_whole_wherever_its_excerpts_lie(tmp_path):
    """After a seek libsndfile may leave out the last samples: of some lengths, two in these twelve."""
    rng = np.random.default_rng(0)
    for number in range(12):
        samples = int(rng.uniform(26, 34) * SAMPLE_RATE) if number else 30 * SAMPLE_RATE
        sweep = 0.3 * np.sin(np.cumsum(rng.normal(0, 0.02, samples))) * np.linspace(0, 1, samples)
        soundfile.write(tmp_path / "a.ogg", sweep, SAMPLE_RATE)
        found = excerpts(tmp_path / "a.ogg", Plan(4.0, 6, 3600.0))
        assert found.shape == (6, 4 * SAMPLE_RATE)
        expected = sweep[-4 * SAMPLE_RATE :]
        assert abs(np.sqrt(np.mean(found[-1] ** 2)) / np.sqrt(np.mean(expected**2)) - 1) < 0.1


def test_what_else_cannot_be_used_says_why(tmp_path, sound_file):
    reasons = {}

    def refused(path, plan=PLAN):
        with pytest.raises(Unusable) as caught:
            excerpts(path, plan)
        reasons[path.name] = str(caught.value)

    (tmp_path / "empty.mp3").write_bytes(b"")
    refused(tmp_path / "empty.mp3")
    refused(tmp_path / "missing.flac")
    (tmp_path / "page.mp3").write_text("<html>" + "not found " * 500 + "</html>")
    refused(tmp_path / "page.mp3")
    refused(sound_file("a.wav").rename(tmp_path / "called.mp3"))
    soundfile.write(tmp_path / "silence.flac", np.zeros(64_000), 16_000)
    refused(tmp_path / "silence.flac")
    broken = tone(6)
    broken[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, 16_000, subtype="FLOAT")
    refused(tmp_path / "nan.wav")
    broken[100] = 1e30  # its power is beyond float32
    soundfile.write(tmp_path / "loud.wav", broken, 16_000, subtype="FLOAT")
    refused(tmp_path / "loud.wav")
    soundfile.write(tmp_path / "constant.wav", np.full(64_000, 0.5), 16_000)
    refused(tmp_path / "constant.wav")
    refused(sound_file("click.wav", seconds=0.2))
    soundfile.write(tmp_path / "one.ogg", tone(1)[:1], 16_000)
    refused(tmp_path / "one.ogg")
    refused(sound_file("ten.ogg", seconds=12), Plan(2.0, 3, 10.0))
    assert reasons == {
        "empty.mp3": "empty file",
        "missing.flac": "cannot be read: No such file or directory",
        "page.mp3": "no sound file that can be decoded",
        "called.mp3": "mislabelled: .mp3 by name, WAV by content",
        "silence.flac": "silent",
        "nan.wav": "samples that are not finite numbers",
        "loud.wav": "samples far beyond full scale",
        "constant.wav": "silent",
        "one.ogg": "shorter than 0.5 s",
        "click.wav": "shorter than 0.5 s",
        "ten.ogg": "longer than 0.00277778 h",
    }


def test_the_content_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert content_hash(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "nothing").write_bytes(b"")
    for name, reason in {"nothing": "empty file", "gone": "cannot be read", ".": "cannot be read"}.items():
        with pytest.raises(Unusable, match=reason):
            content_hash(tmp_path / name)
