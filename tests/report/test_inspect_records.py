"""Records that `collect` reads from files: parameters, shapes, layers, memory, external data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

import seqonnx
from seqonnx import layers
from seqonnx.report.collect import UNREAD, collect
from seqonnx.report.memory import peak_activation_bytes
from seqonnx.report.reshapes import missing_dim

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "onnx" / "mnist.onnx"
NETS = sorted(LIGHT.glob("*.onnx"))


def zeros(name, *shape, dtype=np.float32):
    """An initializer."""
    return numpy_helper.from_array(np.zeros(shape, dtype), name)


def value(name, shape, dtype=TensorProto.FLOAT):
    """A typed value."""
    return helper.make_tensor_value_info(name, dtype, shape)


def save(path, nodes, inputs, outputs, weights=(), opset=21, metadata=None, **fields):
    """Save a model made of these parts; return the path."""
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, **fields)
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def bottleneck_macs(stride_on_3x3=True):
    """MACs of ResNet-50 at 224x224 from the table of the paper (He et al., 2015)."""
    total = 112 * 112 * 64 * 3 * 49
    channels, side = 64, 56
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = stride if block == 0 else 1
            out = side // step
            first = side if stride_on_3x3 else out
            total += first * first * channels * width
            total += out * out * 9 * width * width + out * out * width * 4 * width
            if block == 0:
                total += out * out * channels * 4 * width
            channels, side = 4 * width, out
    return total + 2048 * 1000


def vgg19_macs():
    """MACs of VGG-19 at 224x224 from the table of the paper (Simonyan and Zisserman, 2014)."""
    total, channels, side = 0, 3, 224
    for width, depth in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(depth):
            total += side * side * 9 * channels * width
            channels = width
        side //= 2
    return total + 512 * 7 * 7 * 4096 + 4096 * 4096 + 4096 * 1000


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_rows_of_real_nets_add_up_to_the_totals(path):
    report = collect(path)
    totals = report.totals
    assert sum(row.params for row in report.rows) == totals.params
    assert sum(row.weight_bytes for row in report.rows) == totals.weight_bytes
    assert sum(row.macs_at for row in report.rows) == totals.macs_at > 10**8
    assert sum(report.op_counts.values()) == totals.nodes == len(onnx.load(path).graph.node)
    assert totals.complete
    assert report.notes == ()
    assert None not in {row.output_shape for row in report.rows if row.op_type == "Conv"}


@pytest.mark.skipif(not NETS, reason="the onnx package has no light models")
def test_resnet_50_and_vgg_19_have_the_macs_of_their_papers():
    assert bottleneck_macs() == 4_089_184_256
    assert collect(LIGHT / "light_resnet50.onnx").totals.macs_at == bottleneck_macs()
    assert collect(LIGHT / "light_vgg19.onnx").totals.macs_at == vgg19_macs()


def with_stored_weights(path):
    """Turn the made-up weights of a light net into tensors of a data file that is not there."""
    model = onnx.load(path)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        dims = [int(dim) for dim in shapes[node.input[0]]]
        tensor = TensorProto(name=node.output[0], dims=dims, data_type=TensorProto.FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
        model.graph.initializer.append(tensor)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


@pytest.mark.skipif(not NETS, reason="the onnx package has no light models")
def test_external_data_is_counted_without_being_there(tmp_path):
    path = tmp_path / "resnet50.onnx"
    model = with_stored_weights(LIGHT / "light_resnet50.onnx")
    onnx.save(model, path)
    report = collect(path)
    trained = sum(row.params for row in report.rows if row.name != UNREAD)
    # 25,557,032 trainable numbers (torchvision's ResNet-50) and 2 * 26,560 moving statistics.
    assert trained == 25_557_032 + 2 * 26_560
    external = [t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    assert report.external_bytes == 4 * sum(int(np.prod(t.dims)) for t in external) > 10**8
    assert report.file_bytes < 200_000
    assert report.notes == ("External data file 'weights.bin' is missing.",)
    (tmp_path / "weights.bin").write_bytes(bytes(1000))
    assert "truncated: 1,000 of " in collect(path).notes[0]


@pytest.mark.skipif(not MNIST.exists(), reason="shared data is not here")
def test_model_of_another_producer_is_read():
    report = collect(MNIST)
    assert report.producer == "CNTK 2.5.1"
    assert (report.ir_version, report.opsets) == (3, {"ai.onnx": 8})
    assert [(t.name, t.dtype, t.shape) for t in report.inputs] == [
        ("Input3", "float32", (1, 1, 28, 28))
    ]
    assert report.outputs[0].shape == (1, 10)
    # convolutions 5x5x1x8 and 5x5x8x16 with biases, a 256x10 matrix with biases
    assert report.totals.params == (200 + 8) + (3200 + 16) + (2560 + 10)
    assert report.totals.macs_at == 28 * 28 * 8 * 25 + 14 * 14 * 16 * 25 * 8 + 256 * 10
    assert report.totals.weight_bytes == 4 * report.totals.params
    assert not report.grouped


def test_shared_weight_counts_once_and_settings_do_not_count(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "first"),
        helper.make_node("MatMul", ["a", "w"], ["b"], "second"),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("Mul", ["c", "scalar"], ["d"]),
        helper.make_node("Constant", [], ["k"], value=zeros("", 4)),
        helper.make_node("Add", ["d", "k"], ["e"], "add"),
        helper.make_node("Constant", [], ["k2"], value_floats=[1.0, 2.0, 3.0, 4.0]),
        helper.make_node("Constant", [], ["k3"], value_float=1.0),
        helper.make_node("Add", ["e", "k2"], ["f"], "add2"),
        helper.make_node("Add", ["f", "k3"], ["y"]),
    ]
    weights = [
        zeros("w", 4, 4),
        numpy_helper.from_array(np.array([2, 4]), "shape"),
        zeros("scalar"),
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [2, 4])], [value("y", [2, 4])], weights)
    report = collect(path)
    by_name = {row.name: row for row in report.rows}
    assert (by_name["first"].params, by_name["second"].params) == (16, 0)
    assert (by_name["add"].params, by_name["add2"].params) == (4, 4)
    assert report.totals.params == 24
    assert report.totals.weight_bytes == 96
    assert by_name["c"].op_type == "Reshape"  # a node without a name goes by its first output


def test_quantised_weights_count_and_scales_do_not(tmp_path):
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["wf"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "bias_scale"], ["bf"], axis=0),
        helper.make_node("Gemm", ["x", "wf", "bf"], ["y"]),
    ]
    weights = [
        zeros("w", 4, 3, dtype=np.int8),
        zeros("scale", 4),
        zeros("zero", 4, dtype=np.int8),
        zeros("b", 3, dtype=np.int32),
        zeros("bias_scale", 3),
    ]
    path = save(tmp_path / "q.onnx", nodes, [value("x", [2, 4])], [value("y", [2, 3])], weights)
    report = collect(path)
    assert report.totals.params == 12 + 3
    assert report.totals.weight_bytes == 12 + 3 * 4


def test_four_bit_weights_take_half_a_byte(tmp_path):
    tensor = helper.make_tensor("w", TensorProto.INT4, [5, 3], bytes(8), raw=True)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["wf"]),
        helper.make_node("MatMul", ["x", "wf"], ["y"]),
    ]
    path = save(
        tmp_path / "q.onnx", nodes, [value("x", [2, 5])], [value("y", None)], [tensor, zeros("s")]
    )
    totals = collect(path).totals
    assert (totals.params, totals.weight_bytes) == (15, 8)


def test_sparse_weight_counts_what_it_stores_and_has_the_shape_that_it_says(tmp_path):
    kernel = helper.make_sparse_tensor(
        numpy_helper.from_array(np.ones(3, np.float32), "w"),
        numpy_helper.from_array(np.array([0, 5, 7])),
        [4, 2],
    )
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], "fc")]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [3, 4])], [value("y", [3, 2])])
    model = onnx.load(path)
    model.graph.sparse_initializer.append(kernel)
    onnx.save(model, path)
    totals = collect(path).totals
    assert (totals.params, totals.weight_bytes) == (3, 3 * 4 + 3 * 8)
    assert totals.macs_at == 3 * 4 * 2
    assert totals.peak_activation_bytes == 48 + 24


def test_sparse_tensor_is_not_taken_for_its_few_values_where_a_shape_is_read(tmp_path):
    to = helper.make_sparse_tensor(
        numpy_helper.from_array(np.array([6]), "to"), numpy_helper.from_array(np.array([1])), [3]
    )
    nodes = [
        helper.make_node("Constant", [], ["to"], sparse_value=to),
        helper.make_node("Add", ["to", "one"], ["sum"]),  # (1, 7, 1), not (7,)
        helper.make_node("Reshape", ["x", "sum"], ["y"]),
    ]
    one = numpy_helper.from_array(np.array([1]), "one")
    path = save(tmp_path / "m.onnx", nodes, [value("x", [7])], [value("y", None)], [one])
    assert collect(path).outputs[0].shape == (None, None, None)


def test_texts_in_constants_are_stored_and_take_no_memory_of_activations(tmp_path):
    nodes = [
        helper.make_node("Constant", [], ["t"], value_strings=["a", "b"]),
        helper.make_node("Constant", [], ["s"], value_string="c"),
    ]
    path = save(tmp_path / "m.onnx", nodes, [], [value("t", [2], TensorProto.STRING)])
    totals = collect(path).totals
    assert (totals.params, totals.peak_activation_bytes) == (0, 0)


def test_weight_that_no_node_reads_has_its_own_row(tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"])
    path = save(
        tmp_path / "m.onnx", [node], [value("x", [2])], [value("y", [2])], [zeros("lost", 7)]
    )
    report = collect(path)
    assert [(row.name, row.params) for row in report.rows] == [("y", 0), (UNREAD, 7)]
    assert report.totals.params == 7


def test_dynamic_dimensions_go_by_name_and_take_the_given_size(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], "conv"),
        helper.make_node("Reshape", ["c", "to"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w"], ["y"], "fc"),
    ]
    weights = [
        zeros("k", 8, 3, 3, 3),
        numpy_helper.from_array(np.array([-1, 800]), "to"),
        zeros("w", 800, 10),
    ]
    path = save(
        tmp_path / "m.onnx",
        nodes,
        [value("x", ["batch", 3, 12, 12])],
        [value("y", None)],
        weights,
    )
    report = collect(path)
    per_image = 8 * 10 * 10 * 27 + 8000
    assert report.inputs[0].shape == ("batch", 3, 12, 12)
    assert report.outputs[0].shape == ("batch", 10)
    assert report.sizes == {"batch": 1}
    assert str(report.totals.macs) == f"{per_image:,} * batch"
    assert report.totals.macs_at == per_image
    assert collect(path, {"x": (32, 3, 12, 12)}).totals.macs_at == 32 * per_image


def test_dimension_without_a_name_is_called_after_its_input(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save(
        tmp_path / "m.onnx",
        [node],
        [value("x", [None, 4])],
        [value("y", None)],
        [zeros("w", 4, 2)],
    )
    report = collect(path, {"x": (3, 4)})
    assert report.inputs[0].shape == ("x[0]", 4)
    assert str(report.totals.macs) == "8 * x[0]"
    assert report.totals.macs_at == 24


def test_size_that_no_plain_name_expresses_is_known_at_given_shapes_only(tmp_path):
    node = helper.make_node("Conv", ["x", "k"], ["y"], strides=[2, 2])
    path = save(
        tmp_path / "m.onnx",
        [node],
        [value("x", ["N", 3, "H", "W"])],
        [value("y", None)],
        [zeros("k", 8, 3, 3, 3)],
    )
    report = collect(path, {"x": (2, 3, 33, 17)})
    assert report.outputs[0].shape == ("N", 8, None, None)
    assert report.totals.macs is None
    assert report.totals.macs_at == 2 * 8 * 16 * 8 * 27
    assert report.totals.complete
    default = collect(path)
    assert default.totals.macs_at == 0
    assert "Some values are empty at these sizes" in default.notes[0]


def test_arithmetic_on_shapes_is_followed_where_it_is_constant(tmp_path):
    constant = {
        name: numpy_helper.from_array(np.array(array, np.int64), name)
        for name, array in {"two": 2, "five": 5, "one": [1], "axes": [0], "rest": [-1]}.items()
    }
    nodes = [
        helper.make_node("Mod", ["five", "two"], ["m"], fmod=0),  # 1: inference does not know Mod
        helper.make_node("Unsqueeze", ["m", "axes"], ["start"]),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Slice", ["s", "start", "rest"], ["middle"]),  # [3]
        helper.make_node("Concat", ["rest", "middle"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"], "fc"),
    ]
    path = save(
        tmp_path / "m.onnx",
        nodes,
        [value("x", ["N", 3, 4])],
        [value("y", None)],
        [*constant.values(), zeros("w", 3, 7)],
    )
    report = collect(path)
    assert report.outputs[0].shape == ("4*N", 7)
    assert str(report.totals.macs) == "84 * N"
    assert report.rows[0].op_type == "Mod"
    assert collect(path, {"x": (5, 3, 4)}).totals.macs_at == 420


def test_input_of_unknown_rank_takes_the_given_shape(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save(
        tmp_path / "m.onnx", [node], [value("x", None)], [value("y", None)], [zeros("w", 4, 2)]
    )
    assert collect(path).not_counted == {"MatMul": 1}
    assert collect(path, {"x": (5, 4)}).totals.macs_at == 40


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"z": (1,)}, r"The model has no input 'z'. Its inputs are: x, s."),
        ({"x": (1,)}, r"Input 'x' has 2 dimensions N,4. Received: 1"),
        ({"x": (1, 5)}, r"Input 'x' has shape N,4, and dimension 1 is 4. Received: 1,5"),
        ({"x": (1, 4), "s": (2,)}, r"Input 's' has shape N, and dimension 0 is 1. Received: 2"),
    ],
)
def test_shape_that_does_not_fit_is_refused(shapes, message, tmp_path):
    node = helper.make_node("MatMul", ["s", "x"], ["y"])
    path = save(
        tmp_path / "m.onnx",
        [node],
        [value("x", ["N", 4]), value("s", ["N"])],
        [value("y", None)],
    )
    with pytest.raises(ValueError, match=message):
        collect(path, shapes)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (("batch", 13, 13, 32), (None, 5408), "batch"),
        (("batch", 6), (3, None, "batch"), 2),
        (("batch", 6), (None, 2), "3*batch"),
        (("batch", "time", 8), (None, 8), "batch*time"),
        (("4*batch", 6), (None, 12), "2*batch"),
        (("batch", None), (None, 8), None),
        (("batch", 6), (None, 4), None),
        (("batch", 0), (None, 4), None),
        ((4, 6), (24,), None),
    ],
)
def test_reshape_is_solved_only_where_the_quotient_is_exact(source, target, expected):
    assert missing_dim(source, target) == expected


@pytest.mark.parametrize(
    ("imported", "missing", "counted"), [(True, {"MatMul": 1}, 32), (False, {"MatMul": 2}, None)]
)
def test_report_goes_on_where_shape_inference_fails(imported, missing, counted, tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Unheard", ["a"], ["b"], domain="some.vendor"),
        helper.make_node("MatMul", ["b", "w"], ["y"]),
    ]
    path = save(
        tmp_path / "m.onnx", nodes, [value("x", [2, 4])], [value("y", None)], [zeros("w", 4, 4)]
    )
    if imported:  # without, inference gives up on the whole file
        model = onnx.load(path)
        model.opset_import.add(domain="some.vendor", version=1)
        onnx.save(model, path)
    report = collect(path)
    assert report.totals.params == 16
    assert report.not_counted == {"some.vendor.Unheard": 1} | missing
    assert report.totals.macs_at == counted
    assert len(report.notes) == (0 if imported else 1)
    assert all(note.startswith("Shape inference failed") for note in report.notes)


def test_file_of_a_future_operator_set_is_described(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save(
        tmp_path / "m.onnx",
        [node],
        [value("x", [2, 4])],
        [value("y", [2, 4])],
        [zeros("w", 4, 4)],
        opset=999,
    )
    report = collect(path)
    assert report.opsets == {"ai.onnx": 999}
    assert report.totals.macs_at == 32


LAYERS = [
    {"name": "conv2d", "class_name": "Conv2D", "trainable": True, "output_shape": [None, 6, 6, 8]},
    {"name": "batch_normalization", "class_name": "BatchNormalization", "trainable": False,
     "output_shape": [None, 6, 6, 8]},
    {"name": "flatten", "class_name": "Flatten", "trainable": True},
    {"name": "head", "class_name": "Sequential", "trainable": True, "output_shape": [None, 10]},
]  # fmt: skip


def layered(path, layers=LAYERS):
    """A channels-last model that computes channels-first inside, with a nested model at its end."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], "layout/Transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "conv2d/kernel", "conv2d/bias"], ["c"], "conv2d/Conv"),
        helper.make_node("Relu", ["c"], ["r"], "conv2d/Relu"),
        helper.make_node("Transpose", ["r"], ["q"], "flatten/Transpose", perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["q", "flatten/shape"], ["f"], "flatten/Reshape"),
        helper.make_node("Mul", ["f", "gain"], ["g"], "Mul"),
        helper.make_node("MatMul", ["g", "head/dense/kernel"], ["m"], "head/dense/MatMul"),
        helper.make_node("Add", ["m", "head/dense/bias"], ["y"], "head/dense/Add"),
    ]
    weights = [
        zeros("conv2d/kernel", 8, 1, 3, 3),
        zeros("conv2d/bias", 8),
        numpy_helper.from_array(np.array([-1, 288]), "flatten/shape"),
        zeros("gain", 288),
        zeros("head/dense/kernel", 288, 10),
        zeros("head/dense/bias", 10),
    ]
    metadata = {"seqonnx.layers": layers if isinstance(layers, str) else json.dumps(layers)}
    inputs, outputs = [value("x", ["batch", 8, 8, 1])], [value("y", ["batch", 10])]
    return save(path, nodes, inputs, outputs, weights, metadata=metadata, producer_name="seqonnx")


