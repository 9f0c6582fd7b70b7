"""A layer that stands in several places of a model is one layer again after every round trip.

Keras 3.15.1 gives each place a layer of its own after `from_config`, `model_from_json` and
`clone_model`, and cannot load its own `.keras` file of such a model ("Output with path `` is not
connected to `inputs`"); the entries in that file have a `shared_object_id`, which is read here.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

X = np.arange(8, dtype="float32").reshape(2, 4)


def in_two_models() -> Any:
    """A layer in two models inside, and beside them."""
    shared = layers.Dense(4, name="shared")
    parts = []
    for name in ("first", "second"):
        x = keras.Input((4,))
        parts.append(keras.Model(x, layers.Dense(3)(shared(x)), name=name))
    x = keras.Input((4,))
    own = layers.Dense(3, name="own")(shared(x))
    return keras.Model(x, layers.Add()([parts[0](x), parts[1](x), own]))


def in_two_stacks() -> Any:
    shared = layers.Dense(4, name="shared")
    first = keras.Sequential([keras.Input((4,)), shared, layers.ReLU()])
    return keras.Sequential(
        [keras.Input((4,)), first, keras.Sequential([keras.Input((4,)), shared])]
    )


def model_in_two_models() -> Any:
    shared = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.BatchNormalization()])
    parts = []
    for _ in range(2):
        x = keras.Input((4,))
        parts.append(keras.Model(x, shared(x)))
    x = keras.Input((4,))
    return keras.Model(x, parts[1](parts[0](x)))


def in_a_wrapper() -> Any:
    shared = layers.Dense(2, name="shared")
    x = keras.Input((4,))
    y = layers.Reshape((2, 2))(x)
    return keras.Model(x, layers.TimeDistributed(shared)(shared(y)))


def extractor_beside_its_base() -> Any:
    x = keras.Input((4,))
    hidden = layers.Dense(3)(x)
    base, extractor = keras.Model(x, layers.Dense(2)(hidden)), keras.Model(x, hidden)
    x = keras.Input((4,))
    return keras.Model(x, layers.Concatenate()([base(x), extractor(x)]))


def forward_layer_alone() -> Any:
    """Features of the layer that walks forward beside those of both."""
    both = layers.Bidirectional(layers.LSTM(3, name="lstm"), name="both")
    x = keras.Input((4,))
    y = layers.Reshape((2, 2))(x)
    return keras.Model(x, layers.Concatenate()([both(y), both.forward_layer(y)]))


def backward_layer_alone() -> Any:
    back = layers.GRU(3, go_backwards=True, name="back")
    both = layers.Bidirectional(layers.GRU(3), backward_layer=back)
    x = keras.Input((4,))
    y = layers.Reshape((2, 2))(x)
    return keras.Model(x, layers.Concatenate()([back(y), both(y)]))


def in_two_wrappers() -> Any:
    """The same layers of both directions under two ways of merging."""
    first = layers.Bidirectional(layers.LSTM(3), merge_mode="sum")
    second = layers.Bidirectional(
        layers.LSTM(3), merge_mode="mul", backward_layer=first.backward_layer
    )
    x = keras.Input((4,))
    y = layers.Reshape((2, 2))(x)
    return keras.Model(x, layers.Concatenate()([first(y), second(y)]))


def cell_in_two_loops() -> Any:
    cell = layers.LSTMCell(3, name="cell")
    x = keras.Input((4,))
    y = layers.Reshape((2, 2))(x)
    stack = layers.RNN([cell, layers.GRUCell(2)])
    back = layers.RNN(cell, go_backwards=True)
    return keras.Model(x, layers.Concatenate()([back(y), stack(y)]))


MODELS = [
    in_two_models,
    in_two_stacks,
    model_in_two_models,
    in_a_wrapper,
    extractor_beside_its_base,
    forward_layer_alone,
    backward_layer_alone,
    in_two_wrappers,
    cell_in_two_loops,
]
every_model = pytest.mark.parametrize("build", MODELS)


def shapes(model: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in model.weights]


@every_model
@pytest.mark.parametrize("ending", ["onnx", "keras", "h5"])
def test_files_keep_it_shared_and_train_on(build, ending, tmp_path):
    if ending != "onnx":
        pytest.importorskip("h5py", reason="Keras's files are HDF5 files")
    keras.set_random_seed(1)
    model = build()
    model.compile("adam", "mse")
    y = np.ones_like(model.predict(X, verbose=0))
    model.train_on_batch(X, y)
    if ending == "h5":
        with pytest.warns(UserWarning, match="legacy"):
            model.save(tmp_path / "m.h5")
    else:
        model.save(tmp_path / f"m.{ending}")
    again = keras.models.load_model(tmp_path / f"m.{ending}")
    assert shapes(again) == shapes(model)
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    expected = [model.train_on_batch(X, y) for _ in range(3)]
    assert [again.train_on_batch(X, y) for _ in range(3)] == pytest.approx(expected, rel=1e-5)


@every_model
def test_configurations_and_copies_keep_it_shared(build):
    model = build()
    config = json.loads(json.dumps(model.get_config()))
    for copy in (
        type(model).from_config(config),
        keras.models.model_from_json(model.to_json()),
        keras.models.clone_model(model),
        keras.models.clone_model(model, recursive=True),
    ):
        assert shapes(copy) == shapes(model)
        copy.set_weights(model.get_weights())
        expected = model.predict(X, verbose=0)
        np.testing.assert_allclose(copy.predict(X, verbose=0), expected, atol=1e-6)


def test_a_configuration_without_shared_layers_says_nothing_of_them():
    relu = layers.ReLU()  # without weights two that are equal do the same
    first = keras.Sequential([keras.Input((4,)), layers.Dense(4), relu])
    model = keras.Sequential([keras.Input((4,)), first, keras.Sequential([relu])])
    model.build((None, 4))
    assert "shared_object_id" not in json.dumps(model.get_config())
    assert "shared_object_id" in json.dumps(in_two_models().get_config())


def test_a_second_reading_makes_other_layers():
    config = in_two_models().get_config()
    first, second = (keras.Model.from_config(config) for _ in range(2))
    assert first.get_layer("shared") is not second.get_layer("shared")
