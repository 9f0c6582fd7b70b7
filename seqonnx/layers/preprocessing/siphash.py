"""SipHash-2-4 of many strings at once, in NumPy.

The algorithm is that of Aumasson and Bernstein ("SipHash: a fast short-input PRF", 2012); keyed
by a salt, TensorFlow's `to_hash_bucket_strong` has it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from seqonnx.layers.preprocessing.farmhash import Words, by_length, fetch, rotate

_START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_MASK: Final = (1 << 64) - 1


def siphashes(strings: Sequence[bytes], key: Sequence[int]) -> Words:
    """Return the hash of each string.

    Args:
        strings: the strings.
        key: two integers of 64 bits.

    Example:
        >>> key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
        >>> hex(siphashes([bytes(range(15))], key)[0])
        '0xa129ca6149be45e5'
    """
    return by_length(strings, lambda rows: _of_one_length(rows, key))


def _of_one_length(rows: npt.NDArray[np.uint8], key: Sequence[int]) -> Words:
    length = rows.shape[1]
    zero = np.zeros(len(rows), np.uint64)
    start = (word ^ (key[index % 2] & _MASK) for index, word in enumerate(_START))
    v = [zero + np.uint64(word) for word in start]
    padded = np.zeros((len(rows), length // 8 * 8 + 8), np.uint8)
    padded[:, :length] = rows
    padded[:, -1] = length & 0xFF
    for place in range(0, padded.shape[1], 8):
        word = fetch(padded, place)
        v[3] = v[3] ^ word
        v = _rounds(v, 2)
        v[0] = v[0] ^ word
    v[2] = v[2] ^ np.uint64(0xFF)
    v = _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[Words], count: int) -> list[Words]:
    a, b, c, d = v
    for _ in range(count):
        a, c = a + b, c + d
        b, d = rotate(b, 64 - 13) ^ a, rotate(d, 64 - 16) ^ c
        a = rotate(a, 32)
        c, a = c + b, a + d
        b, d = rotate(b, 64 - 17) ^ c, rotate(d, 64 - 21) ^ a
        c = rotate(c, 32)
    return [a, b, c, d]