def test_recorded_layers_group_their_nodes_in_their_order(tmp_path):
    report = collect(layered(tmp_path / "m.onnx"))
    assert report.grouped
    assert [
        (row.name, row.op_type, row.output_shape, row.params, row.macs_at, row.trainable)
        for row in report.rows
    ] == [
        ("conv2d", "Conv2D", (None, 6, 6, 8), 80, 6 * 6 * 8 * 9, True),
        ("batch_normalization", "BatchNormalization", (None, 6, 6, 8), 0, 0, False),
        ("flatten", "Flatten", ("batch", 288), 0, 0, True),
        ("head", "Sequential", (None, 10), 2890, 2880, True),
        ("Mul", "Mul", ("batch", 288), 288, 0, None),
    ]
    assert sum(row.params for row in report.rows) == report.totals.params == 80 + 288 + 2890
    assert sum(row.macs_at for row in report.rows) == report.totals.macs_at
    assert str(report.rows[0].macs) == "2,592 * batch"


def test_by_node_ungroups(tmp_path):
    report = collect(layered(tmp_path / "m.onnx"), by_node=True)
    assert not report.grouped
    assert [row.op_type for row in report.rows] == [
        "Transpose", "Conv", "Relu", "Transpose", "Reshape", "Mul", "MatMul", "Add",
    ]  # fmt: skip
    assert report.rows[1].output_shape == ("batch", 8, 6, 6)


