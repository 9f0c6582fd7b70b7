"""Code in configurations is run only where the caller says so, as in Keras 3.15.1.

What is refused and what is not was taken from Keras 3.15.1 call by call.
"""

import json

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import defaults, layers

X = np.ones((1, 4), "float32")
REFUSED = "safe_mode=False.*enable_unsafe_deserialization"


@pytest.fixture(autouse=True)
def safe_again(monkeypatch):
    monkeypatch.setattr(defaults._defaults, "unsafe_deserialization", False)


def doubling():
    return layers.Lambda(lambda x: x * 2.0, name="twice")


def stack():
    return sx.Sequential([sx.Input((4,)), doubling()])


def graph():
    x = sx.Input((4,))
    return sx.Model(x, doubling()(x))


MAKERS = {
    "layers.deserialize": lambda: layers.deserialize(layers.serialize(doubling())),
    "inside a wrapper": lambda: (
        layers.deserialize(layers.serialize(layers.TimeDistributed(doubling()))).layer
    ),
    "Layer.from_config": lambda: layers.Lambda.from_config(doubling().get_config()),
    "deserialize_keras_object": lambda: sx.saving.deserialize_keras_object(
        sx.saving.serialize_keras_object(doubling())
    ),
    "in a list": lambda: sx.saving.deserialize_keras_object(
        [sx.saving.serialize_keras_object(doubling())]
    )[0],
    **{
        f"{name} of {make.__name__}": lambda way=way, make=make: way(make())
        for make in (stack, graph)
        for name, way in {
            "model_from_json": lambda model: sx.models.model_from_json(model.to_json()),
            "clone_model": sx.models.clone_model,
            "from_config": lambda model: type(model).from_config(model.get_config()),
            "a model object": lambda model: sx.saving.deserialize_keras_object(
                sx.saving.serialize_keras_object(model)
            ),
        }.items()
    },
}


@pytest.mark.parametrize("name", MAKERS)
def test_lambda_is_refused_until_its_code_is_allowed(name):
    with pytest.raises(ValueError, match=REFUSED):
        MAKERS[name]()
    sx.config.enable_unsafe_deserialization()
    np.testing.assert_array_equal(MAKERS[name]()(X), X * 2)


def test_single_calls_may_trust_what_they_are_given():
    config = doubling().get_config()
    np.testing.assert_array_equal(layers.Lambda.from_config(config, safe_mode=False)(X), X * 2)
    for thing in (doubling(), stack(), graph()):
        entry = json.loads(json.dumps(sx.saving.serialize_keras_object(thing)))
        made = sx.saving.deserialize_keras_object(entry, safe_mode=False)
        np.testing.assert_array_equal(made(X), X * 2)


def test_the_loading_function_around_decides():
    class Holder(layers.Layer):
        """Makes what it holds itself, as Keras's guide shows."""

        @classmethod
        def from_config(cls, config):
            config["inner"] = sx.saving.deserialize_keras_object(config["inner"])
            return cls(**config)

        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

        def get_config(self):
            inner = sx.saving.serialize_keras_object(self.inner)
            return {**super().get_config(), "inner": inner}

    entry = sx.saving.serialize_keras_object(Holder(doubling()))
    custom = {"Holder": Holder}
    with pytest.raises(ValueError, match="safe_mode=False"):
        sx.saving.deserialize_keras_object(entry, custom)
    made = sx.saving.deserialize_keras_object(entry, custom, safe_mode=False)
    np.testing.assert_array_equal(made(X), X * 2)
    with pytest.raises(ValueError, match="safe_mode=False"):  # no trust is left behind
        layers.deserialize(layers.serialize(doubling()))


def test_onnx_file_of_a_lambda_obeys_too(tmp_path):
    path = tmp_path / "m.onnx"
    graph().save(path)
    with pytest.raises(ValueError, match=REFUSED):
        sx.load_model(path)
    np.testing.assert_array_equal(sx.load_model(path, safe_mode=False)(X), X * 2)
    given = {"<lambda>": lambda x: x * 3.0}
    np.testing.assert_array_equal(sx.load_model(path, given)(X), X * 3)


def test_lambda_with_objects_from_outside_is_saved_by_name(tmp_path):
    """Its code could not be written as text."""
    scale = np.float32(2.0) * np.ones(4, "float32")
    layer = layers.Lambda(lambda x: x * scale)
    assert layer.get_config()["function"] == "<lambda>"
    sx.Sequential([sx.Input((4,)), layer]).save(tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="custom_objects"):
        sx.load_model(tmp_path / "m.onnx")


def test_functions_with_a_name_are_found_by_it():
    @sx.saving.register_keras_serializable("test_safe_mode")
    def thrice(x):
        return x * 3.0

    def fourfold(x):
        return x * 4.0

    made = layers.deserialize(layers.serialize(layers.Lambda(thrice)))
    np.testing.assert_array_equal(made(X), X * 3)
    made = sx.models.clone_model(sx.Sequential([sx.Input((4,)), layers.Lambda(sx.ops.negative)]))
    np.testing.assert_array_equal(made(X), -X)
    entry = layers.serialize(layers.Lambda(fourfold))
    np.testing.assert_array_equal(layers.deserialize(entry, {"fourfold": fourfold})(X), X * 4)
    with pytest.raises(ValueError, match=r"custom_objects=\{'fourfold': ...\}"):
        layers.deserialize(entry)


def test_layers_are_made_from_entries_of_keras():
    inner = sx.saving.serialize_keras_object(layers.LSTM(3, return_sequences=True, name="inner"))
    assert inner["module"] == "keras.layers"
    made = layers.deserialize(inner)
    assert (made.name, made.units, made.return_sequences) == ("inner", 3, True)
    entry = sx.saving.serialize_keras_object(layers.Bidirectional(made))
    assert layers.deserialize(entry).forward_layer.units == 3
    with pytest.raises(ValueError, match="Could not locate class 'Missing'"):
        layers.deserialize({"module": "keras.layers", "class_name": "Missing", "config": {}})


def test_files_outside_of_a_model_are_read_only_where_it_is_trusted(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n", "utf-8")
    entry = sx.saving.serialize_keras_object(layers.StringLookup(vocabulary=["a", "b"]))
    entry["config"]["vocabulary"] = str(words)
    with pytest.raises(ValueError, match="vocabulary file outside of the model archive"):
        sx.saving.deserialize_keras_object(entry)
    made = sx.saving.deserialize_keras_object(entry, safe_mode=False)
    assert made.get_vocabulary() == ["[UNK]", "a", "b"]
    with pytest.raises(ValueError, match="vocabulary file outside of the model archive"):
        layers.deserialize(entry)
    assert layers.StringLookup(vocabulary=str(words)).vocabulary_size() == 3
