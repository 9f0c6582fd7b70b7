"""The content of ONNX files: old operator sets, functions, subgraphs, data files, odd names."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import GradientError, ModelFileError
from seqonnx.graph.versions import OPSET
from support.importers.networks import CONV, TWO, noise, parsed, plain


@pytest.mark.parametrize("version", [11, 12])
def test_old_operator_set_keeps_its_meaning(version):
    # Before opset 13, Softmax works on everything behind its axis (here 1) at once.
    network = parsed(
        f"""
        <ir_version: 6, opset_import: ["": {version}]>
        net (float[N, 2, 3] x) => (float[N, 2, 3] y) {{ y = Softmax(x) }}
        """
    )
    x = noise(4, 2, 3)
    layer = layers.ONNXModel(network)
    np.testing.assert_allclose(layer(x), plain(network, x)[0], rtol=1e-5)
    np.testing.assert_allclose(layer(x).sum((1, 2)), np.ones(4), rtol=1e-5)
    assert layer(keras.Input((2, 3))).shape == (None, 2, 3)


def test_newer_operator_set_is_converted_down():
    network = onnx.parser.parse_model(
        '<ir_version: 12, opset_import: ["": 25]> net (float[N, 3] x) => (y) { y = Relu(x) }'
    )
    assert OPSET < 25
    assert layers.ONNXModel(network)([[-1.0, 0.0, 2.0]]).tolist() == [[0.0, 0.0, 2.0]]


def test_shapes_computed_in_the_graph_are_known_to_the_next_layer():
    network = parsed(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, C, 2, 3] x) => (float[a, b] y) <int64[1] first = {0}, int64[1] rest = {-1}> {
            s = Shape(x)
            n = Gather(s, first)
            target = Concat<axis = 0>(n, rest)
            y = Reshape(x, target)
        }
        """
    )
    model = keras.Sequential(
        [keras.Input((4, 2, 3)), layers.ONNXModel(network), layers.Dense(2, name="dense")]
    )
    assert model.layers[0].output.shape == (None, 24)
    assert model.predict(noise(5, 4, 2, 3), verbose=0).shape == (5, 2)


def test_integer_inputs_are_looked_up_and_trained():
    network = parsed(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (int64[N, 3] ids) => (float[N, 3, 2] y) <float[5, 2] table> { y = Gather(table, ids) }
        """
    )
    layer = layers.ONNXModel(network)
    model = keras.Sequential([layer, layers.Flatten(), layers.Dense(1)])
    ids = np.array([[0, 1, 1], [1, 0, 0]])
    before = layer.get_weights()[0]
    model.compile("sgd", "mse")
    model.fit(ids, np.ones((2, 1)), verbose=0)
    rows = np.any(layer.get_weights()[0] != before, axis=1)
    assert rows.tolist() == [True, True, False, False, False]


def test_functions_of_the_file_are_expanded():
    network = parsed(
        """
        <ir_version: 8, opset_import: ["": 18, "own": 1]>
        net (float[N, 3] x) => (float[N, 3] y) <float[3] w> { y = own.gate(x, w) }
        <domain: "own", opset_import: ["": 18]>
        gate (a, b) => (c) {
            s = Sigmoid(a)
            t = Mul(s, b)
            c = Mul(a, t)
        }
        """
    )
    x = noise(4, 3)
    layer = layers.ONNXModel(network)
    np.testing.assert_allclose(layer(x), plain(network, x)[0], rtol=1e-6)
    assert [v.name for v in layer.trainable_weights] == ["w"]


def test_weights_in_a_data_file_are_read_and_a_missing_one_leaves_nothing(tmp_path):
    network = parsed(CONV)
    x = noise(3, 2, 6, 6)
    (expected,) = plain(network, x)
    path = tmp_path / "net.onnx"
    onnx.save(network, path, save_as_external_data=True, location="net.data", size_threshold=0)
    np.testing.assert_allclose(layers.ONNXModel(path)(x), expected, rtol=1e-5)
    (tmp_path / "net.data").unlink()
    keras.clear_session(free_memory=False)
    model = keras.Sequential()
    with pytest.raises(ModelFileError, match=r"weights of .*net\.onnx lie in a data file .*net"):
        model.add(layers.ONNXModel(path))
    assert model.layers == []
    assert layers.Dense(1).name == "dense"
    assert layers.ONNXModel(parsed(CONV)).name == "onnx_model"


def test_constants_of_subgraphs_in_a_data_file_are_read(tmp_path):
    network = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 3] x, bool c) => (float[N, 3] y) {
            y = If (c) <
                then_branch = yes () => (float[N, 3] t) {
                    k = Constant <value = float[3] {1, 2, 3}> ()
                    t = Mul(x, k)
                },
                else_branch = no () => (float[N, 3] e) { e = Identity(x) }
            >
        }
        """
    )
    network.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "c"))
    del network.graph.input[1]
    path = tmp_path / "net.onnx"
    onnx.save(
        network,
        path,
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
        convert_attribute=True,
    )
    assert layers.ONNXModel(path)(np.ones((1, 3), np.float32)).tolist() == [[1, 2, 3]]
    (tmp_path / "net.data").unlink()
    with pytest.raises(ModelFileError, match=r"weights of .*net\.onnx lie in a data file"):
        layers.ONNXModel(path)


