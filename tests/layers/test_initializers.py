"""Initializers have the distributions of their definitions, and repeat under a seed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from seqonnx import config, initializers

FANS = [((400, 100), 400, 100), ((3, 3, 40, 50), 360, 450), ((5, 20, 90), 100, 450)]

# Name, scale, which fan, distribution.
SCALINGS = [
    ("glorot_uniform", 1.0, "avg", "uniform"),
    ("glorot_normal", 1.0, "avg", "truncated"),
    ("he_uniform", 2.0, "in", "uniform"),
    ("he_normal", 2.0, "in", "truncated"),
    ("lecun_uniform", 1.0, "in", "uniform"),
    ("lecun_normal", 1.0, "in", "truncated"),
]

EVERY = [
    *(initializers.get(name) for name, *_ in SCALINGS),
    initializers.Zeros(),
    initializers.Ones(),
    initializers.Constant(0.25),
    initializers.Identity(2.0),
    initializers.RandomNormal(1.0, 0.5, seed=3),
    initializers.RandomUniform(-2.0, 3.0, seed=3),
    initializers.TruncatedNormal(1.0, 0.5, seed=3),
    initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=3),
    initializers.Orthogonal(1.5, seed=3),
    initializers.FromArray(np.arange(12.0).reshape(4, 3)),
    initializers.HeUniform(3, [0], [1]),
]


@pytest.mark.parametrize(("name", "scale", "fan", "kind"), SCALINGS)
@pytest.mark.parametrize(("shape", "inputs", "outputs"), FANS)
def test_variance_follows_the_fans(name, scale, fan, kind, shape, inputs, outputs):
    initializer = type(initializers.get(name))(seed=11)
    value = initializer(shape)
    stddev = math.sqrt(scale / (inputs if fan == "in" else (inputs + outputs) / 2))
    # The relative error of a standard deviation of n draws is about 1 / sqrt(2 n).
    assert value.std() == pytest.approx(stddev, rel=5 / math.sqrt(2 * value.size))
    assert abs(value.mean()) < 5 * stddev / math.sqrt(value.size)
    limit = math.sqrt(3) * stddev if kind == "uniform" else 2 * stddev / 0.8796256610342398
    assert np.abs(value).max() <= limit * (1 + 1e-6)
    assert np.abs(value).max() > 0.98 * limit


def test_he_normal_has_the_standard_deviation_of_keras():
    value = initializers.HeNormal(seed=5)((1000, 1000))
    assert value.std() == pytest.approx(math.sqrt(2 / 1000), rel=2e-3)


def test_fan_out_and_the_untruncated_normal():
    value = initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=1)((300, 400))
    assert value.std() == pytest.approx(math.sqrt(3 / 400), rel=0.02)
    assert np.abs(value).max() > 3 * math.sqrt(3 / 400)


def test_fans_of_vectors_and_scalars():
    assert np.abs(initializers.GlorotUniform(seed=1)((50,))).max() <= math.sqrt(3 / 50)
    assert np.abs(initializers.GlorotUniform(seed=1)(())) <= math.sqrt(3)


def test_simple_distributions():
    normal = initializers.RandomNormal(1.0, 0.5, seed=2)((200, 200))
    assert normal.mean() == pytest.approx(1.0, abs=0.02)
    assert normal.std() == pytest.approx(0.5, rel=0.02)
    assert initializers.get("normal").get_config() == {"mean": 0.0, "stddev": 0.05, "seed": None}
    uniform = initializers.get("uniform")((200, 200))
    assert -0.05 <= uniform.min() < -0.049
    assert 0.049 < uniform.max() <= 0.05
    cut = initializers.TruncatedNormal(1.0, 0.5, seed=2)((200, 200))
    assert 0.0 <= cut.min() < 0.01
    assert 1.99 < cut.max() <= 2.0


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (2, 3, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape):
    matrix = initializers.Orthogonal(2.0, seed=1)(shape, "float64").reshape(-1, shape[-1])
    gram = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, 4.0 * np.eye(len(gram)), atol=1e-12)


def test_fixed_values():
    np.testing.assert_array_equal(initializers.get("zero")((2, 2)), np.zeros((2, 2)))
    np.testing.assert_array_equal(initializers.get("one")((2,)), [1, 1])
    np.testing.assert_array_equal(initializers.Constant([1, 2])((2, 2)), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(initializers.Identity()((2, 3)), [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("initializer", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_value_has_the_shape_and_type_asked_for(initializer, dtype):
    value = initializer((4, 3), dtype)
    assert value.shape == (4, 3)
    assert value.dtype.name == dtype


@pytest.mark.parametrize("initializer", EVERY, ids=repr)
def test_serialization_survives_json(initializer):
    plain = json.loads(json.dumps(initializers.serialize(initializer)))
    again = initializers.get(plain)
    assert type(again) is type(initializer)
    assert again.get_config() == initializer.get_config()


def test_a_seed_repeats_and_its_absence_follows_the_process():
    fixed = initializers.GlorotUniform(seed=4)
    np.testing.assert_array_equal(fixed((3, 3)), fixed((3, 3)))
    free = initializers.GlorotUniform()
    config.set_random_seed(1)
    first, second = free((3, 3)), free((3, 3))
    config.set_random_seed(1)
    np.testing.assert_array_equal(free((3, 3)), first)
    assert not np.array_equal(first, second)


def test_arrays_functions_and_classes_are_initializers():
    array = np.arange(4.0).reshape(2, 2)
    np.testing.assert_array_equal(initializers.get(array)((2, 2)), array)
    made = initializers.get(lambda shape, dtype: np.full(shape, 7, dtype))((2,), "float64")
    assert made.tolist() == [7.0, 7.0]
    assert isinstance(initializers.get(initializers.HeNormal), initializers.HeNormal)
    with pytest.raises(ValueError, match=r"array of shape \(2, 2\) for a weight of shape \(3,\)"):
        initializers.get(array)((3,))
    with pytest.raises(ValueError, match=r"'<lambda>' must return an array of shape \(2,\)"):
        initializers.get(lambda shape, dtype: np.zeros(3))((2,))


@pytest.mark.parametrize("identifier", ["foo", 3, None, {"class_name": "foo", "config": {}}])
def test_unknown_identifier_is_refused(identifier):
    with pytest.raises(ValueError, match=r"^Could not interpret initializer identifier: "):
        initializers.get(identifier)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: initializers.VarianceScaling(scale=-1), "Argument `scale` must be positive"),
        (lambda: initializers.VarianceScaling(mode="all"), "Invalid `mode` argument: all"),
        (lambda: initializers.VarianceScaling(distribution="x"), "Invalid `distribution`"),
        (lambda: initializers.Orthogonal()((3,)), "must be at least two-dimensional"),
        (lambda: initializers.Identity()((3,)), "can only be used for 2D matrices"),
        (lambda: initializers.STFT("both"), "side should be 'real' or 'imag', not both"),
        (lambda: initializers.STFT(scaling="x"), "Scaling is invalid, it must be `None`, 'density"),
        (
            lambda: initializers.STFT(window="x"),
            r"Unknown window type\. Received: window='x'",
        ),
        (lambda: initializers.STFT()((3, 3)), r"has the shape \(frame length, 1, number of freq"),
        (
            lambda: initializers.STFT(window=[1.0, 2.0])((3, 1, 3)),
            r"The shape of `window` must be equal to \[frame_length\]\. Received: window shape=\(2",
        ),
    ],
)
def test_illegal_argument_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


KERAS = {
    "Constant": ["constant"],
    "GlorotNormal": ["glorot_normal"],
    "GlorotUniform": ["glorot_uniform"],
    "HeNormal": ["he_normal"],
    "HeUniform": ["he_uniform"],
    "Identity": ["IdentityInitializer", "identity"],
    "LecunNormal": ["lecun_normal"],
    "LecunUniform": ["lecun_uniform"],
    "Ones": ["ones"],
    "Orthogonal": ["OrthogonalInitializer", "orthogonal"],
    "RandomNormal": ["random_normal"],
    "RandomUniform": ["random_uniform"],
    "STFT": ["STFTInitializer", "stft"],
    "TruncatedNormal": ["truncated_normal"],
    "VarianceScaling": ["variance_scaling"],
    "Zeros": ["zeros"],
}
"""Classes and their second names in `dir(keras.initializers)` of Keras 3.15.1."""


@pytest.mark.parametrize("name", KERAS)
def test_second_names_of_keras_are_names_and_attributes(name):
    cls = getattr(initializers, name)
    for other in KERAS[name]:
        assert getattr(initializers, other) is cls
        assert type(initializers.get(other)) is cls
        assert other in dir(initializers)
    assert initializers.serialize(initializers.get(name))["class_name"] == name


def test_axes_of_inputs_and_outputs_can_be_named():
    """The variance of He's initializer is 2 / inputs; here the inputs are axes 0 and 2."""
    value = initializers.HeNormal(seed=1, input_axes=[0, 2], output_axes=[1])((20, 400, 10))
    assert value.std() == pytest.approx(math.sqrt(2 / 200), rel=0.01)
    config = initializers.HeNormal(1, [0, 2], [1]).get_config()
    assert config == {"seed": 1, "input_axes": [0, 2], "output_axes": [1]}
    assert initializers.HeNormal(1).get_config() == {"seed": 1}


