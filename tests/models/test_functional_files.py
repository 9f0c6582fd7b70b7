"""A graph of layers survives its configuration and its file, and goes on training."""

from __future__ import annotations

import json
import re

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError

RNG = np.random.default_rng(0)


def siamese() -> keras.Model:
    """Two inputs through a shared model, with a layer called three times and two outputs."""
    a, b = keras.Input((6, 6, 2), name="a"), keras.Input((6, 6, 2), name="b")
    tower = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.GlobalAveragePooling2D(name="pool"),
        ],
        name="tower",
    )
    square = layers.Dense(3, activation="tanh", name="square")
    left, right = square(tower(a)), square(square(tower(b, training=False)))
    far = layers.Subtract(name="far")([left, right])
    return keras.Model(
        {"a": a, "b": b},
        {"distance": layers.Dense(1, name="head")(far), "left": left},
        name="siamese",
    )


def images(count: int = 5) -> dict[str, np.ndarray]:
    return {name: RNG.normal(size=(count, 6, 6, 2)).astype(np.float32) for name in ("a", "b")}


def scrambled(model: keras.Model) -> keras.Model:
    """The model with weights that no initializer gives."""
    model.set_weights([RNG.uniform(0.1, 1.0, w.shape) for w in model.weights])
    return model


def through_json(model: keras.Model, **custom: type) -> keras.Model:
    config = json.loads(json.dumps(model.get_config()))
    return type(model).from_config(config, custom)


def test_configuration_gives_the_same_model():
    model = scrambled(siamese())
    again = through_json(model)
    assert again.name == "siamese"
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    again.set_weights(model.get_weights())
    x = images()
    expected, found = model(x), again(x)
    assert list(found) == ["distance", "left"]
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert again.get_config() == model.get_config()


def test_configuration_holds_calls_in_their_order():
    config = siamese().get_config()
    square = next(entry for entry in config["layers"] if entry["name"] == "square")
    assert square["inbound_nodes"] == [
        {"inputs": [["tower", 0, 0]]},
        {"inputs": [["tower", 1, 0]]},
        {"inputs": [["square", 1, 0]]},
    ]
    tower = next(entry for entry in config["layers"] if entry["name"] == "tower")
    assert tower["class_name"] == "Sequential"
    assert tower["inbound_nodes"][1] == {"inputs": [["b", 0, 0]], "training": False}
    assert config["input_layers"] == {"a": ["a", 0, 0], "b": ["b", 0, 0]}
    assert config["output_layers"] == {"distance": ["head", 0, 0], "left": ["square", 0, 0]}


def test_saved_graph_predicts_the_same_and_runs_anywhere(tmp_path):
    model, x = scrambled(siamese()), images()
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    assert type(again) is keras.Model
    for name, value in model(x).items():
        np.testing.assert_array_equal(again(x)[name], value)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert [output.name for output in session.get_outputs()] == ["distance", "left"]
    np.testing.assert_allclose(
        session.run(["distance"], x)[0], model(x)["distance"], rtol=1e-5, atol=1e-6
    )


def test_loaded_graph_goes_on_as_if_it_had_not_stopped(tmp_path):
    whole = siamese()
    model = keras.Model(whole.inputs, whole.outputs[0], name="trained")
    model.compile("adam", "mse", metrics=["mae"])
    x, y = list(images(8).values()), RNG.normal(size=(8, 1))
    model.fit(x, y, epochs=2, batch_size=4, verbose=0)
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    histories = [one.fit(x, y, batch_size=4, verbose=0).history for one in (model, again)]
    assert histories[0] == histories[1]
    for mine, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_graph_inside_a_graph_inside_a_stack_is_loaded(tmp_path):
    x = keras.Input((4,))
    forked = keras.Model(x, [layers.Dense(2, name="d")(x), x], name="fork")
    y = keras.Input((4,))
    one, other = forked(y)
    middle = keras.Model(y, layers.Concatenate(name="join")([other, one]), name="middle")
    model = scrambled(keras.Sequential([middle, layers.Dense(1, name="d")], name="outer"))
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    data = RNG.normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(again(data), model(data))
    kernel, bias, head, last = model.get_weights()
    expected = np.concatenate([data, data @ kernel + bias], axis=1) @ head + last
    np.testing.assert_allclose(model(data), expected, rtol=1e-5)
    names = {tensor.name for tensor in model.to_onnx().graph.initializer}
    assert {"middle/fork/d/kernel", "d/kernel"} <= names


def test_model_cut_from_another_is_loaded(tmp_path):
    whole = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.ReLU(), layers.Dense(2)])
    upper = scrambled(keras.Model(whole.layers[1].output, whole.outputs, name="upper"))
    upper.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    x = RNG.normal(size=(2, 4)).astype(np.float32)
    assert again(x).shape == (2, 2)
    np.testing.assert_array_equal(again(x), upper(x))


def test_unnamed_inputs_keep_the_names_of_the_graph(tmp_path):
    x = keras.Input((3,))
    model = keras.Model(x, layers.Dense(1)(x))
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    again.save(tmp_path / "again.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()


class Gate(layers.Merge):
    """One's own merging layer."""

    def call(self, op, x, training):
        return op.Mul(x[0], op.Sigmoid(x[1]))


class Net(keras.Model):
    """One's own model class."""


def test_own_classes_are_passed_by_name(tmp_path):
    x = keras.Input((3,))
    model = Net(x, Gate(name="gate")([x, layers.Dense(3)(x)]), name="net")
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx", {"Net": Net, "Gate": Gate})
    assert type(again) is Net
    data = RNG.normal(size=(2, 3))
    np.testing.assert_array_equal(again(data), model(data))
    with pytest.raises(ValueError, match="Could not locate class 'Gate'"):
        keras.load_model(tmp_path / "m.onnx", {"Net": Net})
    with pytest.raises(ModelFileError, match=re.escape("{'Net': Net}")):
        keras.load_model(tmp_path / "m.onnx", {"Gate": Gate})


def test_layers_that_wait_for_each_other_are_refused():
    config = siamese().get_config()
    entry = next(entry for entry in config["layers"] if entry["name"] == "square")
    entry["inbound_nodes"][0]["inputs"] = [["far", 0, 0]]
    text = r"these wait for inputs that nothing gives: \['far', 'head', 'square'\]"
    with pytest.raises(ValueError, match=text):
        keras.Model.from_config(config)
