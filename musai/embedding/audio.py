"""Sound files to excerpts: wav, flac, ogg, mp3 and whatever else libsndfile reads, at any rate and with any channels.

Only the excerpts are decoded, one after the other, each found by seeking: memory is that of the excerpts however long
the file is. What cannot be used raises Unusable with the reason that goes into `rejected_rows`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from typing import BinaryIO, Literal

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000
SHORTEST_S = 0.5
SILENCE = 1e-4  # root mean square around the mean, of full scale: -80 dB
LOUDEST = 100.0  # of full scale; floating-point files hold what they like, and powers of it overflow
UNKNOWN_LENGTH = 1 << 62  # frames; libsndfile's answer for a FLAC that was written to a pipe is near 2^63
WHOLE_OGG_TAIL = 1 << 17  # bytes; two pages of Ogg, each at most 65,307 long
VORBIS_BLOCK = 8192  # frames; after a seek libsndfile may leave out as much of an Ogg file's end
FORMATS = {  # what a suffix promises, by libsndfile's names
    ".wav": {"WAV", "WAVEX", "RF64"},
    ".flac": {"FLAC"},
    ".ogg": {"OGG"},
    ".oga": {"OGG"},
    ".opus": {"OGG"},
    ".mp3": {"MP3"},
    ".aif": {"AIFF"},
    ".aiff": {"AIFF"},
}
ENDIAN: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}  # of WAV, of AIFF
STREAMED = {0, 0xFFFFFFFF}  # size in the header of a WAV that was written to a pipe


class Unusable(Exception):
    """A file that gives no embedding; the text is the reason, the same for every file with that fault."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which parts of a track are listened to: at most `count` excerpts of `seconds`, evenly over its length."""

    seconds: float
    count: int
    longest_s: float

    @property
    def samples(self) -> int:
        return round(self.seconds * SAMPLE_RATE)

    def starts(self, duration_s: float) -> list[float]:
        """Starts in seconds; excerpts of a short track do not overlap, and one shorter than an excerpt has one."""
        number = min(self.count, max(1, int(duration_s / self.seconds + 1e-6)))
        last = max(0.0, duration_s - self.seconds)
        return [float(start) for start in np.linspace(0, last, number)]

    def check(self, duration_s: float) -> None:
        if duration_s < SHORTEST_S:
            raise Unusable(f"shorter than {SHORTEST_S:g} s")
        if duration_s > self.longest_s:
            raise Unusable(f"longer than {self.longest_s / 3600:g} h")


def content_hash(path: pathlib.Path) -> str:
    """sha256 over the file's bytes. Raises Unusable where there is none."""
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait for its writer
            raise Unusable("cannot be read: no regular file")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            if file.tell() == 0:
                raise Unusable("empty file")
            return digest.hexdigest()
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or error}") from error


def excerpts(path: pathlib.Path, plan: Plan) -> np.ndarray:
    """float32 [excerpts, plan.samples], 16 kHz mono, -1..1; a track shorter than an excerpt is repeated to fill it."""
    try:
        with path.open("rb") as file:
            _check_whole(file, path)
        with soundfile.SoundFile(path) as sound:
            _check_label(path, sound.format)
            if sound.frames >= UNKNOWN_LENGTH:
                raise Unusable("does not say how long it is")
            duration_s = sound.frames / sound.samplerate
            plan.check(duration_s)
            found = np.stack([_excerpt(sound, start, plan) for start in plan.starts(duration_s)])
    except soundfile.LibsndfileError as error:
        raise Unusable("no sound file that can be decoded") from error
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or error}") from error
    return checked(found)


def checked(found: np.ndarray) -> np.ndarray:
    """`found` as it is. Raises Unusable where it holds no sound."""
    if not np.isfinite(found).all():
        raise Unusable("samples that are not finite numbers")
    if np.abs(found).max() > LOUDEST:
        raise Unusable("samples far beyond full scale")
    if found.std(dtype=np.float64) < SILENCE:
        raise Unusable("silent")
    return found


def filled(sound: np.ndarray, samples: int) -> np.ndarray:
    """`sound` [any] cut, or repeated, to [samples]."""
    return np.resize(sound, samples) if len(sound) < samples else sound[:samples]


def _excerpt(sound: soundfile.SoundFile, start_s: float, plan: Plan) -> np.ndarray:
    rate = sound.samplerate
    start = min(round(start_s * rate), max(sound.frames - 1, 0))
    wanted = min(sound.frames - start, int(np.ceil(plan.seconds * rate)))
    sound.seek(start)
    frames = sound.read(wanted, dtype="float32", always_2d=True)
    missing = wanted - len(frames)
    if missing > (VORBIS_BLOCK if sound.format == "OGG" else 0):  # whether Ogg is whole, its last page has said
        raise Unusable("truncated")
    mono = frames.mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    if not len(mono):
        raise Unusable(f"shorter than {SHORTEST_S:g} s")
    return filled(mono, plan.samples)


def _check_label(path: pathlib.Path, kind: str) -> None:
    suffix = path.suffix.lower()
    if kind not in FORMATS.get(suffix, {kind}):
        raise Unusable(f"mislabelled: {suffix} by name, {kind} by content")


def _check_whole(file: BinaryIO, path: pathlib.Path) -> None:
    """libsndfile shortens a cut WAV, AIFF or Ogg without a word: their own marks of length and end are looked at."""
    size = path.stat().st_size
    head = file.read(12)
    if not head:
        raise Unusable("empty file")
    if head[:4] in ENDIAN:
        told = int.from_bytes(head[4:8], ENDIAN[head[:4]])
        if told not in STREAMED and told + 8 > size + 1:  # the last chunk's padding byte is often left out
            raise Unusable("truncated")
    elif head[:4] == b"OggS":
        file.seek(max(0, size - WHOLE_OGG_TAIL))
        if not _ends_ogg(file.read()):
            raise Unusable("truncated")


def _ends_ogg(tail: bytes) -> bool:
    """Whether the last page in `tail` is there to its end and says that it is a stream's last (RFC 3533, section 6)."""
    page = tail.rfind(b"OggS")
    table = page + 27  # a byte a segment: its length
    if page < 0 or table > len(tail):
        return False
    flags, segments = tail[page + 5], tail[page + 26]
    return bool(flags & 4) and table + segments + sum(tail[table : table + segments]) <= len(tail)
