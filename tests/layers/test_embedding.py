"""Embedding picks rows of its matrix, from integers of any dtype, and trains the rows it picked."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.serialization import KNOWN, deserialize

IDS = np.random.default_rng(0).integers(0, 50, (8, 6))
Y = np.random.default_rng(1).normal(size=(8, 1)).astype(np.float32)


def sequential(dtype):
    entry = [] if dtype is None else [keras.Input((6,), dtype=dtype)]
    return keras.Sequential([*entry, layers.Embedding(50, 4), layers.Flatten(), layers.Dense(1)])


def functional(dtype):
    entry = keras.Input((6,), dtype=dtype)
    return keras.Model(entry, layers.Dense(1)(layers.Flatten()(layers.Embedding(50, 4)(entry))))


@pytest.mark.parametrize(
    ("build", "dtype"),
    [
        *((sequential, dtype) for dtype in ("int32", "int64", "uint8", "float32", None)),
        (functional, "int32"),
    ],
)
def test_models_on_integers_train_predict_export_and_load(build, dtype, tmp_path):
    model = build(dtype)
    model.compile("adam", "mse")
    first = model.fit(IDS, Y, epochs=3, verbose=0).history["loss"]
    assert first[-1] < first[0]
    matrix, kernel, bias = model.get_weights()
    expected = matrix[IDS].reshape(8, 24) @ kernel + bias
    np.testing.assert_allclose(model.predict(IDS, verbose=0), expected, atol=1e-6)
    model.save(tmp_path / "model.onnx")
    loaded = keras.load_model(tmp_path / "model.onnx")
    np.testing.assert_allclose(loaded.predict(IDS, verbose=0), expected, atol=1e-6)
    model.export(tmp_path / "exported.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "exported.onnx", providers=["CPUExecutionProvider"]
    )
    (entry,) = session.get_inputs()
    wanted = dtype or "float32"
    assert entry.type == {"float32": "tensor(float)"}.get(wanted, f"tensor({wanted})")
    assert entry.shape == ["batch", 6]
    for batch in (1, 5):
        (found,) = session.run(None, {entry.name: IDS[:batch].astype(wanted)})
        np.testing.assert_allclose(found, expected[:batch], atol=1e-5)


def scattered(rows, ids, dy):
    """The gradient of the matrix: each row gets what every one of its uses got."""
    gradient = np.zeros((rows, dy.shape[-1]))
    np.add.at(gradient, ids.reshape(-1), dy.reshape(-1, dy.shape[-1]).astype(np.float64))
    return gradient


@pytest.mark.parametrize("rows", [3, 100])
def test_a_row_that_many_threads_add_to_gets_every_part(rows):
    """ScatterND of ONNX Runtime 1.32 loses sums here: its threads do not wait for each other."""
    rng = np.random.default_rng(rows)
    for _ in range(3):
        ids, y = rng.integers(0, rows, (256, 100)), rng.normal(size=(256, 100, 64))
        model = keras.Sequential(
            [keras.Input((100,), dtype="int64"), layers.Embedding(rows, 64, "zeros")]
        )
        model.compile(keras.optimizers.SGD(1e3), "mse")
        model.train_on_batch(ids, y)
        expected = 1e3 * 2 * scattered(rows, ids, y) / y.size
        np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4, atol=1e-5)


def test_slices_that_tuples_of_indices_name_get_every_part():
    class Pairs(layers.Layer):
        """Row (a, b) of a table for each pair."""

        def build(self, input_shape):
            self.table = self.add_weight((3, 4, 64), "zeros", name="table")

        def call(self, op, x, training):
            return op.GatherND(op.read(self.table), op.cast(x, "int64"))

    rng = np.random.default_rng(2)
    pairs = np.stack([rng.integers(-3, 3, (256, 100)), rng.integers(-4, 4, (256, 100))], -1)
    y = rng.normal(size=(256, 100, 64))
    model = keras.Sequential([keras.Input((100, 2), dtype="int32"), Pairs()])
    model.compile(keras.optimizers.SGD(1e3), "mse")
    for _ in range(3):
        model.set_weights([np.zeros((3, 4, 64))])
        model.train_on_batch(pairs, y)
        numbers = (pairs[..., 0] % 3) * 4 + pairs[..., 1] % 4
        expected = 1e3 * 2 * scattered(12, numbers, y).reshape(3, 4, 64) / y.size
        np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_large_integers_are_exact_in_half_precision(policy):
    matrix = np.zeros((40000, 1))
    matrix[39999], matrix[2049] = 1.0, 2.0
    layer = layers.Embedding(40000, 1, weights=matrix, dtype=policy)
    assert layer(np.array([39999, 2049, 2048])).reshape(-1).tolist() == [1.0, 2.0, 0.0]
    declared = layers.Embedding(40000, 1, weights=matrix, dtype=policy)
    model = keras.Sequential([keras.Input((3,), dtype="int32"), declared])
    y = model.predict(np.array([[39999, 2049, 2048]]), verbose=0)
    assert y.reshape(-1).tolist() == [1.0, 2.0, 0.0]
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`"):
        first = layers.Embedding(40000, 1, weights=matrix, dtype=policy, input_shape=(3,))
    assert keras.Sequential([first]).inputs[0].dtype == "float32"


def test_first_weights_may_be_given_as_keras_takes_them():
    matrix = np.arange(6.0).reshape(3, 2)
    for given in (matrix, [matrix], matrix.tolist()):
        layer = layers.Embedding(3, 2, weights=given)
        assert layer.built
        np.testing.assert_array_equal(layer([[2, -1]]), [[matrix[2], matrix[2]]])
        assert "weights" not in layer.get_config()
    with pytest.raises(AttributeError, match="must build the layer before accessing `embeddings`"):
        layers.Embedding(3, 2).embeddings  # noqa: B018 - reading it is what fails


def test_illegal_arguments_are_refused_with_the_reason():
    for name, value, kind in (("input_dim", 0, "int"), ("output_dim", 2.5, "float")):
        expected = (
            rf"`{name}` must be a positive integer. Received: {name}={value} \(of type {kind}\)"
        )
        with pytest.raises(ValueError, match=expected):
            layers.Embedding(**({"input_dim": 3, "output_dim": 2} | {name: value}))
    with pytest.warns(UserWarning, match="Argument `input_length` is deprecated. Just remove it."):
        layers.Embedding(3, 2, input_length=4)


def test_an_integer_without_a_row_is_an_error_that_names_the_layer():
    with pytest.raises(keras.errors.ExecutionError, match=r"layer 'words'.*idx=7 must be within"):
        layers.Embedding(3, 2, name="words")([7])


def test_configuration_of_keras_is_read():
    """Written by Keras 3.15.1."""
    part = {"module": "keras.initializers", "registered_name": None}
    entry = {
        "module": "keras.layers",
        "class_name": "Embedding",
        "config": {
            "name": "embedding",
            "trainable": True,
            "dtype": {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": {"name": "float32"},
                "registered_name": None,
            },
            "input_dim": 9,
            "output_dim": 2,
            "embeddings_initializer": part
            | {
                "class_name": "RandomUniform",
                "config": {"seed": None, "minval": -0.05, "maxval": 0.05},
            },
            "embeddings_regularizer": None,
            "activity_regularizer": None,
            "embeddings_constraint": None,
            "mask_zero": False,
            "quantization_config": None,
        },
        "registered_name": None,
    }
    layer = deserialize(translate(entry, Catalogue(KNOWN, {})))
    assert (layer.name, layer.input_dim, layer.output_dim) == ("embedding", 9, 2)
    assert layer.embeddings_initializer.get_config() == {
        "minval": -0.05,
        "maxval": 0.05,
        "seed": None,
    }
