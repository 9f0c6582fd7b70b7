"""Noise is a function of seed, step and stream, and uniform."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.runtime.noise import GENERATORS, uniform_noise

SHAPE = (200, 500)


def test_same_seed_step_and_stream_give_the_same_numbers():
    first, second = (uniform_noise(7, 3, 1, SHAPE) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("other", [(8, 3, 1), (7, 4, 1), (7, 3, 2)])
def test_another_seed_step_or_stream_gives_independent_numbers(other):
    a = uniform_noise(7, 3, 1, SHAPE).ravel()
    b = uniform_noise(*other, SHAPE).ravel()
    # 100,000 independent pairs: a correlation beyond 5 standard deviations is no accident.
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)


def test_numbers_are_uniform_in_the_half_open_unit_interval():
    sample = np.sort(uniform_noise(1, 0, 0, SHAPE).ravel().astype(np.float64))
    assert sample[0] >= 0
    assert sample[-1] < 1
    # Kolmogorov-Smirnov: the distance exceeds 2 / sqrt(n) once in 1,500 seeds.
    distance = np.abs(sample - (np.arange(sample.size) + 0.5) / sample.size).max()
    assert distance < 2 / np.sqrt(sample.size)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("sample", [(), (3,), (5, 7), (20_000,)], ids=str)
def test_part_of_a_batch_has_the_numbers_that_it_has_in_the_whole(generator, sample):
    whole = uniform_noise(7, 3, 1, (32, *sample), generator=generator)
    part = uniform_noise(7, 3, 1, (8, *sample), first_sample=8, generator=generator)
    np.testing.assert_array_equal(part, whole[8:16])
    alone = uniform_noise(7, 3, 1, (1, *sample), generator=generator)
    np.testing.assert_array_equal(alone, whole[:1])


def test_processes_that_share_a_batch_draw_what_one_would():
    whole = uniform_noise(7, 3, 1, (1000, 33))
    for ends in ([250, 500, 750], [1, 999], [333, 334, 900]):
        starts = [0, *ends]
        parts = [
            uniform_noise(7, 3, 1, (end - start, 33), first_sample=start)
            for start, end in zip(starts, [*ends, 1000], strict=True)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_numbers_are_float32_of_the_shape_asked_for():
    noise = uniform_noise(1, 0, 0, (2, 0, 3))
    assert (noise.shape, noise.dtype) == ((2, 0, 3), np.float32)
