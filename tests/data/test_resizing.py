"""Sizes of pictures: each interpolation by its definition, and bilinear and nearest as Keras's."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.data.resizing import crop_box, resized, resized_with_pad

SIZES = [(5, 3), (3, 5), (7, 7), (2, 9), (11, 4)]


def kernel_of(name):
    """Radius and weight by distance, as the papers define them."""

    def cubic(b, c):
        def weight(x):
            x = abs(x)
            if x < 1:
                return ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + 6 - 2 * b) / 6
            if x < 2:
                high = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2
                return (high + (-12 * b - 48 * c) * x + 8 * b + 24 * c) / 6
            return 0.0

        return weight

    def lanczos(radius):
        return lambda x: np.sinc(x) * np.sinc(x / radius) if abs(x) < radius else 0.0

    return {
        "bilinear": lambda x: max(0.0, 1 - abs(x)),
        "bicubic": cubic(0, 0.5),
        "mitchellcubic": cubic(1 / 3, 1 / 3),
        "lanczos3": lanczos(3),
        "lanczos5": lanczos(5),
        "gaussian": lambda x: np.exp(-(x**2) / (2 * 0.5**2)) if abs(x) < 1.5 else 0.0,
    }[name]


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize(
    "name", ["bilinear", "bicubic", "mitchellcubic", "lanczos3", "lanczos5", "gaussian"]
)
def test_filters_weigh_pixels_by_the_distance_of_their_centres(name, old, new):
    weigh = kernel_of(name)
    line = np.random.default_rng(0).normal(size=old)
    expected = []
    for i in range(new):
        centre = (i + 0.5) * old / new
        weights = np.array([weigh(j + 0.5 - centre) for j in range(old)])
        expected.append(weights @ line / weights.sum())
    for shape, size in (((old, 1, 1), (new, 1)), ((1, old, 1), (1, new))):
        result = resized(line.reshape(shape), size, name)
        np.testing.assert_allclose(result.ravel(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_area_is_the_mean_of_what_a_pixel_covers(old, new):
    line = np.random.default_rng(1).normal(size=old)
    fine = np.repeat(line, new)  # `old` pieces make up one new pixel
    result = resized(line.reshape(1, old, 1), (1, new), "area")
    np.testing.assert_allclose(result.ravel(), fine.reshape(new, old).mean(1), rtol=1e-5, atol=1e-6)


def test_bilinear_and_nearest_are_those_of_keras():
    # Recorded from keras.ops.image.resize of Keras 3.15.1 (torch).
    def line(count, new, name):
        return resized(np.arange(float(count)).reshape(1, count, 1), (1, new), name).ravel()

    np.testing.assert_allclose(line(5, 3, "bilinear"), [1 / 3, 2, 11 / 3], rtol=1e-6)
    np.testing.assert_allclose(line(3, 5, "bilinear"), [0, 0.4, 1, 1.6, 2], rtol=1e-6)
    np.testing.assert_array_equal(line(5, 3, "nearest"), [0, 2, 4])
    np.testing.assert_array_equal(line(3, 5, "nearest"), [0, 0, 1, 2, 2])


def test_constant_pictures_stay_constant():
    picture = np.full((6, 9, 3), 7.5)
    for name in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian"):
        np.testing.assert_allclose(resized(picture, (4, 13), name), 7.5, rtol=1e-6)


def test_padding_puts_the_picture_in_the_middle_of_zeros():
    result = resized_with_pad(np.ones((3, 9, 1)), (6, 6), "bilinear")[..., 0]
    assert result.sum(axis=1).tolist() == [0, 0, 6, 6, 0, 0]
    assert resized_with_pad(np.ones((1, 400, 1)), (4, 4), "nearest").sum() == 4


def test_crop_box_is_the_largest_in_the_middle():
    assert crop_box(340, 500, (200, 200)) == (0, 80, 340, 340)
    assert crop_box(10, 3, (1, 100)) == (4, 0, 1, 3)
