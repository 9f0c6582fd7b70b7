"""Any ONNX file is a layer: what it computes, what its weights are, how it is saved."""

from __future__ import annotations

import base64
import json
import zlib

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError
from support.importers.networks import CONV, TWO, noise, parsed, plain


def test_weights_are_the_floating_point_initializers_in_their_layout():
    layer = layers.ONNXModel(parsed(CONV), name="net")
    assert {v.path: v.shape for v in layer.weights} == {
        "net/kernel": (4, 2, 3, 3),
        "net/scale": (4,),
        "net/shift": (4,),
        "net/mean": (4,),
        "net/variance": (4,),
        "net/head": (4, 3),
    }
    trained = [v.name for v in layer.trainable_weights]
    assert trained == ["kernel", "scale", "shift", "head"]  # statistics were measured
    layer.trainable = False
    assert layer.trainable_weights == []
    assert layer.signature == {"image": ((None, 2, 6, 6), "float32")}


def test_layer_computes_what_the_runtime_does_between_other_layers(tmp_path):
    network = parsed(CONV)
    model = keras.Sequential(
        [
            keras.Input((2, 36)),
            layers.Reshape((2, 6, 6)),
            layers.ONNXModel(network, name="net"),
            layers.Rescaling(0.5, name="half"),
        ]
    )
    assert model.output_shape == (None, 3)
    x = noise(5, 2, 36)
    (expected,) = plain(network, x.reshape(5, 2, 6, 6))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected / 2, rtol=1e-5)
    path = str(tmp_path / "m.onnx")
    model.export(path)
    np.testing.assert_allclose(plain(path, x)[0], expected / 2, rtol=1e-4)
    assert [o.domain for o in onnx.load(path).opset_import] == [""]


def test_training_moves_the_weights_and_freezing_leaves_every_bit():
    model = keras.Sequential([layers.ONNXModel(parsed(CONV), name="net"), layers.Dense(1)])
    x, y = noise(16, 2, 6, 6), noise(16, 1)
    base = model.layers[0]
    base.trainable = False
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    before = base.get_weights()
    first = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))
    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    model.fit(x, y, epochs=3, verbose=0)
    moved = {
        v.name: not np.array_equal(v.numpy(), old)
        for v, old in zip(base.weights, before, strict=True)
    }
    assert moved == {
        "kernel": True,
        "scale": True,
        "shift": True,
        "mean": False,
        "variance": False,
        "head": True,
    }
    assert model.evaluate(x, y, verbose=0) < first


def test_gradient_step_equals_that_of_torch():
    torch = pytest.importorskip("torch")
    text = """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 3] x) => (float[N, 2] y) <float[3, 4] a, float[4] b, float[4, 2] c> {
            h = MatMul(x, a)
            s = Add(h, b)
            t = Tanh(s)
            y = MatMul(t, c)
        }
    """
    layer = layers.ONNXModel(parsed(text))
    a, b, c = (torch.tensor(w, requires_grad=True) for w in layer.get_weights())
    x, y = noise(8, 3), noise(8, 2)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(x, y)
    out = torch.tanh(torch.tensor(x) @ a + b) @ c
    torch.nn.functional.mse_loss(out, torch.tensor(y)).backward()
    for weight, tensor in zip(layer.get_weights(), (a, b, c), strict=True):
        expected = (tensor - 0.1 * tensor.grad).detach().numpy()
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_saved_model_holds_the_graph_and_needs_no_file(tmp_path):
    source = tmp_path / "source.onnx"
    onnx.save(parsed(CONV), source)
    model = keras.Sequential([layers.ONNXModel(source, "pooled", name="net"), layers.Dense(2)])
    model.compile("adam", "mse")
    x, y = noise(6, 2, 6, 6), noise(6, 2)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "saved.onnx")
    source.unlink()
    again = keras.load_model(tmp_path / "saved.onnx")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.layers[0].get_config()["filepath"] == str(source)
    assert again.train_on_batch(x, y) == model.train_on_batch(x, y)


def test_config_carries_no_weights():
    config = layers.ONNXModel(parsed(CONV), name="net").get_config()
    text = json.dumps(config)
    again = layers.ONNXModel.from_config(json.loads(text))
    assert [v.shape for v in again.weights] == [(4, 2, 3, 3), *[(4,)] * 4, (4, 3)]
    assert not any(v.numpy().any() for v in again.weights)
    big = CONV.replace("float[4, 3] head", "float[4, 30000] head").replace("N, 3]", "N, 30000]")
    assert len(json.dumps(layers.ONNXModel(parsed(big), name="net").get_config())) < 5000