def test_operator_that_no_set_has_is_named():
    with pytest.raises(ModelFileError, match=r"operator set 10, which cannot be .*NoSuchOp"):
        layers.ONNXModel(
            onnx.parser.parse_model(
                '<ir_version: 6, opset_import: ["": 10]>'
                "net (float[N, 3] x) => (float[N, 3] y) { y = NoSuchOp(x) }"
            )
        )


@pytest.mark.parametrize("content", [b"", b"no model at all", None])
def test_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"net\.onnx"):
        layers.ONNXModel(path)


def test_network_without_inputs_or_batch_is_refused():
    head = '<ir_version: 8, opset_import: ["": 13]>'
    with pytest.raises(ValueError, match="has no inputs"):
        layers.ONNXModel(parsed(head + "n () => (float[2] y) <float[2] w> { y = Relu(w) }"))
    with pytest.raises(ValueError, match=r"input 'x' of an ONNX model has no batch dimension"):
        layers.ONNXModel(parsed(head + "n (float x) => (float y) { y = Relu(x) }"))


def test_input_of_another_shape_is_refused():
    layer = layers.ONNXModel(parsed(CONV), name="net")
    with pytest.raises(ValueError, match=r"expected axis 1 of input shape to have value 2"):
        layer(keras.Input((3, 6, 6)))
    with pytest.raises(ValueError, match=r"expected ndim=4, found ndim=3"):
        layer(noise(2, 6, 6))


def test_weights_of_another_network_are_refused(tmp_path):
    model = keras.Sequential([layers.ONNXModel(parsed(CONV), name="net")])
    other = keras.Sequential([layers.ONNXModel(parsed(TWO), outputs="scaled", name="net")])
    other.save_weights(tmp_path / "w.npz")
    before = model.get_weights()
    with pytest.raises(ValueError, match="could not be loaded"):
        model.load_weights(tmp_path / "w.npz")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_foreign_file_loads_as_a_model(tmp_path):
    network = parsed(CONV)
    onnx.save(network, tmp_path / "net.onnx")
    model = keras.load_model(tmp_path / "net.onnx")
    x = noise(4, 2, 6, 6)
    np.testing.assert_allclose(model.predict(x, verbose=0), plain(network, x)[0], rtol=1e-5)
    assert model.inputs[0].name == "image"
    assert "pooled" in model.layers[0].tensors
    onnx.save(parsed(TWO), tmp_path / "two.onnx")
    pair = keras.load_model(tmp_path / "two.onnx")
    assert [t.name for t in pair.inputs] == ["a", "b"]
    assert pair.predict([noise(2, 3), noise(2, 4)], verbose=0).shape == (2, 7)


