"""Layers in Keras's spelling, `call(self, x, training=None, mask=None)`, emit the same graph."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, ops

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


class OnTensors(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], 2), "ones", name="w")
        self.b = self.add_weight((2,), "zeros", name="b")

    def call(self, x):
        return (x @ self.w) * 2.0 - self.b


class OnValues(OnTensors):
    def call(self, op, x, training):
        return op.Sub(op.Mul(op.MatMul(x, self.w), 2.0), self.b)


def test_both_spellings_compute_and_train_the_same():
    trained = []
    for cls in (OnTensors, OnValues):
        model = keras.Sequential([keras.Input((3,)), cls()])
        model.compile("sgd", "mse")
        history = model.fit(X, X[:, :2], epochs=3, batch_size=6, shuffle=False, verbose=0).history
        trained.append((history["loss"], model.get_weights(), cls()(X)))
    (losses, weights, outputs), (same, expected, by_values) = trained
    assert losses == same
    for ours, theirs in zip([*weights, outputs], [*expected, by_values], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(outputs, 2 * X.sum(1, keepdims=True).repeat(2, 1), rtol=1e-5)


class Block(layers.Layer):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(units, activation="relu", kernel_regularizer="l2")
        self.rest = [layers.Dense(3), {"norm": layers.BatchNormalization()}]
        self.drop = layers.Dropout(0.5)

    def call(self, x, training=None):
        h = self.drop(self.first(x), training=training)
        return self.rest[1]["norm"](self.rest[0](h)) + x


def test_layers_in_attributes_lists_and_dicts_are_part_of_a_layer():
    keras.clear_session(free_memory=False)
    block = Block(name="block")
    model = keras.Sequential([keras.Input((3,)), block])
    assert [w.path for w in model.weights] == [
        *("block/dense/kernel", "block/dense/bias", "block/dense_1/kernel", "block/dense_1/bias"),
        *(f"block/batch_normalization/{name}" for name in ("gamma", "beta")),
        *(f"block/batch_normalization/moving_{name}" for name in ("mean", "variance")),
    ]
    assert len(model.trainable_weights) == 6
    assert len(block.losses) == 1
    before = model.get_weights()
    model.compile("sgd", "mse")
    model.fit(X, X, epochs=1, verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))
    block.trainable = False
    assert not block.first.trainable
    assert model.trainable_weights == []


def test_inference_of_inner_layers_is_inference():
    block = Block()
    np.testing.assert_array_equal(block(X), block(X))  # without noise
    assert np.any(block(X, training=True) != block(X, training=True))


def test_a_model_with_inner_layers_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((3,)), Block(5)])
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx", custom_objects={"Block": Block})
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    for each in (model, loaded):
        each.fit(X, X, verbose=0)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


class Between(layers.Layer):
    """Takes a structure and further arguments, and gives a structure."""

    supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        return None

    def call(self, inputs, weight, *, scale=1.0, mask=None):
        a, b = inputs["pair"]
        kept = a if mask is None else a * ops.logical_not(mask)[:, None]
        return {"sum": kept * scale + b * weight, "rest": [a, b]}


def test_structures_and_further_arguments_go_through_arrays_and_models(tmp_path):
    a, b, w = X, X[:, ::-1].copy(), X[:, :1]
    mask = np.array([True, False] * 3)
    expected = (a * ~mask[:, None]) * 3.0 + b * w
    given = Between()({"pair": (a, b)}, w, scale=3.0, mask=mask)
    np.testing.assert_allclose(given["sum"], expected, rtol=1e-6)
    np.testing.assert_array_equal(given["rest"][1], b)
    inputs = [keras.Input((3,)), keras.Input((3,)), keras.Input((1,))]
    flags = keras.Input((), dtype="bool")
    y = Between()({"pair": (inputs[0], inputs[1])}, inputs[2], scale=3.0, mask=flags)
    model = keras.Model([*inputs, flags], y["sum"])
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx", custom_objects={"Between": Between})
    for each in (model, loaded):
        np.testing.assert_allclose(each([a, b, w, mask]), expected, rtol=1e-6)


def test_unknown_arguments_of_a_call_are_named():
    with pytest.raises(TypeError, match=r"takes the arguments \['x'\]. Received unknown.*'scale'"):
        OnTensors()(X, scale=2.0)
    with pytest.raises(TypeError, match=r"layer|Layer 'dense.*unknown arguments: \['mask'\]"):
        layers.Dense(2)(X, mask=X[:, 0] > 0)


def test_state_that_a_call_assigns_moves_in_training_and_in_calls():
    class Counter(layers.Layer):
        def build(self, input_shape):
            self.calls = self.add_weight((), "zeros", trainable=False, name="calls")

        def call(self, x):
            self.calls.assign_add(1.0)
            return x * self.calls

    layer = Counter()
    np.testing.assert_array_equal(layer(X), X)
    np.testing.assert_array_equal(layer(X), 2 * X)
    model = keras.Sequential([keras.Input((3,)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], batch_size=2, verbose=0)
    assert layer.calls.numpy() == 5.0


def test_losses_that_a_call_adds_are_minimised():
    class Penalty(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((2,), "ones", name="w")

        def call(self, x):
            self.add_loss(self.w * self.w * 0.5)
            return x

    layer = Penalty()
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    loss = model.fit(X, X, batch_size=6, verbose=0).history["loss"][0]
    assert loss == pytest.approx(1.0)
    np.testing.assert_allclose(layer.w.numpy(), [0.9, 0.9], rtol=1e-6)
    with pytest.raises(RuntimeError, match="inside of its `call`"):
        layer.add_loss(1.0)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda x: x if x > 0 else -x, r"TracedTensor .*name=.*Greater.*seqonnx.ops.cond"),
        (lambda x: float(x) * x, r"TracedTensor .*no value yet.*`float`"),
        (np.exp, r"TracedTensor .*NumPy cannot read it"),
        (lambda x: sum(part for part in x), r"TracedTensor .*cannot be iterated"),
        (lambda x: [0, 1][x], r"TracedTensor .*no value yet"),
        (len, r"TracedTensor .*no length that is known"),
    ],
)
def test_what_needs_a_value_while_the_graph_is_made_names_the_tensor(use, expected):
    with pytest.raises(TypeError, match=expected):
        layers.Lambda(use)(keras.Input((3,)))


def test_a_symbolic_tensor_in_a_condition_is_refused():
    x = keras.Input((3,))
    with pytest.raises(TypeError, match=r"KerasTensor.*Python `if`.*seqonnx.ops.cond"):
        bool(x > 0)


def test_lambda_takes_arguments_training_and_masks(tmp_path):
    def scaled(x, factor, training=None):
        return x * (factor if training else 2.0 * factor)

    layer = layers.Lambda(scaled, arguments={"factor": 3.0})
    np.testing.assert_allclose(layer(X), 6.0 * X, rtol=1e-6)
    np.testing.assert_allclose(layer(X, training=True), 3.0 * X, rtol=1e-6)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx", custom_objects={"scaled": scaled})
    np.testing.assert_array_equal(loaded(X), model(X))
    with pytest.raises(keras.errors.ModelFileError, match="custom_objects"):
        keras.load_model(tmp_path / "m.onnx")


def test_operators_and_indexing_of_symbolic_tensors(tmp_path):
    x, y = keras.Input((3,)), keras.Input((3,))
    parts = [
        *(x + y, 1.0 - x, x * 2, x / y, x**2, -x, abs(x), x @ np.eye(3, dtype=np.float32)),
        *(x[:, -1], x[..., None], x[:, 1:], x[:, None, ::-1]),
        *(x > y, x >= 0, x < y, x <= 0, x != y, (x > 0) & (y > 0), (x > 0) | (y > 0), ~(x > 0)),
        *(x % 2.0, x // 2.0, 2.0 / y),
    ]
    model = keras.Model([x, y], parts)
    model.save(tmp_path / "m.onnx")
    a, b = X, np.abs(X[:, ::-1]) + 0.5
    expected = [
        *(a + b, 1.0 - a, a * 2, a / b, a**2, -a, abs(a), a),
        *(a[:, -1], a[..., None], a[:, 1:], a[:, None, ::-1]),
        *(a > b, a >= 0, a < b, a <= 0, a != b, (a > 0) & (b > 0), (a > 0) | (b > 0), ~(a > 0)),
        *(a % 2.0, a // 2.0, 2.0 / b),
    ]
    for each in (model, keras.load_model(tmp_path / "m.onnx")):
        for ours, right in zip(each([a, b]), expected, strict=True):
            assert ours.dtype == right.dtype
            np.testing.assert_allclose(ours, right, rtol=1e-5, atol=1e-6)


class Half(layers.Layer):
    """Half of what the layer that it is given makes."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x) / 2


