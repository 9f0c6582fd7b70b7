"""Operator sets below 7 are imported with the meaning that their own text gives them.

ONNX Runtime runs no such file right, so the definition is written in NumPy here. Sizes are chosen
so that aligning from the last axis would give another value without an error.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError
from seqonnx.graph.serde import to_proto
from seqonnx.importers.onnx.importing import import_graph
from support.importers.networks import plain

RNG = np.random.default_rng(3)
SETS = (1, 5, 6)


def node_of(
    version: int,
    op_type: str,
    x: np.ndarray,
    baked: list[np.ndarray],
    outputs: tuple[str, ...] = ("y",),
    shown: tuple[str, ...] = ("y",),
    **attributes: Any,
) -> onnx.ModelProto:
    """A file with one node that reads `x` and arrays that the file holds."""
    names = [f"b{i}" for i in range(len(baked))]
    node = helper.make_node(op_type, ["x", *names], outputs, "node", **attributes)
    batch: list[Any] = ["N", *x.shape[1:]]
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    made = TensorProto.BOOL if op_type in COMPARISONS | LOGIC else kind
    graph = helper.make_graph(
        [node],
        "old",
        [helper.make_tensor_value_info("x", kind, batch)],
        [helper.make_tensor_value_info(name, made, None) for name in shown],
        [numpy_helper.from_array(a, n) for a, n in zip(baked, names, strict=True)],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=3)
    proto.graph.input.extend(
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for a, n in zip(baked, names, strict=True)
    )
    return proto


def computed(proto: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return plain(to_proto(import_graph(proto)), x)[0]


ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
ARITHMETIC["Pow"] = np.power
COMPARISONS = {"Less": np.less, "Greater": np.greater, "Equal": np.equal}.keys()
LOGIC = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}.keys()
FUNCTIONS = {
    **ARITHMETIC,
    **{"Less": np.less, "Greater": np.greater, "Equal": np.equal},
    **{"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor},
}


def operand(op_type: str, shape: tuple[int, ...]) -> np.ndarray:
    if op_type in LOGIC:
        return RNG.integers(0, 2, shape).astype(bool)
    if op_type == "Equal":
        return RNG.integers(0, 3, shape).astype(np.int32)
    return RNG.uniform(0.5, 2, shape).astype(np.float32)


@pytest.mark.parametrize("version", SETS)
@pytest.mark.parametrize("op_type", FUNCTIONS)
def test_second_input_lies_at_the_axis_that_the_file_says(op_type, version):
    for shape, small, axis, spread in [
        ((2, 3, 3), (3,), 1, (3, 1)),
        ((2, 3, 3, 3), (3, 3), 1, (3, 3, 1)),
        ((2, 3, 3, 3), (3, 3), -3, (3, 3, 1)),
        ((3, 3), (3,), 0, (3, 1)),
        ((2, 3, 3), (3, 3), 1, (3, 3)),
        ((2, 3, 3), (3,), None, (3,)),
        ((2, 3, 3), (1,), 1, (1,)),
    ]:
        x, b = operand(op_type, shape), operand(op_type, small)
        at = {} if axis is None else {"axis": axis}
        made = computed(node_of(version, op_type, x, [b], broadcast=1, **at), x)
        np.testing.assert_allclose(made, FUNCTIONS[op_type](x, b.reshape(spread)), rtol=1e-5)


@pytest.mark.parametrize("version", SETS)
def test_prelu_has_a_slope_for_each_channel(version):
    for shape in [(2, 3), (2, 3, 3), (2, 3, 3, 3), (2, 3, 4, 5)]:
        x = RNG.normal(size=shape).astype(np.float32)
        for slope in (np.array([0.1, 0.5, 2], np.float32), np.array([0.3], np.float32)):
            each = slope.reshape(-1, *[1] * (len(shape) - 2))
            made = computed(node_of(version, "PRelu", x, [slope]), x)
            np.testing.assert_allclose(made, np.where(x < 0, x * each, x), rtol=1e-6)


def test_prelu_behind_operators_of_the_oldest_set_has_a_slope_for_each_channel():
    """Nothing of set 1 has shape inference."""
    x, slope = RNG.normal(size=(2, 3, 3)).astype(np.float32), np.array([0.1, 0.5, 2], np.float32)
    proto = node_of(1, "PRelu", x, [slope])
    proto.graph.node[0].input[0] = "added"
    before = [
        helper.make_node("Neg", ["x"], ["negative"]),
        helper.make_node("Less", ["x", "b0"], ["less"], broadcast=1, axis=1),
        helper.make_node("Add", ["negative", "b0"], ["added"], broadcast=1, axis=1),
    ]
    nodes = [*before, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    added = -x + slope[:, None]
    expected = np.where(added < 0, added * slope[:, None], added)
    np.testing.assert_allclose(computed(proto, x), expected, rtol=1e-5)


@pytest.mark.parametrize("version", SETS)
def test_operators_behind_a_broadcast_and_bodies_of_if_are_converted(version):
    """Softmax is one over all axes from the second on, as before set 13; that takes the shape."""
    x, b = RNG.normal(size=(2, 3, 3)).astype(np.float32), np.array([0.1, 0.5, 2], np.float32)
    proto = node_of(version, "Softmax", x, [b])
    nodes = [
        helper.make_node("Add", ["x", "b0"], ["added"], broadcast=1, axis=1),
        helper.make_node("PRelu", ["added", "b0"], ["bent"]),
        helper.make_node("Softmax", ["bent"], ["soft"], axis=1),
    ]
    value = helper.make_tensor_value_info("soft", TensorProto.FLOAT, ["N", 3, 3])
    body = helper.make_graph(nodes, "body", [], [value])
    other = onnx.GraphProto()
    other.CopyFrom(body)
    for node in other.node:
        node.output[0] = f"{node.output[0]}2"
        node.input[0] = node.input[0] if node.input[0] == "x" else f"{node.input[0]}2"
    other.output[0].name = "soft2"
    yes = numpy_helper.from_array(np.array(True), "yes")
    proto.graph.node[0].CopyFrom(helper.make_node("Constant", [], ["yes"], value=yes))
    proto.graph.node.append(
        helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=other)
    )
    added = x.astype(np.float64) + b[:, None]
    powers = np.exp(np.where(added < 0, added * b[:, None], added)).reshape(2, -1)
    expected = (powers / powers.sum(1, keepdims=True)).reshape(x.shape)
    np.testing.assert_allclose(computed(proto, x), expected, rtol=1e-5)


def test_slope_for_each_channel_is_trained_as_it_is_in_the_file():
    x = -np.ones((2, 3, 3), np.float32)
    layer = layers.ONNXModel(node_of(6, "PRelu", x, [np.array([1, 2, 3], np.float32)]))
    assert [v.shape for v in layer.trainable_weights] == [(3,)]
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(1.0), keras.losses.MeanSquaredError("sum_over_batch_size"))
    model.fit(x, np.broadcast_to([[-1.0], [-2.0], [0.0]], (2, 3, 3)), batch_size=2, verbose=0)
    # The derivative of the mean of (-slope - y)^2 over 18 numbers, of which 6 see a slope.
    slopes = layer.trainable_weights[0].numpy()
    np.testing.assert_allclose(slopes, [1, 2, 3 - 2 * 3 * 6 / 18], rtol=1e-6)


def test_an_axis_that_does_not_fit_and_an_unknown_number_of_axes_are_named():
    x, b = np.ones((2, 3, 3), np.float32), np.ones((3, 3), np.float32)
    with pytest.raises(ModelFileError, match=r"'node' \(Add\) puts the 2 axes .* at axis 2 of"):
        import_graph(node_of(6, "Add", x, [b], broadcast=1, axis=2))
    proto = node_of(6, "PRelu", x, [b[0]])
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelFileError, match=r"'node' \(PRelu\) .* unknown. Declare their shapes"):
        import_graph(proto)


STATISTICS = [np.array(row, np.float32) for row in ([1, 2, 3], [0, 1, -1], [0.5, 0, -0.5])]
STATISTICS.append(np.array([1, 4, 0.25], np.float32))
BATCHES = "exported in training mode: 1 BatchNormalization, the first 'node'"
ALL_FIVE = ("y", "m", "v", "sm", "sv")
TRAINED = [
    *((version, {}, ("y",)) for version in SETS),
    *((version, {"is_test": 0}, ("y",)) for version in SETS),
    *((version, {}, ALL_FIVE) for version in (1, 6, 7, 9, 13)),
    (9, {}, ("y", "m", "v")),
    (9, {}, ("y", "", "", "sm", "sv")),
]


def spread(row: np.ndarray) -> np.ndarray:
    return row.astype(np.float64).reshape(3, 1)


def normalized(x: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    made = (x - spread(mean)) / np.sqrt(spread(variance) + 1e-5)
    return made * spread(STATISTICS[0]) + spread(STATISTICS[1])


@pytest.mark.parametrize(("version", "attributes", "outputs"), TRAINED)
def test_training_mode_of_old_sets_takes_the_statistics_of_the_batch(version, attributes, outputs):
    x = RNG.normal(2, 3, (4, 3, 5)).astype(np.float32)
    proto = node_of(version, "BatchNormalization", x, STATISTICS, outputs, momentum=0.75)
    proto.graph.node[0].attribute.extend(helper.make_attribute(*a) for a in attributes.items())
    mean, variance = x.astype(np.float64).mean((0, 2)), x.astype(np.float64).var((0, 2))
    with pytest.warns(UserWarning, match=BATCHES):
        layer = layers.ONNXModel(proto)
    model = keras.Sequential([layer])
    np.testing.assert_allclose(
        model.predict(x, verbose=0), normalized(x, mean, variance), atol=1e-4
    )
    moved = {v.name: v for v in layer.non_trainable_weights}
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, x, batch_size=4, verbose=0)
    expected = 0.75 * STATISTICS[2] + 0.25 * mean
    np.testing.assert_allclose(moved["b2"].numpy(), expected, rtol=1e-4, atol=1e-5)
    as_meant = layers.ONNXModel(proto, batch_norm="inference")
    np.testing.assert_allclose(as_meant(x), normalized(x, *STATISTICS[2:]), atol=1e-4)


@pytest.mark.parametrize(
    ("version", "attributes", "outputs"),
    [
        *((version, {"is_test": 1}, ("y",)) for version in SETS),
        (6, {"is_test": 1}, ALL_FIVE),
        (7, {}, ("y",)),
        (9, {}, ("y", "", "")),
        (15, {"training_mode": 0}, ("y", "m", "v")),
    ],
)
def test_inference_mode_of_old_sets_takes_what_the_file_holds(version, attributes, outputs):
    x = RNG.normal(2, 3, (4, 3, 5)).astype(np.float32)
    proto = node_of(version, "BatchNormalization", x, STATISTICS, outputs, **attributes)
    made = layers.ONNXModel(proto)(x)
    np.testing.assert_allclose(made, normalized(x, *STATISTICS[2:]), atol=1e-4)


@pytest.mark.parametrize(
    ("version", "attributes", "shown", "message"),
    [
        (6, {"is_test": 1, "spatial": 0}, (), r"normalizes each place by itself .* Flatten before"),
        (8, {"spatial": 0}, (), r"normalizes each place by itself .* Flatten before"),
        (9, {}, ("sm",), r"in training mode has 3 outputs there, and \['sm'\] are read"),
        (
            6,
            {"is_test": 1},
            ("v",),
            r"in inference mode has 1 outputs? there, and \['v'\] are read",
        ),
        (15, {"training_mode": 0}, ("m",), r"in inference mode has 1 output"),
        (23, {"training_mode": 0}, ("m",), r"in inference mode has 1 output"),
    ],
)
def test_modes_that_no_later_set_has_are_refused_with_the_remedy(
    version, attributes, shown, message
):
    x = np.ones((4, 3, 5), np.float32)
    outputs = ALL_FIVE[: 3 if version > 13 else 5]
    proto = node_of(
        version, "BatchNormalization", x, STATISTICS, outputs, ("y", *shown), **attributes
    )
    with pytest.raises(ModelFileError, match=r"'node' \(BatchNormalization\) " + message):
        import_graph(proto)


@pytest.mark.parametrize("version", SETS)
def test_dropout_of_old_sets_drops_only_where_the_file_says_so(version):
    x = np.ones((50, 20), np.float32)
    for ratio in (0.5, 0.25):
        with pytest.warns(UserWarning, match="1 Dropout, the first 'node', drop at random"):
            layer = layers.ONNXModel(node_of(version, "Dropout", x, [], is_test=0, ratio=ratio))
        made = np.asarray(layer(x))
        assert abs((made == 0).mean() - ratio) < 0.1
        np.testing.assert_allclose(made[made != 0], 1 / (1 - ratio), rtol=1e-6)
    for attributes in ({"is_test": 1}, {}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            layer = layers.ONNXModel(node_of(version, "Dropout", x, [], **attributes))
        assert (np.asarray(layer(x)) == 1).all()
