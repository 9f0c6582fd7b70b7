"""Noise from a counter: a number follows from its place alone.

Nothing is remembered between steps, so a run can stop anywhere and be repeated exactly. A number
depends on the seed, the stream (the number of the noise input in its graph), the step, the number
s of its sample in the whole batch and the number e of the element in its sample, and on nothing
else: processes that each hold a part of a batch draw what one with all of it would.

The generator "triple32" computes with integers modulo 2**32, so that a few lines of JavaScript give
the same bits (`Math.imul`, `>>>`; they stand in the documentation, under "How it works"):

    mix(x, k):  x = (x ^ x >> 17) * 0xED5AD4BB ^ k
                x = (x ^ x >> 11) * 0xAC4C1B51
                x = (x ^ x >> 15) * 0x31848BAB
                x ^ x >> 14
    key(k):     k = mix(k ^ word, 0), for each word of: seed, seed >> 32, stream, step
    number:     mix(key(1) + G * (e + G * s), key(2)) >> 8, divided by 2**24
                where G = 0x9E3778C1

`mix` without k is the hash triple32 of Wellons ("Prospecting for Hash Functions", 2018), found by a
search for the least bias. G is close to 2**32 divided by the golden ratio, so that the samples of
a batch begin far from each other (Fibonacci hashing; Knuth, "The Art of Computer Programming",
volume 3, 1973, section 6.4). It is the closest number whose continued fraction with 2**32 has no
quotient above 3: no two counters e + G * s are the same while a noise has up to 10**9 numbers. The
first key says where counters begin. The second, in the middle of the hash, makes numbers differ
where counters of two streams or steps meet.

The generator "pcg64dxsm" is that of files that name none: NumPy's PCG64DXSM, seeded by
`SeedSequence([seed, stream, step])`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, reduce
from math import ceil
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from seqonnx.graph.noise_inputs import NoiseInput

GENERATOR: Final = "triple32"
"""Generator of new runs."""
EARLIER_GENERATOR: Final = "pcg64dxsm"
"""Generator of runs that began before files named theirs."""

_WORD: Final = 0xFFFFFFFF
_GOLDEN: Final = 0x9E3778C1
_ROUNDS: Final = ((17, 0xED5AD4BB), (11, 0xAC4C1B51), (15, 0x31848BAB))
_LAST_SHIFT: Final = 14
_BLOCK: Final = 1 << 16
"""Numbers computed at a time: many for each call of NumPy, few enough for the cache (measured)."""


class _Place(NamedTuple):
    """A noise among all others; see `uniform_noise`."""

    seed: int
    step: int
    stream: int
    shape: tuple[int, ...]
    first_sample: int


def uniform_noise(
    seed: int,
    step: int,
    stream: int,
    shape: Sequence[int],
    *,
    first_sample: int = 0,
    generator: str = GENERATOR,
) -> npt.NDArray[np.float32]:
    """Return uniform noise in [0, 1).

    Args:
        seed: seed of the run, from 0 to 2**64 - 1.
        step: number of the training step.
        stream: number of the noise input in its graph, so that no two draw the same.
        shape: shape wanted; the first axis counts samples.
        first_sample: number of the first sample in the whole batch.
        generator: one of `GENERATORS`.

    Returns:
        float32 array of multiples of 2**-24.

    Example:
        >>> whole = uniform_noise(7, 0, 0, (32, 3))
        >>> part = uniform_noise(7, 0, 0, (8, 3), first_sample=16)
        >>> bool((part == whole[16:24]).all())
        True
    """
    return GENERATORS[generator](_Place(seed, step, stream, tuple(shape), first_sample))


def _triple32(place: _Place) -> npt.NDArray[np.float32]:
    """Draw from the generator "triple32", block by block."""
    noise = np.empty(place.shape, np.float32)
    if noise.size == 0:
        return noise
    first, second = _key(1, place), _key(2, place)
    flat = noise.reshape(-1)
    samples = place.shape[0] if len(place.shape) > 0 else 1
    elements = noise.size // samples
    rows = min(samples, max(1, _BLOCK // elements))
    width = ceil(elements / ceil(elements / _BLOCK))
    # Counters are linear: those of each block are those of the first one, moved.
    counters = _counters(rows, width)
    hashed, spare = np.empty_like(counters), np.empty_like(counters)
    for row in range(0, samples, rows):
        start = place.first_sample + row
        for column in range(0, elements, width):
            size = min(samples - row, rows) * min(elements - column, width)
            x = hashed[:size]
            begin = first + _GOLDEN * (column + _GOLDEN * start)
            np.add(counters[:size], begin & _WORD, out=x)
            _hash(x, second, spare[:size])
            at = row * elements + column
            _to_unit_interval(x, out=flat[at : at + size])
    return noise


@lru_cache(maxsize=16)
def _counters(rows: int, width: int) -> npt.NDArray[np.uint32]:
    """G * (e + G * s) for some samples from 0 and elements from 0."""
    samples, elements = np.arange(rows, dtype=np.uint32), np.arange(width, dtype=np.uint32)
    counters: npt.NDArray[np.uint32] = np.add.outer(samples * _GOLDEN, elements).reshape(-1)
    counters *= _GOLDEN
    counters.setflags(write=False)
    return counters


def _hash(x: npt.NDArray[np.uint32], key: int, spare: npt.NDArray[np.uint32]) -> None:
    """Replace counters by their hash."""
    for number, (shift, factor) in enumerate(_ROUNDS):
        np.right_shift(x, shift, out=spare)
        np.bitwise_xor(x, spare, out=x)
        np.multiply(x, factor, out=x)
        if number == 0:
            np.bitwise_xor(x, key, out=x)
    np.right_shift(x, _LAST_SHIFT, out=spare)
    np.bitwise_xor(x, spare, out=x)


def _to_unit_interval(x: npt.NDArray[np.uint32], out: npt.NDArray[np.float32]) -> None:
    """Write the upper 24 bits as float32 in [0, 1), without rounding."""
    np.right_shift(x, 8, out=x)
    # Signed integers are converted faster (measured); 24 bits are the same number in both.
    np.copyto(out, x.view(np.int32), casting="unsafe")
    np.multiply(out, 2**-24, out=out)


def _key(start: int, place: _Place) -> int:
    """One of the two keys of a noise."""
    words = (place.seed, place.seed >> 32, place.stream, place.step)
    return reduce(lambda key, word: _mix(key ^ word & _WORD), words, start)


def _mix(x: int) -> int:
    """The hash of one integer."""
    for shift, factor in _ROUNDS:
        x = (x ^ x >> shift) * factor & _WORD
    return x ^ x >> _LAST_SHIFT


def _pcg64dxsm(place: _Place) -> npt.NDArray[np.float32]:
    """Draw from NumPy's generator, in order from the first sample of the batch on."""
    key = np.random.SeedSequence([place.seed, place.stream, place.step])
    generator = np.random.Generator(np.random.PCG64DXSM(key))
    if place.first_sample == 0:
        return generator.random(place.shape, dtype=np.float32)
    samples, *others = place.shape
    whole = (place.first_sample + samples, *others)
    return generator.random(whole, dtype=np.float32)[place.first_sample :]


