"""FarmHash's Fingerprint64 of many strings at once, in NumPy.

The algorithm is that of Geoff Pike's FarmHash (`Fingerprint64`, which is `farmhashna::Hash64`):
it never changes, so that files of hashed features stay right, and TensorFlow's
`to_hash_bucket_fast` has it, too. Strings of one length take the same path through it, so each
length is one computation on columns of 64-bit numbers, which wrap around.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Pair = tuple[Words, Words]

_K0: Final = np.uint64(0xC3A5C85C97CB3127)
_K1: Final = np.uint64(0xB492B66FBE98F273)
_K2: Final = np.uint64(0x9AE16A3B2F90404F)
_CAT: Final = np.uint64(0xC6A4A7935BD1E995)
_MASK: Final = (1 << 64) - 1


def fingerprints(strings: Sequence[bytes]) -> Words:
    """Return the fingerprint of each string.

    Example:
        >>> hex(fingerprints([b"hello"])[0])
        '0xb48be5a931380ce8'
    """
    return by_length(strings, _of_one_length)


def joined_fingerprints(first: Words, second: Words) -> Words:
    """Return fingerprints of pairs, made of those of their parts (`FingerprintCat64`)."""
    mixed = first ^ _CAT
    mixed = (mixed ^ (_shift_mix(second * _CAT) * _CAT)) * _CAT
    return _shift_mix(_shift_mix(mixed) * _CAT)


def by_length(strings: Sequence[bytes], compute: Callable[[npt.NDArray[np.uint8]], Words]) -> Words:
    """Compute a number of each string, those of one length at once.

    Args:
        strings: the strings.
        compute: takes bytes of shape (strings, length) and returns a number for each string.
    """
    lengths = np.array([len(string) for string in strings], np.int64)
    result = np.zeros(len(strings), np.uint64)
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        joined = b"".join(strings[place] for place in places.tolist())
        rows = np.frombuffer(joined, np.uint8).reshape(len(places), length)
        result[places] = compute(rows)
    return result


def fetch(rows: npt.NDArray[np.uint8], start: int, dtype: str = "<u8") -> Words:
    """Return the little-endian numbers that begin at a place of each row."""
    size = np.dtype(dtype).itemsize
    part: npt.NDArray[Any] = np.asarray(rows[:, start : start + size], order="C").view(dtype)
    return part[:, 0].astype(np.uint64)


def rotate(words: Words, right: int) -> Words:
    """Return 64-bit numbers rotated to the right."""
    return (words >> np.uint64(right)) | (words << np.uint64(64 - right))


def _of_one_length(rows: npt.NDArray[np.uint8]) -> Words:
    length = rows.shape[1]
    if length <= 16:
        return _up_to_16(rows, length)
    if length <= 32:
        return _up_to_32(rows, length)
    return _up_to_64(rows, length) if length <= 64 else _longer(rows, length)


def _up_to_16(rows: npt.NDArray[np.uint8], length: int) -> Words:
    factor = _factor(length)
    if length >= 8:
        a, b = fetch(rows, 0) + _K2, fetch(rows, length - 8)
        return _mix(rotate(b, 37) * factor + a, (rotate(a, 25) + b) * factor, factor)
    if length >= 4:
        a, b = fetch(rows, 0, "<u4"), fetch(rows, length - 4, "<u4")
        return _mix(np.uint64(length) + (a << np.uint64(3)), b, factor)
    if length == 0:
        return np.full(len(rows), _K2)
    first, middle, last = (rows[:, i].astype(np.uint64) for i in (0, length >> 1, length - 1))
    y = first + (middle << np.uint64(8))
    z = np.uint64(length) + (last << np.uint64(2))
    return _shift_mix(y * _K2 ^ z * _K0) * _K2


def _up_to_32(rows: npt.NDArray[np.uint8], length: int) -> Words:
    factor = _factor(length)
    a, b = fetch(rows, 0) * _K1, fetch(rows, 8)
    c, d = fetch(rows, length - 8) * factor, fetch(rows, length - 16) * _K2
    return _mix(rotate(a + b, 43) + rotate(c, 30) + d, a + rotate(b + _K2, 18) + c, factor)


def _up_to_64(rows: npt.NDArray[np.uint8], length: int) -> Words:
    factor = _factor(length)
    a, b = fetch(rows, 0) * _K2, fetch(rows, 8)
    c, d = fetch(rows, length - 8) * factor, fetch(rows, length - 16) * _K2
    y = rotate(a + b, 43) + rotate(c, 30) + d
    z = _mix(y, a + rotate(b + _K2, 18) + c, factor)
    e, f = fetch(rows, 16) * factor, fetch(rows, 24)
    g = (y + fetch(rows, length - 32)) * factor
    h = (z + fetch(rows, length - 24)) * factor
    return _mix(rotate(e + f, 43) + rotate(g, 30) + h, e + rotate(f + a, 18) + g, factor)


def _longer(rows: npt.NDArray[np.uint8], length: int) -> Words:
    zero = np.zeros(len(rows), np.uint64)
    y = zero + np.uint64((81 * int(_K1) + 113) & _MASK)
    z = _shift_mix(y * _K2 + np.uint64(113)) * _K2
    x = fetch(rows, 0) + np.uint64((81 * int(_K2)) & _MASK)
    v, w = (zero, zero), (zero, zero)
    for start in range(0, (length - 1) // 64 * 64, 64):
        x, y, z, v, w = _block(rows, start, (x, y, z), (v, w), _K1, False)
    rest = np.uint64((length - 1) & 63)
    factor = _K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    w = (w[0] + rest, w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x, y, z, v, w = _block(rows, length - 64, (x, y, z), (v, w), factor, True)
    return _mix(
        _mix(v[0], w[0], factor) + _shift_mix(y) * _K0 + z,
        _mix(v[1], w[1], factor) + x,
        factor,
    )


def _block(
    rows: npt.NDArray[np.uint8],
    start: int,
    state: tuple[Words, Words, Words],
    pairs: tuple[Pair, Pair],
    factor: Words | np.uint64,
    last: bool,
) -> tuple[Words, Words, Words, Pair, Pair]:
    """Take in 64 bytes; the last ones count nine times."""
    (x, y, z), (v, w) = state, pairs
    times = np.uint64(9 if last else 1)
    x = rotate(x + y + v[0] + fetch(rows, start + 8), 37) * factor
    y = rotate(y + v[1] + fetch(rows, start + 48), 42) * factor
    x = x ^ (w[1] * times)
    y = y + v[0] * times + fetch(rows, start + 40)
    z = rotate(z + w[0], 33) * factor
    v = _weak(rows, start, v[1] * factor, x + w[0])
    w = _weak(rows, start + 32, z + w[1], y + fetch(rows, start + 16))
    return z, y, x, v, w


def _weak(rows: npt.NDArray[np.uint8], start: int, a: Words, b: Words) -> Pair:
    """Two numbers of 32 bytes and of two seeds."""
    p, q, r, s = (fetch(rows, start + offset) for offset in (0, 8, 16, 24))
    a = a + p
    b = rotate(b + a + s, 21)
    c = a
    a = a + q + r
    return a + s, b + rotate(a, 44) + c


def _mix(u: Words, v: Words, factor: Words | np.uint64) -> Words:
    a = _shift_mix((u ^ v) * factor)
    return _shift_mix((v ^ a) * factor) * factor


def _shift_mix(words: Words) -> Words:
    return words ^ (words >> np.uint64(47))


def _factor(length: int) -> np.uint64:
    return np.uint64((int(_K2) + length * 2) & _MASK)
