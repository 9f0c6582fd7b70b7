"""Noise is uniform, and independent between elements, samples, steps, streams and seeds.

All is computed from fixed seeds, so a test always gives the same verdict.
"""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.runtime import noise as noise_module
from seqonnx.runtime.noise import uniform_noise
from support.randomness import (
    BITS,
    Numbers,
    bit_frequency,
    evenness,
    integers,
    worst_of_pairs,
)

LIMIT = 6.0
"""Standard deviations that chance does not reach here."""
SEED = 2**62 + 12_345
SHAPES = {"long samples": (4, 32_768), "images": (128, 1024), "single numbers": (131_072, 1)}

APART = [1, 2, 8, 144, 377, 5778, 37_252]
"""How far samples lie apart whose counters are close: convergents of the continued fraction."""

every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def drawn(shape, *, seed=SEED, step=3, stream=1, first_sample=0) -> Numbers:
    return integers(uniform_noise(seed, step, stream, shape, first_sample=first_sample))


def worst_of_one(numbers: Numbers) -> float:
    """The worst of the statistics of one sequence that should be uniform."""
    upper, lower = numbers >> np.uint32(BITS - 12), numbers & np.uint32(4095)
    return max(abs(evenness(upper, 4096)), abs(evenness(lower, 4096)), bit_frequency(numbers))


@every_shape
@pytest.mark.parametrize("seed", [0, SEED])
def test_numbers_and_their_bits_are_uniform(shape, seed):
    assert worst_of_one(drawn(shape, seed=seed)) < LIMIT


@every_shape
@pytest.mark.parametrize("apart", [1, 2])
def test_neighbouring_elements_are_independent(shape, apart):
    numbers = drawn(shape)
    assert worst_of_pairs(numbers[:-apart], numbers[apart:]) < LIMIT


@pytest.mark.parametrize("shape", [(1024, 128), (131_072, 1)], ids=str)
@pytest.mark.parametrize("apart", APART)
def test_samples_are_independent(shape, apart):
    numbers, others = drawn(shape), drawn(shape, first_sample=apart)
    assert worst_of_pairs(numbers, others) < LIMIT


@every_shape
@pytest.mark.parametrize(
    "other",
    [
        {"step": 4},
        {"step": 3 + 2**20},
        {"stream": 2},
        {"step": 1, "stream": 3},
        {"seed": SEED + 1},
        {"seed": SEED ^ 2**32},
        {"seed": SEED ^ 2**63},
    ],
    ids=str,
)
def test_steps_streams_and_seeds_are_independent(shape, other):
    assert worst_of_pairs(drawn(shape), drawn(shape, **other)) < LIMIT


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("along", ["step", "stream", "seed"])
def test_short_noises_of_one_run_are_uniform_and_independent(along, shape):
    # One number of each of many noises, in their order, as a small layer sees them.
    last = np.array([drawn(shape, **{along: i})[-1] for i in range(4096)], np.uint32)
    assert abs(evenness(last >> np.uint32(BITS - 6), 64)) < LIMIT
    assert bit_frequency(last) < LIMIT
    assert worst_of_pairs(last[:-1], last[1:]) < LIMIT


@pytest.mark.parametrize(("key", "bits"), [("seed", 64), ("step", 32), ("stream", 32)])
def test_each_bit_of_a_key_changes_half_of_all_bits(key, bits):
    rng = np.random.default_rng(0)
    for bit in range(bits):
        changed = []
        for base in rng.integers(0, 2 ** (bits - 1), 24).tolist():
            a, b = (drawn((4, 4), **{key: value}) for value in (base, base ^ 1 << bit))
            changed.append(a ^ b)
        share = np.unpackbits(np.concatenate(changed).view(np.uint8)).mean() * 32 / BITS
        assert abs(share - 0.5) < LIMIT * 0.5 / np.sqrt(24 * 16 * BITS), bit


@pytest.mark.parametrize("axis", ["sample", "element"])
def test_each_bit_of_a_place_changes_half_of_all_bits(axis):
    shape = (2**14, 1) if axis == "sample" else (1, 2**14)
    numbers, places = drawn(shape), np.arange(2**14)
    for bit in range(14):
        changed = numbers ^ numbers[places ^ 1 << bit]
        shares = ((changed[:, None] >> np.arange(BITS, dtype=np.uint32)) & 1).mean(0)
        # Each pair stands there twice.
        assert np.abs(shares - 0.5).max() < LIMIT * 0.5 / np.sqrt(2**13), bit


def test_counters_of_samples_do_not_meet():
    # Records of how close two samples come: the convergents of the continued fraction.
    apart, before, distance, longer = 1, 0, noise_module._GOLDEN, 2**32
    while distance > 0:
        assert apart * distance > 10**9
        quotient = longer // distance
        apart, before = before + quotient * apart, apart
        distance, longer = longer - quotient * distance, distance
    samples = 2**17
    starts = np.sort(np.uint32(noise_module._GOLDEN) * np.arange(samples, dtype=np.uint32))
    gaps = np.diff(np.append(starts.astype(np.int64), 2**32))
    assert gaps.min() * samples > 10**9


@pytest.mark.parametrize("apart", APART[2:])
def test_the_battery_finds_a_weaker_hash(monkeypatch, apart):
    monkeypatch.setattr(noise_module, "_ROUNDS", noise_module._ROUNDS[:1])
    numbers, others = (drawn((131_072, 1), first_sample=first) for first in (0, apart))
    assert worst_of_pairs(numbers, others) > LIMIT