def test_damaged_graph_in_a_config_is_named():
    config = layers.ONNXModel(parsed(CONV)).get_config()
    config["graph"]["graph"] = config["graph"]["graph"][:-40]
    with pytest.raises(ModelFileError, match="graph of an imported model is damaged"):
        layers.ONNXModel.from_config(config)
    with pytest.raises(ValueError, match="needs a `filepath`"):
        layers.ONNXModel(None)


def test_graph_in_a_config_may_not_refer_to_other_files():
    config = layers.ONNXModel(parsed(CONV)).get_config()
    proto = onnx.load_from_string(zlib.decompress(base64.b64decode(config["graph"]["graph"])))
    stolen = proto.graph.initializer.add(name="stolen", data_type=onnx.TensorProto.UINT8, dims=[4])
    stolen.data_location = onnx.TensorProto.EXTERNAL
    stolen.external_data.add(key="location", value="secret")
    packed = zlib.compress(proto.SerializeToString())
    config["graph"]["graph"] = base64.b64encode(packed).decode("ascii")
    with pytest.raises(ModelFileError, match="refers to other files"):
        layers.ONNXModel.from_config(config)


def test_cut_gives_an_inner_tensor_and_leaves_the_rest_out():
    network = parsed(CONV)
    layer = layers.ONNXModel(network, outputs=["b"])
    assert [v.name for v in layer.weights] == ["kernel", "scale", "shift", "mean", "variance"]
    assert list(layer.tensors) == ["c", "b"]
    assert layer.tensors["b"] == (None, 4, 4, 4)
    network.graph.output.append(onnx.ValueInfoProto(name="b"))
    x = noise(3, 2, 6, 6)
    np.testing.assert_allclose(layer(x), plain(network, x)[1], rtol=1e-4, atol=1e-5)


def test_cut_at_an_unknown_tensor_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"does not compute: 'poled'.* nearest names are \['pool"):
        layers.ONNXModel(parsed(CONV), outputs="poled")
    with pytest.raises(ValueError, match=r"Its last are \['b', 'r', 'squared', 'pooled', 'scores"):
        layers.ONNXModel(parsed(CONV), outputs="XYZ")


def test_several_outputs_are_features():
    network = parsed(CONV)
    layer = layers.ONNXModel(network, outputs=["c", "scores"])
    x = keras.Input((2, 6, 6))
    model = keras.Model(x, layer(x))
    data = noise(4, 2, 6, 6)
    features, scores = model.predict(data, verbose=0)
    assert features.shape == (4, 4, 4, 4)
    np.testing.assert_allclose(scores, plain(network, data)[0], rtol=1e-5)
    with pytest.raises(ValueError, match="single output tensor"):
        keras.Sequential([keras.Input((2, 6, 6)), layer])


def test_several_inputs_make_a_model_but_no_sequential():
    network = parsed(TWO)
    layer = layers.ONNXModel(network, name="net")
    a, b = keras.Input((3,)), keras.Input((4,))
    data = noise(5, 3), noise(5, 4)
    got = keras.Model([a, b], layer([a, b])).predict(list(data), verbose=0)
    np.testing.assert_allclose(got, plain(network, *data)[0], rtol=1e-6)
    with pytest.raises(
        ValueError, match=r"has 2 inputs, \['a', 'b'\].*Sequential model passes one"
    ):
        keras.Sequential([keras.Input((3,)), layer])
    only = keras.Sequential([layers.ONNXModel(network, outputs="scaled")])
    assert only.input_shape == (None, 4)


def test_same_file_twice_has_weights_and_names_of_its_own(tmp_path):
    network = parsed(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 3] x) => (float[N, 3] y) <float[3, 3] w> { y = MatMul(x, w) }
        """
    )
    model = keras.Sequential([layers.ONNXModel(network), layers.ONNXModel(network)])
    model.export(tmp_path / "m.onnx")
    assert len({v.path for v in model.weights}) == 2
    model.layers[1].set_weights([2 * model.get_weights()[1]])
    x = noise(3, 3)
    expected = 2 * plain(network, plain(network, x)[0])[0]
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5)


def test_building_twice_gives_identical_bytes():
    made = []
    for _ in range(2):
        keras.clear_session(free_memory=False)
        model = keras.Sequential([layers.ONNXModel(parsed(CONV))], name="m")
        made.append(model.to_onnx().SerializeToString(deterministic=True))
    assert made[0] == made[1]