def test_operator_of_another_domain_runs_and_blocks_training_by_name():
    network = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
        net (float[N, 3] x) => (float[N, 3] y) <float[3] w = {1, 2, 3}> {
            s = Mul(x, w)
            p = Constant<value = float[3, 3] {1, 0, 0, 0, 1, 0, 0, 0, 2}>()
            y = com.microsoft.CDist<metric = "euclidean">(s, p)
        }
        """
    )
    x = noise(2, 3)
    layer = layers.ONNXModel(network, name="net")
    model = keras.Sequential([layer, layers.Dense(1, name="head")])  # the shape was measured
    assert layer.output.shape == (None, 3)
    np.testing.assert_allclose(layer(x), plain(network, x)[0], rtol=1e-5)
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(GradientError) as error:
        model.fit(x, np.ones((2, 1)), verbose=0)
    text = str(error.value)
    assert "operator CDist (domain 'com.microsoft'), node 'net/y'" in text
    assert "['net/w']" in text
    assert "`layer.trainable = False`" in text
    assert '@seqonnx.autodiff.gradient("com.microsoft", "CDist")' in text
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    layer.trainable = False
    model.compile("sgd", "mse")
    model.fit(x, np.ones((2, 1)), verbose=0)
    assert not np.array_equal(before[1], model.get_weights()[1])


BRANCHES = """
    <ir_version: 8, opset_import: ["": 13]>
    net (float[N, 3] x) => (float[N, 3] y) <float[3] a, float[3] b, float zero = {0}> {
        s = Mul(x, a)
        total = ReduceSum<keepdims = 0>(s)
        positive = Greater(total, zero)
        y = If (positive) <
            then_branch = yes () => (float[N, 3] t) { t = Mul(s, b) },
            else_branch = no () => (float[N, 3] e) { h = Neg(s)  e = Add(h, b) }
        >
    }
"""


def test_subgraphs_take_what_is_outside_along_and_are_trained(tmp_path):
    network = parsed(BRANCHES)
    layer = layers.ONNXModel(network, name="net")
    model = keras.Sequential([layers.Rescaling(2.0), layer])
    model.build((None, 3))
    model.export(tmp_path / "m.onnx")
    for x in (np.ones((2, 3), np.float32), -np.ones((2, 3), np.float32)):
        (expected,) = plain(network, 2 * x)
        np.testing.assert_allclose(layer(2 * x), expected, rtol=1e-6)
        np.testing.assert_allclose(plain(str(tmp_path / "m.onnx"), x)[0], expected, rtol=1e-6)
    assert [v.name for v in layer.weights] == ["a", "b"]
    a, b = layer.get_weights()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(np.ones((2, 3)), np.zeros((2, 3)))
    # Of the mean of (2 a b)^2 over two equal rows of three.
    np.testing.assert_allclose(layer.get_weights()[0], a - 0.1 * 8 * a * b**2 / 3, rtol=1e-5)
    np.testing.assert_allclose(layer.get_weights()[1], b - 0.1 * 8 * b * a**2 / 3, rtol=1e-5)


def test_loop_over_a_weight_runs_inside_a_model(tmp_path):
    network = parsed(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 3] x) => (float[N, 3] y)
        <float[3] w, int64 times = {3}, bool go = {1}> {
            y = Loop (times, go, x) <
                body = step (int64 i, bool on, float[N, 3] s) => (bool still, float[N, 3] t) {
                    still = Identity(on)
                    t = Mul(s, w)
                }
            >
        }
        """
    )
    layer = layers.ONNXModel(network)
    x = noise(2, 3)
    np.testing.assert_allclose(layer(x), x * layer.get_weights()[0] ** 3, rtol=1e-5)
    keras.Sequential([layer, layers.Rescaling(2.0)]).export(tmp_path / "m.onnx")
    np.testing.assert_allclose(plain(str(tmp_path / "m.onnx"), x)[0], 2 * layer(x), rtol=1e-5)


