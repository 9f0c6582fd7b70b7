"""Files that were exported in training mode: kept as the standard says, or made right."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from support.importers.networks import noise, plain

KEPT = "exported in training mode.*outputs depend on which rows"


def network(training: int = 1, batch: str = "N") -> onnx.ModelProto:
    """Conv and BatchNormalization, as PyTorch 2.13 writes them with TrainingMode.TRAINING."""
    outputs = "y, m, v" if training else "y"
    text = f"""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[{batch}, 2, 5, 5] x) => (float[{batch}, 3, 3, 3] y)
        <float[3] scale = {{1, 2, 3}}, float[3] shift = {{0, 1, -1}},
         float[3] mean = {{0.5, 0, -0.5}}, float[3] variance = {{1, 4, 0.25}}> {{
            c = Conv(x, kernel)
            {outputs} = BatchNormalization<training_mode={training}, momentum=0.75>
                (c, scale, shift, mean, variance)
        }}
    """
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(noise(3, 2, 3, 3), "kernel"))
    return model


def kept() -> layers.ONNXModel:
    with pytest.warns(UserWarning, match=KEPT) as seen:
        layer = layers.ONNXModel(network(), name="net")
    assert len(seen) == 1
    return layer


def by_definition(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The network in training mode by the standard's definition, in float64."""
    conv = network(0)
    conv.graph.output[0].CopyFrom(onnx.ValueInfoProto(name="c"))
    c = plain(conv, x)[0].astype(np.float64)
    mean, variance = c.mean((0, 2, 3)), c.var((0, 2, 3))
    shape = (1, 3, 1, 1)
    y = (c - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + 1e-5)
    y = y * np.array([1, 2, 3]).reshape(shape) + np.array([0, 1, -1]).reshape(shape)
    moved = 0.75 * np.array([0.5, 0, -0.5]) + 0.25 * mean
    return y, moved, 0.75 * np.array([1, 4, 0.25]) + 0.25 * variance


def test_call_predict_export_and_save_keep_the_statistics_of_the_batch(tmp_path):
    x = noise(6, 2, 5, 5)
    expected, _, _ = by_definition(x)
    model = keras.Sequential([kept()])
    np.testing.assert_allclose(model.layers[0](x), expected, atol=1e-4)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-4)
    model.export(tmp_path / "m.onnx")
    np.testing.assert_allclose(plain(str(tmp_path / "m.onnx"), x)[0], expected, atol=1e-4)
    model.save(tmp_path / "s.onnx")
    again = keras.load_model(tmp_path / "s.onnx")  # without a second warning
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, atol=1e-4)
    for variable, old in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old.numpy())


def test_running_statistics_move_in_training_but_not_in_inference_or_while_frozen():
    x = noise(6, 2, 5, 5)
    _, mean, variance = by_definition(x)
    layer = kept()
    model = keras.Sequential([layer, layers.GlobalAveragePooling2D(), layers.Dense(1)])
    stats = {v.name: v for v in layer.weights}
    layer.trainable = False
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, np.ones((6, 1)), verbose=0)
    model.predict(x, verbose=0)
    assert stats["mean"].numpy().tolist() == [0.5, 0.0, -0.5]
    layer.trainable = True
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, np.ones((6, 1)), verbose=0)
    np.testing.assert_allclose(stats["mean"].numpy(), mean, atol=1e-5)
    np.testing.assert_allclose(stats["variance"].numpy(), variance, rtol=1e-4)


def test_inference_is_offered_and_survives_saving_and_export(tmp_path):
    x = noise(6, 2, 5, 5)
    (expected,) = plain(network(0), x)
    layer = layers.ONNXModel(network(), batch_norm="inference", name="net")
    assert layer.get_config()["batch_norm"] == "inference"
    again = layers.ONNXModel.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    model = keras.Sequential([layer])
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)
    model.export(tmp_path / "m.onnx")
    np.testing.assert_allclose(plain(str(tmp_path / "m.onnx"), x)[0], expected, atol=1e-4)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, expected, verbose=0)
    model.save(tmp_path / "s.onnx")
    loaded = keras.load_model(tmp_path / "s.onnx")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, atol=1e-4)


def test_configuration_of_a_file_in_inference_mode_is_as_it_was():
    assert "batch_norm" not in layers.ONNXModel(network(0)).get_config()
    with pytest.raises(ValueError, match=r'must be "file" or "inference". Received: .*\'train\''):
        layers.ONNXModel(network(0), batch_norm="train")


def test_fixed_batch_in_training_mode_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r'in training mode: `batch_norm="inference"` makes it'):
        layers.ONNXModel(network(batch="4"))
    layer = layers.ONNXModel(network(batch="4"), batch_norm="inference")
    assert layer(noise(7, 2, 5, 5)).shape == (7, 3, 3, 3)


def test_dropout_in_training_mode_is_said():
    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17]>
        net (float[N, 3] x) => (float[N, 3] y) <float ratio = {0.5}, bool on = {1}> {
            y = Dropout(x, ratio, on)
        }
        """
    )
    with pytest.warns(UserWarning, match=r"1 Dropout, the first 'y', drop at random in inference"):
        layers.ONNXModel(model)


@pytest.mark.parametrize("kind", ["If", "Loop"])
def test_training_mode_inside_a_body_is_refused_and_inference_works(kind):
    statistics = (
        "<float[3] scale = {1, 2, 3}, float[3] shift = {0, 1, -1}, float[3] mean = {0.5, 0, -0.5},"
        " float[3] variance = {1, 4, 0.25}>"
    )
    line = "BatchNormalization<training_mode = 1> (x, scale, shift, mean, variance)"
    bodies = {
        "If": f"""yes = Constant<value = bool {{1}}> ()
            y = If (yes) <
                then_branch = a () => (float[N, 3] t) {{ t, tm, tv = {line} }},
                else_branch = b () => (float[N, 3] e) {{ e = Identity (x) }}
            >""",
        "Loop": f"""once = Constant<value = int64 {{1}}> ()
            y = Loop (once, , x) <
                body = a (int64 i, bool on, float[N, 3] before) => (bool go, float[N, 3] t)
                {{ go = Identity (on)
                   t, tm, tv = {line} }}
            >""",
    }
    model = onnx.parser.parse_model(
        f"""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[N, 3] x) => (float[N, 3] y) {statistics} {{
            {bodies[kind]}
        }}
        """
    )
    message = "has BatchNormalization 't' in training mode inside an If, Loop or Scan.*inference"
    with pytest.raises(ValueError, match=message):
        layers.ONNXModel(model)
    x = noise(6, 3)
    expected = (x - [0.5, 0, -0.5]) / np.sqrt(np.array([1, 4, 0.25]) + 1e-5)
    made = layers.ONNXModel(model, batch_norm="inference")(x)
    np.testing.assert_allclose(made, expected * [1, 2, 3] + [0, 1, -1], atol=1e-5)