def test_a_regularizer_of_a_layer_with_several_owners_counts_once():
    shared = layers.Dense(2, kernel_initializer="ones", kernel_regularizer="l2", use_bias=False)
    x = keras.Input((2,))
    model = keras.Model(x, Half(shared)(x) + Half(Half(shared))(x) + shared(x))
    both = Half(Half(shared))
    both.other = Half(shared)
    both(np.ones((1, 2), np.float32))
    for held in (model, both):
        assert held.losses == pytest.approx([0.04])
        assert held.count_params() == 4
    model.compile("sgd", "mse")
    zeros = np.zeros((3, 2), np.float32)
    assert model.evaluate(zeros, zeros, verbose=0) == pytest.approx(0.04)


def test_a_regularizer_of_a_weight_of_the_model_counts():
    class Owner(keras.Model):
        def build(self, input_shape):
            self.factor = self.add_weight((2,), "ones", regularizer="l2", name="factor")
            super().build(input_shape)

        def call(self, x):
            return layers.Lambda(lambda x: x * 1.0)(x)

    model = Owner()
    model(np.ones((1, 2), np.float32))
    assert model.losses == pytest.approx([0.02])


class Chain(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._blocks = [layers.Dense(3), layers.Dense(3)]
        self.more = [[layers.Dense(3)], {"last": layers.Dense(3)}]

    def call(self, x):
        for layer in [*self._blocks, *self.more[0], self.more[1]["last"]]:
            x = layer(x)
        return x


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.chain, self.a, self._private = Chain(), layers.Dense(3), layers.Dense(3)

    def build(self, input_shape):
        self.factor = self.add_weight((3,), "ones", name="factor")
        super().build(input_shape)

    def call(self, x):
        return self._private(self.a(self.chain(x)))


def test_a_file_for_keras_holds_the_weights_of_every_layer_at_its_path(tmp_path):
    h5py = pytest.importorskip("h5py", reason="writes files of Keras's")
    model, other = OwnModel(), OwnModel()
    model(X), other(X)
    model.save_weights(tmp_path / "own.weights.h5")
    other.load_weights(tmp_path / "own.weights.h5")
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    names = []
    with h5py.File(tmp_path / "own.weights.h5") as file:
        file.visit(names.append)
        found = [name for name in names if isinstance(file[name], h5py.Dataset)]
    held = [  # as Keras 3.15.1 names them
        *("a", "chain/_blocks/dense", "chain/_blocks/dense_1"),
        *("chain/more/container/dense", "chain/more/container_1/dense", "layers/dense_1"),
    ]
    assert sorted(found) == sorted([f"{n}/vars/{i}" for n in held for i in "01"] + ["vars/0"])


def test_activity_of_every_output_in_a_structure_is_penalised():
    class Pair(layers.Layer):
        def call(self, x):
            return {"a": x, "b": [x * 2.0]}

    x = keras.Input((3,))
    model = keras.Model(x, Pair(activity_regularizer="l2")(x)["a"])
    model.compile("sgd", "mse")
    expected = 0.01 * 5 * np.sum(X**2) / len(X)
    assert model.evaluate(X, X, batch_size=6, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_call_of_any_arguments_takes_masks():
    class Any(layers.Layer):
        def call(self, *inputs):
            return inputs[0] * 2.0

    data = np.array([[1, 2, 0]])
    layer = Any()
    layer.supports_masking = True
    model = keras.Sequential([keras.Input((3,)), layers.Embedding(3, 2, mask_zero=True), layer])
    table = model.layers[0].get_weights()[0]
    np.testing.assert_allclose(model(data), 2 * table[data], rtol=1e-6)


def test_dropout_with_a_number_as_seed_drops_in_a_call():
    layer = layers.Lambda(lambda x: keras.random.dropout(x, 0.5, seed=3))
    dropped = layer(np.ones((40, 50)))
    assert 0.4 < np.mean(dropped == 0.0) < 0.6


def test_a_regularizer_may_be_called_on_an_array_of_the_shape_of_a_weight():
    """Both are kept as compiled: the call and the penalty of the weight."""
    regularizer = keras.regularizers.L2(0.25)
    layer = layers.Dense(4, kernel_regularizer=regularizer, kernel_initializer="ones")
    layer.build((None, 3))
    for _ in range(2):
        assert float(regularizer(np.ones((3, 4), np.float32))) == 3.0
        assert layer.losses == [3.0]
