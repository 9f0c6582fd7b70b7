"""Masks: who makes them, who reads them, and what becomes of them, as in Keras 3.15.1.

Values are those of Keras (torch backend) unless a definition says otherwise.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from support.layers.layer_gradients import check_gradients

SUPPORTING = {
    *("Activation", "ActivityRegularization", "Add", "AdditiveAttention", "AlphaDropout"),
    *("Attention", "Average", "BatchNormalization", "Bidirectional", "Concatenate", "ConvLSTM1D"),
    *("ConvLSTM2D", "ConvLSTM3D", "Dense", "Dot", "Dropout", "ELU", "GRU", "GaussianDropout"),
    *("GaussianNoise", "GlobalAveragePooling1D", "GroupNormalization", "GroupedQueryAttention"),
    *("Identity", "LSTM", "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "Minimum"),
    *("MultiHeadAttention", "Multiply", "Normalization", "PReLU", "RNN", "ReLU", "Rescaling"),
    *("SimpleRNN", "Softmax", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    *("Subtract", "TimeDistributed", "UnitNormalization"),
}
"""Classes whose objects have `supports_masking` in Keras 3.15.1."""

OURS = {"Merge"}
"""Public here alone: the base of those layers that merge."""


def test_layers_support_masking_where_keras_does():
    found = {
        cls.__name__: cls.supports_masking
        for name in layers.__all__
        if isinstance(cls := getattr(layers, name), type) and issubclass(cls, layers.Layer)
    }
    assert {name for name, supports in found.items() if supports} - OURS == SUPPORTING & set(found)


def test_embeddings_support_masking_where_zeros_are_masked():
    assert layers.Embedding(3, 2, mask_zero=True).supports_masking
    assert not layers.Embedding(3, 2).supports_masking


A = np.array([[[1, 2], [3, -4], [5, 6]], [[-1, 2], [0.5, 1], [2, 2]]], np.float32)
B = np.array([[[2, -1], [0, 3], [-5, 7]], [[4, 4], [1, -2], [3, 0]]], np.float32)
MASK_A = np.array([[True, False, False], [True, True, False]])
MASK_B = np.array([[False, False, True], [True, False, True]])


class Marked(layers.Layer):
    """Gives its first input the second as a mask."""

    supports_masking = True

    def call(self, op, x, training, marks=None):
        y = op.Identity(x)
        op.set_mask(y, op.cast(marks, "bool"))
        return y


class Shown(layers.Layer):
    """The mask of its input; a row of -1 where it has none."""

    def call(self, op, x, training, mask=None):
        if mask is None:
            rest = list(range(1, len(x.shape)))
            return op.Sub(op.Mul(op.ReduceMax(x, rest, keepdims=0), 0.0), 1.0)
        return op.cast(mask, "float32")


def outcome(layer, masks, *arrays):
    """The output of a layer for inputs with masks, and its mask."""
    inputs, marked, data = [], [], []
    for array, mask in zip(arrays, masks, strict=True):
        x = keras.Input(array.shape[1:])
        inputs.append(x)
        data.append(array)
        if mask is None:
            marked.append(x)
        else:
            marks = keras.Input(mask.shape[1:], dtype="bool")
            inputs.append(marks)
            data.append(mask)
            marked.append(Marked()(x, marks=marks))
    y = layer(marked if len(marked) > 1 else marked[0])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Layer 'shown")
        model = keras.Model(inputs, [y, Shown()(y)])
        value, mask = model.predict(data, verbose=0)
    return value, None if mask.ndim == 1 else mask.astype(bool).tolist()


EITHER = [[True, False, True], [True, True, True]]
MERGED = {
    "Add": (A + B, A + B),
    "Subtract": (A - B, A - B),
    "Average": ((A + B) / 2, (A + B) / 2),
    "Multiply": (
        [[[1, 2], [0, 0], [-5, 7]], [[-4, 8], [0.5, 1], [3, 0]]],
        [[[2, -2], [0, 3], [-5, 7]], [[-4, 8], [0.5, -2], [3, 0]]],
    ),
    "Maximum": (
        [[[1, 2], [3, -4], [-5, 7]], [[4, 4], [0.5, 1], [3, 0]]],
        [[[2, 2], [0, 3], [-5, 7]], [[4, 4], [1, 1], [3, 0]]],
    ),
    "Minimum": (
        [[[1, 2], [3, -4], [-5, 7]], [[-1, 2], [0.5, 1], [3, 0]]],
        [[[1, -1], [0, 3], [-5, 7]], [[-1, 2], [0.5, -2], [3, 0]]],
    ),
}
"""Values with both masks, and with that of A alone."""


@pytest.mark.parametrize("name", MERGED)
def test_merging_leaves_out_what_does_not_count(name):
    both, one = MERGED[name]
    value, mask = outcome(getattr(layers, name)(), (MASK_A, MASK_B), A, B)
    np.testing.assert_allclose(value, both)
    assert mask == EITHER
    value, mask = outcome(getattr(layers, name)(), (MASK_A, None), A, B)
    np.testing.assert_allclose(value, one)
    assert mask is None


@pytest.mark.parametrize(
    ("axis", "masks", "expected"),
    [
        (-1, (MASK_A, MASK_B), EITHER),
        (-1, (MASK_A, None), [[True] * 3] * 2),
        (1, (MASK_A, None), np.concatenate([MASK_A, np.ones((2, 3), bool)], 1).tolist()),
        (1, (None, None), None),
    ],
)
def test_joined_masks(axis, masks, expected):
    value, mask = outcome(layers.Concatenate(axis=axis), masks, A, B)
    np.testing.assert_array_equal(value, np.concatenate([A, B], axis))
    assert mask == expected


def test_products_of_two_have_no_mask():
    assert outcome(layers.Dot(2), (MASK_A, MASK_B), A, B)[1] is None


@pytest.mark.parametrize(
    "layer",
    [layers.Dense(3), layers.ReLU(), layers.Dropout(0.5), layers.LayerNormalization()],
)
def test_masks_pass_layers_that_work_step_by_step(layer):
    assert outcome(layer, (MASK_A,), A)[1] == MASK_A.tolist()


def test_layer_that_mixes_steps_ends_the_mask_with_a_warning():
    expected = (
        r"^Layer 'f' \(of type Flatten\) was passed an input with a mask attached to it\. However, "
        "this layer does not support masking and will therefore destroy the mask information"
    )
    model = keras.Sequential([keras.Input((3, 2)), layers.Masking(), layers.Flatten(name="f")])
    with pytest.warns(UserWarning, match=expected):
        model.predict(A, verbose=0)


def test_masking_marks_and_clears_steps():
    x = np.array([[[0, 1], [2, 2], [2, 0]], [[2, 2], [2, 2], [1, 2]]], np.float32)
    value, mask = outcome(layers.Masking(2.0), (None,), x)
    assert mask == [[True, False, True], [False, False, True]]
    np.testing.assert_array_equal(value, x * np.array(mask)[..., None])
    layer = layers.Masking(2.0)
    np.testing.assert_array_equal(layer.compute_mask(x, None), mask)
    assert layers.Masking.from_config(layer.get_config()).mask_value == 2.0


def test_embedding_masks_zeros():
    layer = layers.Embedding(5, 2, mask_zero=True)
    x = np.array([[1, 0, 3], [0, 0, 4]])
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, Shown()(layer(inputs)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.predict(x, verbose=0).tolist() == (x != 0).tolist()
    np.testing.assert_array_equal(layer.compute_mask(x, None), x != 0)
    assert layers.Embedding(5, 2).compute_mask(x, None) is None
    assert layers.Embedding.from_config(layer.get_config()).mask_zero


def test_mean_over_time_is_that_of_the_steps_that_count():
    value, mask = outcome(layers.GlobalAveragePooling1D(), (MASK_A,), A)
    np.testing.assert_allclose(value, [[1, 2], [-0.25, 1.5]])
    assert mask is None
    first = layers.GlobalAveragePooling1D("channels_first", keepdims=True)
    value = first(A, mask=np.array([[True, False], [True, True]]))
    np.testing.assert_allclose(value, [[[1], [3], [5]], [[0.5], [0.75], [2]]])


def test_softmax_of_what_counts():
    some = np.array([[[1, 0]], [[0.0, 0.0]]])
    np.testing.assert_allclose(layers.Softmax()(A, mask=some), [[[1, 0]] * 3, [[0, 0]] * 3])
    value = layers.Softmax((1, 2))(A, mask=MASK_A[..., None])
    first, second = [[0.268941, 0.731059], [0, 0], [0, 0]], [[0.030343, 0.60946]]
    expected = [first, [*second, [0.135989, 0.224208], [0, 0]]]
    np.testing.assert_allclose(value, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"must be broadcastable.*mask.shape=\(None, 3\)"):
        layers.Softmax()(A, mask=MASK_A)


def test_batch_statistics_are_those_of_what_counts():
    layer = layers.BatchNormalization(epsilon=0.1, momentum=0.5)
    value = layer(A, mask=MASK_A, training=True)
    expected = [[0.919018, 0.58722], [3.124662, -9.982743], [5.330306, 7.633864]]
    np.testing.assert_allclose(value[0], expected, atol=1e-5)
    x = keras.Input((3, 2))
    marks = keras.Input((3,), dtype="bool")
    layer = layers.BatchNormalization(epsilon=0.1, momentum=0.5)
    model = keras.Model([x, marks], layer(Marked()(x, marks=marks)))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit([A, MASK_A], A, batch_size=2, verbose=0)
    expected = [[1, 1], [0, 0], [0.083333, 0.833333], [0.861111, 0.611111]]
    np.testing.assert_allclose(layer.get_weights(), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"should be one dimension less than the inputs. Received"):
        layer(A, mask=MASK_A[..., None])


@pytest.mark.parametrize(
    ("layer", "mask"),
    [
        (layers.Softmax(dtype="float64"), MASK_A[..., None]),
        (layers.BatchNormalization(dtype="float64"), MASK_A),
        (layers.BatchNormalization(axis=1, center=False, dtype="float64"), MASK_A),
        (layers.GlobalAveragePooling1D(dtype="float64"), MASK_A),
    ],
)
def test_gradients_with_masks_are_those_of_finite_differences(layer, mask):
    check_gradients(layer, A.astype("float64"), mask=mask, tolerance=1e-6)


def test_masks_go_through_a_transformer_block(tmp_path):
    """Embedding, Dense, Dropout, attention, sum, normalization and mean over time."""
    keras.set_random_seed(0)
    x = keras.Input((4,), dtype="int32")
    h = layers.Dropout(0.5)(layers.Dense(3)(layers.Embedding(5, 3, mask_zero=True)(x)))
    attended = layers.MultiHeadAttention(2, 2)(h, h)
    sums = layers.LayerNormalization()(layers.Add()([h, attended]))
    model = keras.Model(x, layers.GlobalAveragePooling1D()(sums))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape).round(2) for w in model.weights])
    data = np.array([[1, 2, 0, 0], [0, 3, 4, 0], [4, 3, 2, 1]])
    expected = [
        [-0.62172, 2.39856, 1.44308],
        [-0.33189, 1.33141, 0.72106],
        [-0.3371, 1.30847, 0.7225],
    ]
    np.testing.assert_allclose(model.predict(data, verbose=0), expected, atol=2e-5)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    np.testing.assert_allclose(loaded.predict(data, verbose=0), expected, atol=2e-5)
    model.compile("adam", "mse")
    losses = model.fit(data, np.zeros((3, 3)), epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[0]


def test_masks_go_through_models_inside_models():
    inner_x = keras.Input((3, 2))
    inner = keras.Model(inner_x, layers.Dense(2, kernel_initializer="identity")(inner_x))
    value, mask = outcome(inner, (MASK_A,), A)
    np.testing.assert_allclose(value, A)
    assert mask == MASK_A.tolist()


def test_layer_called_with_states_is_given_no_mask_of_its_input():
    # In Keras 3.15.1 `mask` is filled in where one argument alone has tensors: a decoder that
    # starts from an encoder's states runs over masked steps, and its output keeps the mask.
    codes = np.array([[3, 1, 0, 2, 0], [2, 0, 0, 0, 0]], np.int32)
    embedding, lstm = layers.Embedding(4, 3, mask_zero=True), layers.LSTM(2, return_sequences=True)
    inputs, state = keras.Input((5,), dtype="int32"), keras.Input((2,))
    x = embedding(inputs)
    model = keras.Model([inputs, state], [lstm(x), lstm(x, initial_state=[state, state])])
    states = np.zeros((2, 2), np.float32)
    masked, unmasked = model.predict([codes, states], verbose=0)
    steps = embedding(codes)
    np.testing.assert_allclose(unmasked, lstm(steps), rtol=1e-5)
    np.testing.assert_allclose(masked, lstm(steps, mask=codes != 0), rtol=1e-5)
    assert np.abs(masked - unmasked).max() > 1e-4
