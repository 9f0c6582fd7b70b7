"""SpectralNormalization follows its definition through training, as Keras 3.15.1 does."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RNG = np.random.default_rng(6)


def unit(vector):
    return vector / max(np.linalg.norm(vector), 1e-7)


def normalized(kernel, u, iterations):
    """The kernel over its norm, and the vector after so many power iterations."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    for _ in range(iterations):
        v = unit(u @ matrix.T)
        u = unit(v @ matrix)
    return kernel / (v @ matrix @ u.T).item(), u


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_each_step_divides_the_kernel_and_the_optimizer_goes_on_from_there(iterations, optimizer):
    layer = layers.SpectralNormalization(layers.Dense(3, name="d"), iterations, name="s")
    model = keras.Sequential([keras.Input((4,)), layer])
    u, kernel, bias = RNG.normal(size=(1, 3)), RNG.normal(size=(4, 3)) * 3, np.zeros(3)
    assert [w.path for w in layer.weights] == ["s/d/kernel", "s/vector_u", "s/d/bias"]
    layer.set_weights([kernel, u, bias])
    x, y = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 3))
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ kernel, rtol=1e-4, atol=1e-5)
    rate = 0.1
    made = keras.optimizers.SGD(rate) if optimizer == "sgd" else keras.optimizers.Adam(rate)
    model.compile(made, "mse")
    means, squares = np.zeros((4, 3)), np.zeros((4, 3))
    for step in range(1, 4):
        kernel, u = normalized(kernel, u, iterations)
        error = 2 * (x @ kernel + bias - y) / y.size
        gradient = x.T @ error
        if optimizer == "sgd":
            kernel, bias = kernel - rate * gradient, bias - rate * error.sum(0)
        else:
            means = 0.9 * means + 0.1 * gradient
            squares = 0.999 * squares + 0.001 * gradient**2
            ahead = means / (1 - 0.9**step) / (np.sqrt(squares / (1 - 0.999**step)) + 1e-7)
            kernel, bias = kernel - rate * ahead, None
        model.train_on_batch(x, y)
        found = layer.get_weights()
        np.testing.assert_allclose(found[1], u, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found[0], kernel, rtol=1e-3, atol=1e-4)
        bias = found[2].astype(float) if bias is None else bias


@pytest.mark.parametrize(
    ("inner", "shape"),
    [
        (layers.Conv2D(3, 2), (4, 4, 2)),
        (layers.Conv2DTranspose(3, 2), (4, 4, 2)),
        (layers.Embedding(5, 3), (4,)),
        (layers.EinsumDense("abc,cd->abd", (None, 3)), (4, 2)),
    ],
)
def test_kernels_of_any_layout_get_norm_one(inner, shape):
    layer = layers.SpectralNormalization(inner, 30)
    dtype = "int32" if isinstance(inner, layers.Embedding) else "float32"
    model = keras.Sequential([keras.Input(shape, dtype=dtype), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = RNG.integers(0, 5, (2, *shape)) if dtype == "int32" else RNG.normal(size=(2, *shape))
    model.train_on_batch(x, np.zeros((2, *model.output_shape[1:])))
    kernel = np.asarray(layer.kernel)
    norms = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
    assert norms[0] == pytest.approx(1.0, abs=1e-3)


def test_a_kernel_of_zeros_stays_and_half_precision_trains():
    inner = layers.Dense(2, kernel_initializer="zeros", dtype="mixed_float16")
    layer = layers.SpectralNormalization(inner, dtype="mixed_float16")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    before = layer.get_weights()
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 2)))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_cannot_be_normalized_is_refused_as_in_keras():
    with pytest.raises(ValueError, match=r"`power_iterations` should be greater than zero. Receiv"):
        layers.SpectralNormalization(layers.Dense(2), 0)
    with pytest.raises(ValueError, match="Layer 3 supplied to Wrapper isn't a supported layer typ"):
        layers.SpectralNormalization(3)
    with pytest.raises(ValueError, match="ReLU object has no attribute 'kernel' nor 'embeddings'"):
        layers.SpectralNormalization(layers.ReLU())(np.ones((1, 2)))


def test_an_embedding_goes_back_with_its_own_matrix_or_another(tmp_path):
    for tied, cap in ((True, None), (False, 2.0)):
        layer = layers.ReversibleEmbedding(5, 3, tied, logit_soft_cap=cap)
        tokens = keras.Input((4,), dtype="int32")
        model = keras.Model(tokens, layer(layers.Dense(3)(layer(tokens)), reverse=True))
        assert model.output_shape == (None, 4, 5)
        x = RNG.integers(0, 5, (2, 4))
        model.compile("sgd", "mse")
        model.fit(x, np.zeros((2, 4, 5)), verbose=0)
        rows, *other = layer.get_weights()
        kernel, bias = model.layers[2].get_weights()
        scores = (rows[x] @ kernel + bias) @ (rows.T if tied else other[0])
        expected = scores if cap is None else cap * np.tanh(scores / cap)
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)
        model.save(tmp_path / "m.onnx")
        loaded = keras.load_model(tmp_path / "m.onnx")
        np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)
    half = layers.ReversibleEmbedding(5, 3, reverse_dtype="float16")
    assert half(np.ones((1, 3)), reverse=True).dtype == np.float16
