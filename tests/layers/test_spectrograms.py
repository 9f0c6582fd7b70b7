"""Spectrograms: transforms by definition, their gradients, lengths, and what they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.layers.audio.mel_spectrogram import mel_triangles
from support.layers.layer_gradients import check_gradients

RNG = np.random.default_rng(4)
SIGNAL = RNG.normal(size=(2, 40, 1))


def frames(signal, length, step, window=1.0):
    """The transform of every whole frame, by NumPy: (batch, frames, frequencies)."""
    starts = range(0, signal.shape[1] - length + 1, step)
    return np.stack([np.fft.rfft(signal[:, s : s + length] * window) for s in starts], 1)


PLAIN = {"frame_length": 8, "frame_step": 3, "window": None}
MADE = {
    "real": np.real,
    "imag": np.imag,
    "magnitude": np.abs,
    "log": lambda z: np.log(np.abs(z)),
    "psd": lambda z: np.abs(z) ** 2 * [1, 2, 2, 2, 1],
    "stft": lambda z: np.concatenate([z.real, z.imag], -1),
}


@pytest.mark.parametrize("mode", MADE)
def test_modes_are_those_of_the_transform(mode):
    expected = MADE[mode](frames(SIGNAL[..., 0], 8, 3))
    y = layers.STFTSpectrogram(mode, **PLAIN)(SIGNAL)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_angles_are_those_of_the_transform():
    """Up to whole turns: pi and -pi are one angle, told apart by the sign of a zero."""
    z = frames(SIGNAL[..., 0], 8, 3)
    y = layers.STFTSpectrogram("angle", **PLAIN)(SIGNAL)
    np.testing.assert_allclose(np.exp(1j * y), z / np.abs(z), atol=1e-5)
    assert np.abs(y).max() <= np.float32(np.pi)
    assert layers.STFTSpectrogram("angle", **PLAIN)(np.zeros((1, 8, 1))).tolist() == [[[0.0] * 5]]


@pytest.mark.parametrize("mode", [*MADE, "angle"])
def test_kernels_learn(mode):
    layer = layers.STFTSpectrogram(mode, 4, 2, expand_dims=True, dtype="float64")
    check_gradients(layer, RNG.normal(size=(2, 9, 2)), tolerance=1e-6)


def test_kernels_start_at_the_transform_and_can_be_kept_there():
    model = keras.Sequential(
        [
            keras.Input((40, 1)),
            layers.STFTSpectrogram("magnitude", 8, trainable=False, name="s"),
            layers.Dense(2),
        ]
    )
    assert [v.path for v in model.non_trainable_weights] == ["s/real_kernel", "s/imag_kernel"]
    before = model.layers[0].get_weights()
    hann = keras.initializers.STFT("imag")((8, 1, 5))
    np.testing.assert_array_equal(before[1], hann)
    model.compile("sgd", "mse")
    model.fit(SIGNAL, np.ones((2, 9, 2)), verbose=0)
    np.testing.assert_array_equal(model.layers[0].get_weights()[1], hann)
    model.layers[0].trainable = True
    model.compile("sgd", "mse")
    model.fit(SIGNAL, np.ones((2, 9, 2)), verbose=0)
    assert np.abs(model.layers[0].get_weights()[1] - hann).max() > 0


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_time_may_be_unknown(padding, tmp_path):
    layer = layers.STFTSpectrogram("psd", 8, 3, padding=padding, expand_dims=True)
    model = keras.Sequential([keras.Input((None, 2)), layer])
    assert model.output_shape == (None, None, 5, 2)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    for time in (8, 21):
        x = RNG.normal(size=(2, time, 2))
        expected = layer(x)
        assert len(expected[0]) == ((time - 8) // 3 + 1 if padding == "valid" else -(-time // 3))
        np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"frame_step": 9, "frame_length": 8},
            "`frame_step` should be a positive integer not greater than `frame_length`. Received "
            "frame_step=9, frame_length=8",
        ),
        (
            {"fft_length": 4, "frame_length": 8},
            "`fft_length` should be not less than `frame_length`. Received fft_length=4, frame_len",
        ),
        (
            {"mode": "x"},
            "Output mode is invalid, it must be one of log, magnitude, psd, real, imag, angle, "
            "stft. Received: mode=x",
        ),
        ({"scaling": "x"}, "Scaling is invalid, it must be `None`, 'density' or 'spectrum'. Rec"),
        ({"padding": "x"}, "Padding is invalid, it should be 'valid', 'same'. Received: padding=x"),
        ({"window": "x"}, "Unknown window type. Received: window='x'."),
    ],
)
def test_illegal_arguments_of_a_transform_are_refused_as_in_keras(arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        layers.STFTSpectrogram(**arguments)


def test_odd_lengths_are_warned_of_and_integers_refused():
    with pytest.warns(UserWarning, match="`fft_length` is recommended to be a power of two. Rec"):
        layers.STFTSpectrogram(frame_length=4, fft_length=6)
    with pytest.raises(TypeError, match=r"Invalid input type\. Expected `float16`, `float32` or"):
        layers.STFTSpectrogram(frame_length=4)(keras.Input((9, 1), dtype="int32"))


def test_mel_bands_are_those_of_the_definition():
    """Reflected ends, a periodic window, powers, triangles, decibels."""
    x = SIGNAL[..., 0]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16)
    z = frames(np.pad(x, ((0, 0), (8, 8)), mode="reflect"), 16, 8, hann)
    bands = np.abs(z) ** 2 @ mel_triangles(4, 9, 16000, 20.0, 8000.0)
    level = 10 * np.log10(np.maximum(bands, 1e-10))
    expected = np.maximum(level, level.max() - 12.0).swapaxes(1, 2)
    y = layers.MelSpectrogram(16, 8, num_mel_bins=4, top_db=12.0)(x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-4)
    alone = layers.MelSpectrogram(16, 8, num_mel_bins=4)(x[0])
    np.testing.assert_allclose(alone, level[0].T, rtol=1e-5, atol=1e-4)


def test_triangles_meet_at_half_and_reach_one():
    weights = mel_triangles(3, 2001, 8000.0, 100.0, 3000.0)
    mel = 1127 * np.log1p(np.linspace(0, 4000, 2001) / 700)
    edges = np.linspace(1127 * np.log1p(100 / 700), 1127 * np.log1p(3000 / 700), 5)
    inside = (edges[1] < mel) & (mel < edges[3])
    np.testing.assert_allclose(weights[inside].sum(1), 1.0, rtol=1e-12)
    assert np.abs(weights.max(0) - 1.0).max() < 0.01
    assert not weights[(mel < edges[0]) | (mel > edges[4])].any()


@pytest.mark.parametrize("mag_exp", [1.0, 1.5, 2.0])
def test_gradient_passes_a_mel_spectrogram(mag_exp):
    layer = layers.MelSpectrogram(8, 4, 6, num_mel_bins=3, mag_exp=mag_exp, dtype="float64")
    check_gradients(layer, RNG.normal(size=(2, 24)), tolerance=1e-6)


def test_mel_spectrogram_of_any_length_stands_in_a_model(tmp_path):
    layer = layers.MelSpectrogram(16, 8, num_mel_bins=4)
    model = keras.Sequential([keras.Input((None,), dtype="int16"), layer])
    assert model.output_shape == (None, 4, None)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    for time in (17, 40):
        x = RNG.integers(-99, 99, (2, time)).astype("int16")
        expected = layer(x.astype("float32"))
        assert expected.shape == (2, 4, 1 + time // 8)
        np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"fft_length": 4, "sequence_length": 8},
            "`fft_length` must be greater than or equal to `sequence_length`. Received: `sequence_",
        ),
        ({"window": "x"}, 'it must be one of `"hann"`, `"hamming"`. Received: window=x'),
        ({"window": [1.0, 2.0]}, "The shape of `window` must be equal to [frame_length]. Receiv"),
    ],
)
def test_illegal_arguments_of_mel_bands_are_refused_as_in_keras(arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        layers.MelSpectrogram(**arguments)


def test_channels_of_mel_bands_are_refused():
    with pytest.raises(ValueError, match=r"takes one signal, \(time,\), or a batch of them"):
        layers.MelSpectrogram(16)(np.zeros((1, 2, 40)))
