"""`Model(inputs, outputs)` gives inner tensors and shares the weights."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers


@pytest.fixture
def model() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.Dropout(0.5, name="drop"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, name="head"),
        ]
    )


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype(np.float32)


def test_every_layer_output_equals_the_layers_called_one_by_one(model, x):
    extractor = keras.Model(inputs=model.inputs, outputs=[t.output for t in model.layers])
    found = extractor(x)
    assert isinstance(found, list)
    value = x
    for layer, got in zip(model.layers, found, strict=True):
        value = layer(value)
        np.testing.assert_allclose(got, value, rtol=1e-5, atol=1e-6)
    for got, predicted in zip(found, extractor.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(got, predicted)
    assert extractor.name == "functional"


def test_one_tensor_gives_an_array_and_a_dict_gives_a_dict(model, x):
    inner = model.get_layer("pool").output
    single = keras.Model(model.inputs, inner)(x)
    assert single.shape == (3, 3)
    named = keras.Model(model.inputs, {"features": inner, "logits": model.output})
    assert set(named(x)) == {"features", "logits"}
    np.testing.assert_array_equal(named.predict(x, verbose=0)["features"], single)
    np.testing.assert_array_equal(keras.Model(model.inputs, [inner])(x), single)


def test_a_model_may_start_at_an_inner_tensor(model, x):
    features = keras.Model(model.inputs, model.get_layer("drop").output)(x)
    rest = keras.Model(model.get_layer("drop").output, model.outputs[0])
    np.testing.assert_allclose(rest(features), model(x), rtol=1e-5, atol=1e-6)
    assert [layer.name for layer in rest.layers] == ["drop_input", "pool", "head"]


def test_weights_are_shared_with_the_model(model, x):
    extractor = keras.Model(model.inputs, model.output)
    assert extractor.weights[0] is model.weights[0]
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    np.testing.assert_array_equal(extractor(x), np.zeros((3, 4)))
    model.compile("sgd", "mse")
    model.fit(x, np.ones((3, 4)), verbose=0)
    np.testing.assert_array_equal(extractor(x), model(x))
    assert np.any(model(x) != 0)


def test_unbuilt_model_and_foreign_input_are_refused(model):
    with pytest.raises(AttributeError, match="has no defined inputs yet"):
        _ = keras.Model(keras.Sequential([layers.Dense(1)]).inputs, model.outputs)
    with pytest.raises(ValueError, match="Graph disconnected: `outputs` depend on the input"):
        keras.Model(keras.Input((6, 6, 2)), model.output)
    with pytest.raises(ValueError, match="must be symbolic tensors"):
        keras.Model(model.inputs, [np.zeros(3)])


def test_after_pop_a_layer_still_gives_its_first_output(model, x):
    head = model.pop()
    assert keras.Model(model.inputs, head.output)(x).shape == (3, 4)


@pytest.mark.parametrize("wanted", ["all", ["bn", "head"], ["drop", "bn"]])
def test_export_gives_the_outputs_of_layers_by_name(model, x, tmp_path, wanted):
    for moving in (model.get_layer("bn").moving_mean, model.get_layer("bn").moving_variance):
        moving.assign(np.random.default_rng(1).uniform(0.5, 2.0, moving.shape))
    model.export(tmp_path / "m.onnx", outputs=wanted)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    names = [layer.name for layer in model.layers] if wanted == "all" else wanted
    assert [output.name for output in session.get_outputs()] == names
    tensors = [model.get_layer(name).output for name in names]
    expected = keras.Model(model.inputs, tensors)(x)
    for got, want in zip(session.run(None, {"input": x}), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_export_refuses_layers_that_are_not_there(model, tmp_path):
    with pytest.raises(ValueError, match=r"No such layer: zz. Existing layers are: "):
        model.export(tmp_path / "m.onnx", outputs=["zz"])
    with pytest.raises(ValueError, match="`outputs` must be 'all' or a list of layer names"):
        model.export(tmp_path / "m.onnx", outputs="head")
    assert list(tmp_path.iterdir()) == []


def test_several_inputs_as_list_or_by_name():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    model = keras.Model({"a": a, "b": b}, [layers.Dense(2)(a), layers.Dense(2)(b)])
    x, y = np.ones((4, 3)), np.ones((4, 2))
    first = model([x, y])
    second = model({"b": y, "a": x})
    third = model.predict([x, y], verbose=0)
    for left, right, predicted in zip(first, second, third, strict=True):
        np.testing.assert_array_equal(left, right)
        np.testing.assert_array_equal(left, predicted)
    with pytest.raises(ValueError, match="must name the inputs of model"):
        model({"a": x})