@pytest.mark.parametrize("kind", ["float16", "double"])
def test_other_dtypes_are_kept(kind):
    network = onnx.parser.parse_model(
        f"""
        <ir_version: 8, opset_import: ["": 13]>
        net ({kind}[N, 3] x) => ({kind}[N, 3] y) <{kind}[3] w = {{1, 2, 3}}> {{ y = Mul(x, w) }}
        """
    )
    layer = layers.ONNXModel(network)
    name = {"double": "float64"}.get(kind, kind)
    assert (layer.dtype, layer.weights[0].dtype, layer(noise(2, 3)).dtype) == (name, name, name)


def test_names_with_slashes_survive_saving(tmp_path):
    network = parsed(CONV)
    for node in network.graph.node:
        node.name = f"/block/{node.op_type}"
        for names in (node.input, node.output):
            names[:] = [f"/t/{name}" for name in names]
    for values in (network.graph.initializer, network.graph.input, network.graph.output):
        for value in values:
            value.name = f"/t/{value.name}"
    onnx.save(network, tmp_path / "net.onnx")
    model = keras.load_model(tmp_path / "net.onnx")
    assert model.weights[0].path == "onnx_model/t/kernel"
    assert model.inputs[0].name == "t_image"
    names = [node.name for node in model.to_onnx().graph.node]
    assert names[:3] == [
        *("onnx_model/block/Conv", "onnx_model/block/BatchNormalization", "onnx_model/block/Clip")
    ]
    x = noise(2, 2, 6, 6)
    model.save(tmp_path / "saved.onnx")
    again = keras.load_model(tmp_path / "saved.onnx")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_sizes_that_are_free_in_the_file_follow_the_data():
    network = parsed(
        """
        <ir_version: 8, opset_import: ["": 13]>
        net (float[N, 2, h, w] x) => (float[N, 4, a, b] y) <float[4, 2, 3, 3] k> { y = Conv(x, k) }
        """
    )
    layer = layers.ONNXModel(network)
    assert layer(keras.Input((2, None, None))).shape == (None, 4, None, None)
    assert layer(keras.Input((2, 8, 9))).shape == (None, 4, 6, 7)
    assert layer(noise(3, 2, 5, 5)).shape == (3, 4, 3, 3)


def test_operator_without_inference_is_named_where_its_rank_or_type_is_needed(tmp_path):
    network = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
        net (float[N, C, 3] x) => (y) <float[3] w = {1, 2, 3}> {
            s = Mul(x, w)
            g = com.microsoft.Trilu(s)
            y = Relu(g)
        }
        """
    )
    network.graph.node[1].name = "gate"
    path = tmp_path / "net.onnx"
    onnx.save(network, path)
    layer = layers.ONNXModel(path, name="net")
    with pytest.raises(ValueError) as error:
        keras.Sequential([keras.Input((None, 3)), layer, layers.Dense(2)])
    text = str(error.value)
    assert text.startswith(f"Layer 'net' ({path}): the number of axes of its output 'y' is not")
    assert "operator Trilu (domain 'com.microsoft'), node 'gate'" in text
    assert "`Input` fixed sizes" in text
    assert "(`outputs=`)" in text
    x = noise(2, 4, 3)
    np.testing.assert_allclose(layer(x), plain(network, x)[0], rtol=1e-5)
    model = keras.Sequential([keras.Input((4, 3)), layer])  # here rank and type are measured
    assert (model.outputs[0].shape, model.outputs[0].dtype) == ((None, 4, 3), "float32")


def test_input_without_a_dtype_is_refused_by_name(tmp_path):
    network = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["": 17]>
        net (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }
        """
    )
    network.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UNDEFINED
    path = tmp_path / "net.onnx"
    onnx.save(network, path)
    for read in (layers.ONNXModel, keras.load_model):
        with pytest.raises(ValueError, match=r"(?s)net\.onnx.*") as error:
            read(path)
        assert "'x'" in str(error.value)