@pytest.mark.parametrize("record", ["{", "[1]", '[{"name": "a"}]', '"text"', "3"])
def test_broken_layer_record_is_noted_and_nodes_are_shown(record, tmp_path):
    report = collect(layered(tmp_path / "m.onnx", layers=record))
    assert not report.grouped
    assert len(report.rows) == 8
    assert "Metadata 'seqonnx.layers' is not a list of layers" in report.notes[0]


def test_peak_memory_is_the_largest_sum_of_values_alive(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),  # x and a: 400 + 400
        helper.make_node("Concat", ["a", "a"], ["b"], axis=0),  # a and b: 400 + 800
        helper.make_node(
            "Add", ["b", "k"], ["c"]
        ),  # b and c: 800 + 800; the weight is no activation
        helper.make_node("ReduceSum", ["c"], ["y"], keepdims=0),  # c and y: 800 + 4
    ]
    path = save(
        tmp_path / "m.onnx", nodes, [value("x", [100])], [value("y", [])], [zeros("k", 200)]
    )
    assert collect(path).totals.peak_activation_bytes == 1600


def test_value_read_late_stays_alive(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Concat", ["a", "a"], ["b"], axis=0),
        helper.make_node("ReduceMax", ["b"], ["c"], keepdims=1),
        helper.make_node("Add", ["c", "x"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [100])], [value("y", [100])])
    assert collect(path).totals.peak_activation_bytes == 400 + 400 + 800