GENERATORS: Final[Mapping[str, Callable[[_Place], npt.NDArray[np.float32]]]] = {
    GENERATOR: _triple32,
    EARLIER_GENERATOR: _pcg64dxsm,
}
"""Generators by the name that a file gives them."""


def sizes_in(
    shapes: Mapping[str, Sequence[int | str | None]], feeds: Mapping[str, npt.NDArray[Any]]
) -> dict[str, int]:
    """Return the sizes that symbols stand for in a run.

    Args:
        shapes: shape of each graph input; a symbol is a string.
        feeds: an array for each.

    Example:
        >>> sizes_in({"x": ("batch", 2)}, {"x": np.zeros((5, 2))})
        {'batch': 5}
    """
    return {
        dim: size
        for name, shape in shapes.items()
        for dim, size in zip(shape, feeds[name].shape, strict=True)
        if isinstance(dim, str)
    }


def noise_feeds(
    inputs: Mapping[str, NoiseInput], sizes: Mapping[str, int], seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the noise of a run that nothing counts.

    Args:
        inputs: the noise inputs of its graph by name.
        sizes: the sizes that symbols stand for.
        seed: seed of the run; sources of their own give their next one.
    """
    places = places_of(inputs, seed, None)
    return {
        name: uniform_noise(
            *places[name], [d if isinstance(d, int) else sizes[str(d)] for d in drawn.shape]
        )
        for name, drawn in inputs.items()
    }


def places_of(
    inputs: Mapping[str, NoiseInput], seed: int, step: int | None, generator: str = GENERATOR
) -> dict[str, tuple[int, int, int]]:
    """Return seed, step and stream of each noise input in a run.

    Args:
        inputs: the noise inputs of its graph by name.
        seed: seed of the run.
        step: number of the step; None: the run is not one of many that are counted, so that
            sources of their own give their next seed.
        generator: generator of the run; when runs had the earlier one, all draws followed the seed
            of the run.
    """
    if generator == EARLIER_GENERATOR:
        return {name: (seed, step or 0, number) for number, name in enumerate(inputs)}
    sources = {drawn.source for drawn in inputs.values() if drawn.source is not None}
    own = {source: (source.next(), 0) if step is None else source._at(step) for source in sources}
    return {
        name: (*((seed, step or 0) if drawn.source is None else own[drawn.source]), drawn.stream)
        for name, drawn in inputs.items()
    }