# `scipy.signal.get_window` of SciPy 1.17.1: seven factors, symmetric; then six, periodic.
WINDOWS = json.loads(Path(__file__).with_name("windows.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_windows_are_those_of_scipy(name):
    symmetric, periodic = WINDOWS[name]
    made = initializers.STFT(window=name, scaling=None)((7, 1, 1), "float64")[:, 0, 0]
    np.testing.assert_allclose(made, symmetric, atol=1e-9)
    made = initializers.STFT(window=name, scaling=None, periodic=True)((6, 1, 1), "float64")
    np.testing.assert_allclose(made[:, 0, 0], periodic, atol=1e-9)


# What Keras 3.15.1 (torch, SciPy 1.17.1) gives.
STFT = [
    (
        *(("real", "hann", "density", True), (6, 1, 3)),
        [[0, 0, 0], [0.1666667, 0, -0.1666667], [0.5, -0.5, 0.5]],
    ),
    (
        *(("imag", "hamming", "spectrum", False), (5, 1, 4)),
        [[0, 0, 0, 0], [0, -0.208774, -0.208774, 0], [0, -0.3866185, 0.3866185, 0]],
    ),
    (("imag", [1.0, 2.0, 3.0], None, False), (3, 1, 3), [[0, 0, 0], [0, -2, 0], [0, 0, 0]]),
]


@pytest.mark.parametrize(("arguments", "shape", "expected"), STFT)
def test_kernels_of_the_fourier_transform_are_those_of_keras(arguments, shape, expected):
    initializer = initializers.STFT(*arguments)
    value = initializer(shape)
    np.testing.assert_allclose(value[:3, 0], expected, atol=1e-6)
    again = initializers.get(json.loads(json.dumps(initializers.serialize(initializer))))
    np.testing.assert_array_equal(again(shape), value)


def test_kernels_without_a_window_give_the_transform_of_numpy():
    signal = np.random.default_rng(1).normal(size=10)
    parts = [
        signal @ initializers.STFT(side, None)((10, 1, 6), "float64")[:, 0]
        for side in ("real", "imag")
    ]
    np.testing.assert_allclose(parts[0] + 1j * parts[1], np.fft.rfft(signal), atol=1e-12)