def test_peak_memory_is_unknown_where_a_size_is(tmp_path):
    nodes = [
        helper.make_node("NonZero", ["x"], ["a"]),
        helper.make_node("Cast", ["a"], ["y"], to=1),
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [100])], [value("y", None)])
    assert collect(path).totals.peak_activation_bytes is None
    assert peak_activation_bytes([], [], []) == 0


def test_sequences_and_optionals_have_a_type_and_no_shape(tmp_path):
    text = """
    <ir_version: 10, opset_import: ["": 21]>
    g (seq(float[N]) s, float[N] x) => (seq(float[N]) y) { y = SequenceInsert(s, x) }
    """
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    report = collect(path)
    assert (report.inputs[0].dtype, report.inputs[0].shape) == ("sequence(float32)", None)
    assert report.rows[0].dtype == "sequence(float32)"


def test_same_name_in_two_branches_is_two_weights(tmp_path):
    def branch(name, size):
        nodes = [helper.make_node("Add", ["x", "k"], ["o"], f"{name}/Add")]
        return helper.make_graph(nodes, name, [], [value("o", None)], [zeros("k", size)])

    node = helper.make_node(
        "If", ["c"], ["y"], "if", then_branch=branch("a", 1), else_branch=branch("b", 5)
    )
    path = save(
        tmp_path / "m.onnx",
        [node],
        [value("c", [], TensorProto.BOOL), value("x", [5])],
        [value("y", None)],
    )
    report = collect(path)
    assert report.totals.params == 6
    assert [row.params for row in report.rows[0].body] in ([1, 5], [5, 1])


