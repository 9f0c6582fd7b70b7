"""Merging layers: their values by definition, their gradients, and what they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from support.layers.emission import emit, reference

RNG = np.random.default_rng(0)
A, B, C = (RNG.normal(size=(2, 3, 4)) for _ in range(3))

DEFINITIONS = {
    "Add": (layers.Add(), [A, B, C], A + B + C),
    "Subtract": (layers.Subtract(), [A, B], A - B),
    "Multiply": (layers.Multiply(), [A, B, C], A * B * C),
    "Average": (layers.Average(), [A, B, C], (A + B + C) / 3),
    "Maximum": (layers.Maximum(), [A, B, C], np.maximum(np.maximum(A, B), C)),
    "Minimum": (layers.Minimum(), [A, B, C], np.minimum(np.minimum(A, B), C)),
    "Concatenate": (layers.Concatenate(), [A, B], np.concatenate([A, B], -1)),
    "Concatenate-1": (layers.Concatenate(axis=1), [A, B], np.concatenate([A, B], 1)),
    "Add-ranks": (layers.Add(), [A[:, 0], B], A[:, :1] + B),
    "Multiply-ones": (layers.Multiply(), [A[:, :1], B, C[..., :1]], A[:, :1] * B * C[..., :1]),
    "Dot-vectors": (layers.Dot(1), [A[:, 0], B[:, 0]], (A[:, 0] * B[:, 0]).sum(-1)[:, None]),
    "Dot-last": (layers.Dot(2), [A, B], np.einsum("bik,bjk->bij", A, B)),
    "Dot-first": (layers.Dot(1), [A, B], np.einsum("bki,bkj->bij", A, B)),
    "Dot-vector": (layers.Dot((1, 2)), [A[:, 0], B], np.einsum("bk,bjk->bj", A[:, 0], B)),
    "Dot-4d": (
        layers.Dot((1, 3)),
        [A[..., None], np.stack([A, B], -1).transpose(0, 2, 3, 1)],
        np.einsum("bkij,bmnk->bijmn", A[..., None], np.stack([A, B], -1).transpose(0, 2, 3, 1)),
    ),
    "Dot-cosine": (
        layers.Dot(2, normalize=True),
        [A, B],
        np.einsum("bik,bjk->bij", A, B)
        / np.linalg.norm(A, axis=2)[:, :, None]
        / np.linalg.norm(B, axis=2)[:, None, :],
    ),
}
every = pytest.mark.parametrize("name", DEFINITIONS)


def in_float64(name: str) -> tuple[layers.Layer, list[np.ndarray], np.ndarray]:
    layer, arrays, expected = DEFINITIONS[name]
    return layer.from_config(layer.get_config() | {"dtype": "float64"}), arrays, expected


def emitted(layer: layers.Layer, arrays: list[np.ndarray]) -> Emitter:
    return emit(lambda op, *values: layer._emit(op, list(values), training=True), *arrays)


@every
def test_values_are_those_of_the_definition(name):
    layer, arrays, expected = in_float64(name)
    layer._build_for([a.shape for a in arrays])
    op = emitted(layer, arrays)
    found = reference(op, {f"x{i}": a for i, a in enumerate(arrays)})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(layer(arrays), expected, rtol=1e-5, atol=1e-6)


@every
def test_gradient_is_that_of_finite_differences(name):
    layer, arrays, _ = in_float64(name)
    layer._build_for([a.shape for a in arrays])
    op = emitted(layer, arrays)
    feeds = {f"x{i}": a for i, a in enumerate(arrays)}
    cotangent = RNG.normal(size=reference(op, feeds)[0].shape)

    def value(direction: list[np.ndarray], step: float) -> float:
        moved = {f"x{i}": a + step * direction[i] for i, a in enumerate(arrays)}
        return float((reference(op, moved)[0] * cotangent).sum())

    direction = [RNG.normal(size=a.shape) for a in arrays]
    expected = (value(direction, 1e-6) - value(direction, -1e-6)) / 2e-6
    y = op.graph.outputs[0]
    inputs = list(op.graph.inputs)
    grads = backward(op, [(y, op.constant(cotangent))], inputs, device="cpu")
    op.graph.outputs.clear()
    for i, grad in enumerate(grads):
        op.output(grad, f"dx{i}")
    found = sum(float((g * d).sum()) for g, d in zip(reference(op, feeds), direction, strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_cosine_of_a_zero_vector_is_zero_and_so_is_its_gradient():
    layer = layers.Dot(1, normalize=True)
    zero, one = np.zeros((1, 3)), np.ones((1, 3))
    assert layer([zero, one]).tolist() == [[0.0]]
    model_input = keras.Input((3,))
    dense = layers.Dense(3, use_bias=False, kernel_initializer="zeros")
    model = keras.Model(model_input, layer([dense(model_input), model_input]))
    model.compile("sgd", "mse")
    model.fit(one, np.ones((1, 1)), verbose=0)
    assert np.isfinite(dense.get_weights()[0]).all()


def make(*shapes: tuple[int | None, ...]) -> list[keras.Input]:
    return [layers.Input(shape, name=f"in{i}") for i, shape in enumerate(shapes)]


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (layers.Add(), [(3,), (2,)], "Inputs have incompatible shapes. Received shapes (3,) and"),
        (layers.Multiply(), [(2, 3), (3, 3)], "Received shapes (2, 3) and (3, 3)"),
        (layers.Subtract(), [(3,)] * 3, "A `Subtract` layer should be called on exactly 2 inputs."),
        (
            layers.Concatenate(),
            [(3, 2), (2, 2)],
            "A `Concatenate` layer requires inputs with matching shapes except for the "
            "concatenation axis. Received: input_shape=[(None, 3, 2), (None, 2, 2)]",
        ),
        (layers.Concatenate(), [(3, 2), (2,)], "requires inputs with matching shapes"),
        (layers.Concatenate(axis=3), [(3, 2), (3, 2)], "axis=3"),
        (layers.Dot(1), [(3,)] * 3, "A `Dot` layer should be called on a list of 2 inputs."),
        (
            layers.Dot((2, 1)),
            [(3, 2), (3, 2)],
            "Incompatible input shapes: axis values 2 (at axis 2) != 3 (at axis 1). Full input "
            "shapes: (None, 3, 2), (None, 3, 2)",
        ),
        (layers.Dot(0), [(3,), (3,)], "multiplies along axes other than the batch, axis 0"),
        (layers.Dot(2), [(3,), (3,)], "Received: axes=2, input_shape=[(None, 3), (None, 3)]"),
        (
            layers.Dot((3, 1)),
            [(None, None, 2), (2, 3)],
            "cannot fold axes of unknown sizes",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shapes, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        layer(make(*shapes))


def test_shapes_are_checked_at_every_call():
    layer = layers.Add()
    layer(make((3,), (3,)))
    with pytest.raises(ValueError, match="Inputs have incompatible shapes"):
        layer(make((3,), (2,)))
    with pytest.raises(ValueError, match="Cannot merge tensors with different batch sizes"):
        layer([np.ones((2, 3)), np.ones((3, 3))])


def test_a_merging_layer_needs_a_list_and_another_layer_one_tensor():
    one, two = make((3,), (3,))
    with pytest.raises(ValueError, match="A merge layer should be called on a list of inputs"):
        layers.Add()(one)
    with pytest.raises(ValueError, match="should be called on a list of at least 1 input"):
        layers.Add()([])
    with pytest.raises(ValueError, match=re.escape("'d' expects 1 input(s), but it received 2")):
        layers.Dense(2, name="d")([one, two])
    with pytest.raises(ValueError, match="on symbolic tensors and on data at once"):
        layers.Add()([one, np.ones((1, 3))])
    with pytest.raises(ValueError, match="A merge layer should be called on a list of inputs"):
        keras.Sequential([keras.Input((3,)), layers.Add()])


def test_dtypes_must_agree():
    inputs = [layers.Input((3,)), layers.Input((3,), dtype="int32")]
    with pytest.raises(ValueError, match=re.escape("dtype. Received: ['float32', 'int32']")):
        layers.Add(name="sum")(inputs)


@pytest.mark.parametrize(
    ("axes", "error", "text"),
    [
        ("1", TypeError, "it should be a list or an int. Received: axes=1"),
        ((1, 2, 3), ValueError, "it should contain two elements"),
        ((1, 2.0), ValueError, "list elements should be integers"),
    ],
)
def test_axes_of_dot_are_one_or_two_integers(axes, error, text):
    with pytest.raises(error, match=text):
        layers.Dot(axes)


def test_ones_own_merging_layer_has_weights_and_trains():
    class Blend(layers.Merge):
        """Weighted sum of two inputs."""

        def build(self, input_shape):
            assert input_shape == [(None, 3), (None, 3)]
            self.share = self.add_weight((input_shape[0][-1],), "zeros", name="share")

        def call(self, op, x, training):
            return op.Add(x[0], op.Mul(self.share, x[1]))

    one, two = make((3,), (3,))
    blend = Blend(name="blend")
    model = keras.Model([one, two], blend([one, two]))
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x = np.ones((8, 3))
    model.fit([x, x], 3 * x, epochs=40, batch_size=8, verbose=0)
    np.testing.assert_allclose(blend.share.numpy(), [2, 2, 2], rtol=1e-3)
    assert [w.path for w in model.weights] == ["blend/share"]


def block(x: keras.Input, filters: int, stride: int) -> keras.Input:
    """A residual block as ResNet has it, with a concatenated and a gated branch."""
    y = layers.Conv2D(filters, 3, stride, "same")(x)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU()(y)
    y = layers.Conv2D(filters, 3, padding="same")(y)
    side = layers.BatchNormalization()(layers.Conv2D(filters, 1, stride)(x))
    y = layers.ReLU()(layers.Add()([y, side]))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    y = layers.Multiply()([y, layers.Conv2D(filters, 1, activation="sigmoid")(gate)])
    other = layers.MaxPooling2D(3, 1, "same")(y)
    return layers.Concatenate()([y, layers.Maximum()([y, other]), layers.Average()([y, other])])


def test_residual_blocks_have_no_transpose_inside():
    x = keras.Input((8, 8, 3))
    y = block(block(x, 4, 1), 6, 2)
    pooled = keras.Model(x, layers.GlobalMaxPooling2D()(y))
    kinds = [node.op_type for node in pooled.to_onnx().graph.node]
    # The one at the entry: the input is channels last.
    assert kinds.count("Transpose") == 1
    assert kinds[0] == "Transpose"
    whole = keras.Model(x, y)
    kinds = [node.op_type for node in whole.to_onnx().graph.node]
    assert kinds.count("Transpose") == 2
    data = RNG.normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(pooled(data), whole(data).max((1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (layers.add, A + B),
        (layers.subtract, A - B),
        (layers.multiply, A * B),
        (layers.average, (A + B) / 2),
        (layers.maximum, np.maximum(A, B)),
        (layers.minimum, np.minimum(A, B)),
        (layers.concatenate, np.concatenate([A, B], -1)),
        (layers.dot, np.einsum("bik,bjk->bij", A, B)),
    ],
)
def test_functions_make_the_layer_and_call_it(function, expected):
    np.testing.assert_allclose(function([A, B]), expected, rtol=1e-5, atol=1e-6)
    tensors = [keras.Input((3, 4)), keras.Input((3, 4))]
    output = function(tensors, name="joined")
    assert (output.shape, output.name) == ((None, *expected.shape[1:]), "joined")
    model = keras.Model(tensors, output)
    np.testing.assert_allclose(model.predict([A, B], verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_functions_hand_their_arguments_on():
    assert layers.concatenate([A, B], axis=1).shape == (2, 6, 4)
    unit = [t[:, 0] / np.linalg.norm(t[:, 0], axis=-1, keepdims=True) for t in (A, B)]
    cosine = layers.dot([A[:, 0], B[:, 0]], axes=1, normalize=True)
    np.testing.assert_allclose(cosine, (unit[0] * unit[1]).sum(-1)[:, None], atol=1e-6)
    with pytest.raises(ValueError, match="exactly 2 inputs"):
        layers.subtract([A, B, C])
