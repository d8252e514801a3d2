"""Spark's xxhash64 over Arrow batches: what `digests.digest_columns` sums up, for rows that Spark never sees.

XXH64 (Y. Collet, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), chained as Spark's XxHash64 does it:
the hash of a column's value is the seed of the next column's, a null leaves the seed as it is, an array is one value
after the other. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from musai.jit import compiled
from musai.tables import Table
from musai.warehouse.digests import HASH_SEEDS, hashed_columns

P1 = np.uint64(0x9E3779B185EBCA87)
P2 = np.uint64(0xC2B2AE3D27D4EB4F)
P3 = np.uint64(0x165667B19E3779F9)
P4 = np.uint64(0x85EBCA77C2B2AE63)
P5 = np.uint64(0x27D4EB2F165667C5)
FIRST = 42  # Spark's own seed
WIDTHS = {  # what is hashed as numbers -> how their bits are read
    kind: bits
    for kinds, bits in (
        ((pa.int32(), pa.date32()), pa.int32()),
        ((pa.int64(), pa.timestamp("us", "UTC")), pa.int64()),
        ((pa.float32(),), pa.float32()),
        ((pa.float64(),), pa.float64()),
    )
    for kind in kinds
}
KEPT_BITS, SHIFT = np.uint64((1 << 28) - 1), np.uint64(36)  # see digest_columns


def sums(batch: pa.RecordBatch, table: Table) -> dict[str, int]:
    """rows and the sums of `digests.digest_columns` over the rows of a batch in the schema of `table`.

    Of text, numbers, moments and vectors without nulls in them; TypeError for a column of another type.
    """
    found = {"rows": batch.num_rows}
    for number, seed in enumerate(HASH_SEEDS):
        state = np.full(batch.num_rows, FIRST, np.uint64)
        _ints(state, np.full(batch.num_rows, seed, np.uint32), np.ones(batch.num_rows, bool))
        for column in hashed_columns(table):
            for values in _parts(batch[column.name]):
                _into(state, values)
        found[f"low{number}"] = int((state & KEPT_BITS).sum())
        found[f"high{number}"] = int((state >> SHIFT).sum())
    return found


def _parts(values: pa.Array) -> Iterator[pa.Array]:
    """What is hashed of a column, see `digests._parts`."""
    yield values.is_null()
    if pa.types.is_list(values.type):
        if values.null_count or values.flatten().null_count:
            raise TypeError("nulls among vectors are hashed by Spark alone")
        yield values.value_lengths()
    yield values


def _into(state: np.ndarray, values: pa.Array) -> None:
    """Hash a column into the state uint64 [rows] of the columns before."""
    kind = values.type
    if pa.types.is_string(kind):
        _, offsets, data = values.buffers()
        ends = np.frombuffer(offsets, np.int32, len(values) + 1, 4 * values.offset)
        octets = np.frombuffer(data or b"", np.uint8)
        _texts(state, octets, ends, _flags(values.is_valid()))
    elif pa.types.is_list(kind) and pa.types.is_float32(kind.value_type):
        _vectors(state, _bits(values.flatten().to_numpy()), np.cumsum([0, *values.value_lengths().to_numpy()]))
    elif pa.types.is_boolean(kind):
        _ints(state, _flags(values.fill_null(False)).astype(np.uint32), _flags(values.is_valid()))
    elif kind in WIDTHS:
        words = _bits(values.view(WIDTHS[kind]).fill_null(0).to_numpy())
        (_ints if words.itemsize == 4 else _longs)(state, words, _flags(values.is_valid()))
    else:
        raise TypeError(f"{kind} is hashed by Spark alone")


def _flags(values: pa.Array) -> np.ndarray:
    return values.to_numpy(zero_copy_only=False)


def _bits(values: np.ndarray) -> np.ndarray:
    """Numbers as words of their size, of floats as Java's floatToIntBits: -0.0 is 0.0 and every NaN is one."""
    if values.dtype.kind == "f":
        values = values + values.dtype.type(0)
        values[np.isnan(values)] = np.nan
    return values.view(np.uint32 if values.itemsize == 4 else np.uint64)


@compiled
def _turned(word: np.uint64, bits: int) -> np.uint64:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@compiled
def _mixed(word: np.uint64) -> np.uint64:
    word = (word ^ (word >> np.uint64(33))) * P2
    word = (word ^ (word >> np.uint64(29))) * P3
    return word ^ (word >> np.uint64(32))


@compiled
def _int(value: np.uint32, seed: np.uint64) -> np.uint64:
    word = (seed + P5 + np.uint64(4)) ^ (np.uint64(value) * P1)
    return _mixed(_turned(word, 23) * P2 + P3)


@compiled
def _ints(state: np.ndarray, values: np.ndarray, there: np.ndarray) -> None:
    for row in range(len(values)):
        if there[row]:
            state[row] = _int(values[row], state[row])


@compiled
def _longs(state: np.ndarray, values: np.ndarray, there: np.ndarray) -> None:
    for row in range(len(values)):
        if there[row]:
            word = (state[row] + P5 + np.uint64(8)) ^ _round(values[row])
            state[row] = _mixed(_turned(word, 27) * P1 + P4)


@compiled
def _vectors(state: np.ndarray, values: np.ndarray, ends: np.ndarray) -> None:
    for row in range(len(state)):
        for place in range(ends[row], ends[row + 1]):
            state[row] = _int(values[place], state[row])


@compiled
def _word(octets: np.ndarray, start: int, size: int) -> np.uint64:
    found = np.uint64(0)
    for place in range(size):
        found |= np.uint64(octets[start + place]) << np.uint64(8 * place)
    return found


@compiled
def _round(word: np.uint64) -> np.uint64:
    return _turned(word * P2, 31) * P1


@compiled
def _text(octets: np.ndarray, start: int, end: int, seed: np.uint64) -> np.uint64:
    place, word = start, seed + P5
    if end - start >= 32:
        a, b, c, d = seed + P1 + P2, seed + P2, seed, seed - P1
        while place <= end - 32:
            a = _turned(a + _word(octets, place, 8) * P2, 31) * P1
            b = _turned(b + _word(octets, place + 8, 8) * P2, 31) * P1
            c = _turned(c + _word(octets, place + 16, 8) * P2, 31) * P1
            d = _turned(d + _word(octets, place + 24, 8) * P2, 31) * P1
            place += 32
        word = _turned(a, 1) + _turned(b, 7) + _turned(c, 12) + _turned(d, 18)
        for lane in (a, b, c, d):
            word = (word ^ _round(lane)) * P1 + P4
    word += np.uint64(end - start)
    while place <= end - 8:
        word = _turned(word ^ _round(_word(octets, place, 8)), 27) * P1 + P4
        place += 8
    if place <= end - 4:
        word = _turned(word ^ (_word(octets, place, 4) * P1), 23) * P2 + P3
        place += 4
    while place < end:
        word = _turned(word ^ (np.uint64(octets[place]) * P5), 11) * P1
        place += 1
    return _mixed(word)


@compiled
def _texts(state: np.ndarray, octets: np.ndarray, ends: np.ndarray, there: np.ndarray) -> None:
    for row in range(len(state)):
        if there[row]:
            state[row] = _text(octets, ends[row], ends[row + 1], state[row])