def test_bounds_of_slice_that_are_not_known_do_not_give_a_wrong_shape(tmp_path):
    # Data propagation of onnx 1.23 takes the unknown start for 0: to = (-1, N, 3).
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Slice", ["s", "start", "rest"], ["middle"]),
        helper.make_node("Concat", ["rest", "middle"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    path = save(
        tmp_path / "m.onnx",
        nodes,
        [value("x", ["N", 3, 4]), value("start", [1], TensorProto.INT64)],
        [value("y", None)],
        [numpy_helper.from_array(np.array([-1]), "rest")],
    )
    assert collect(path).outputs[0].shape is None


@pytest.mark.parametrize("attribute", ["value", "value_ints"])
def test_constants_of_any_form_feed_shapes(attribute, tmp_path):
    content = {
        "value": numpy_helper.from_array(np.array([0, -1]), "to"),
        "value_ints": [0, -1],
    }
    nodes = [
        helper.make_node("Constant", [], ["to"], **{attribute: content[attribute]}),
        helper.make_node("Reshape", ["x", "to"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    path = save(
        tmp_path / "m.onnx",
        nodes,
        [value("x", ["N", 3, 4])],
        [value("y", None)],
        [zeros("w", 12, 2)],
    )
    report = collect(path)
    assert str(report.totals.macs) == "24 * N"
    assert report.totals.params == 24


def test_exported_model_reads_like_its_summary(tmp_path):
    stack = [
        layers.Conv2D(8, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Dropout(0.5, name="drop"),
        layers.Flatten(name="flat"),
        seqonnx.Sequential([layers.Dense(16, name="fc")], name="inner"),
        layers.Dense(10, name="head"),
    ]
    model = seqonnx.Sequential([seqonnx.Input((12, 12, 1)), *stack])
    path = tmp_path / "model.onnx"
    model.export(path)
    report = collect(path)
    assert [(row.name, row.op_type, row.output_shape, row.params) for row in report.rows] == [
        ("conv", "Conv2D", (None, 10, 10, 8), 80),
        ("pool", "MaxPooling2D", (None, 5, 5, 8), 0),
        ("drop", "Dropout", (None, 5, 5, 8), 0),
        ("flat", "Flatten", (None, 200), 0),
        ("inner/fc", "Dense", (None, 16), 3216),
        ("head", "Dense", (None, 10), 170),
    ]
    assert report.totals.params == model.count_params() == 80 + 3216 + 170
    assert str(report.totals.macs) == f"{10 * 10 * 8 * 9 + 200 * 16 + 160:,} * batch"
    assert report.notes == ()


@pytest.mark.parametrize(
    ("nodes", "note"),
    [
        ([("Relu", "nobody", "y")], "Node 'y' reads 'nobody', which nothing makes."),
        (
            [("Relu", "nobody", "a"), ("Neg", "a", "b"), ("Abs", "nor this", "y")],
            "Node 'a' reads 'nobody', which nothing makes, and 1 more such reads.",
        ),
        ([("Neg", "a", "y"), ("Relu", "x", "a")], "Node 'y' reads 'a', which a later node makes."),
    ],
)
def test_what_is_read_before_it_is_there_is_noted_and_leaves_the_memory_open(nodes, note, tmp_path):
    made = [helper.make_node(op, [source], [target]) for op, source, target in nodes]
    path = save(tmp_path / "m.onnx", made, [value("x", [2])], [value("y", [2])])
    report = collect(path)
    assert note in report.notes
    assert report.totals.peak_activation_bytes is None
    assert report.totals.least_activation_bytes >= 8


def test_nodes_that_lack_inputs_and_outputs_are_described(tmp_path):
    nodes = [
        helper.make_node(op, [], [op.lower()] if op != "Neg" else [])
        for op in ("Relu", "Neg", "Shape", "Reshape", "Flatten", "Loop", "Scan", "If", "Constant")
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [2])], [])
    report = collect(path)
    assert report.not_counted == {"Loop": 1, "Scan": 1, "If": 1}
    assert report.totals.nodes == 9


def test_file_from_before_operator_sets_were_stated_is_of_the_first(tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"])
    path = save(tmp_path / "m.onnx", [node], [value("x", [3])], [value("y", None)])
    model = onnx.load(path)
    model.ir_version = 2
    del model.opset_import[:]
    onnx.save(model, path)
    report = collect(path)
    assert (report.opsets, report.notes) == ({}, ())


def test_negative_size_of_a_stored_tensor_counts_as_nothing(tmp_path):
    node = helper.make_node("Add", ["x", "w"], ["y"])
    path = save(tmp_path / "m.onnx", [node], [value("x", [3])], [value("y", [3])])
    model = onnx.load(path)
    model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[-3, 2])
    onnx.save(model, path)
    totals = collect(path).totals
    assert (totals.params, totals.weight_bytes) == (0, 0)


def test_a_folded_scalar_keeps_its_rank():
    """One size of a shape, taken by Gather, has no axes: as a vector it changes what follows."""
    from seqonnx.report.folding import fold_shapes

    model = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 18]>
        g (float[2, 3] x) => (int64 size)
        <int64 one = {1}> { shape = Shape(x)  size = Gather<axis = 0>(shape, one) }
        """
    )
    fold_shapes(model)
    constant = model.graph.node[1]
    assert constant.op_type == "Constant"
    assert onnx.numpy_helper.to_array(constant.attribute[0].t).shape == ()
