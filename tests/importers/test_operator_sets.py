"""A file of an old operator set computes the same after it was brought to the pinned one.

Every operator whose meaning changed between sets 7 and 23 is run by ONNX Runtime as the file has
it and as the import makes it. Where ONNX Runtime does not settle it, NumPy says what the standard
means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from seqonnx.autodiff import gradients
from seqonnx.errors import ModelFileError
from seqonnx.graph.serde import to_proto
from seqonnx.importers.onnx.importing import import_graph

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def integers(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


@dataclass(frozen=True)
class Case:
    """A node of some operator sets; arrays in `baked` are initializers of the file."""

    op_type: str
    sets: tuple[int, ...]
    inputs: dict[str, np.ndarray]
    attributes: dict[str, Any] = field(default_factory=dict)
    baked: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: int = 1


def model(version: int, nodes: list[onnx.NodeProto], case: Case) -> onnx.ModelProto:
    """A file with some nodes; its outputs are those of the last."""
    values = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for k, a in case.inputs.items()
    ]
    made = [onnx.ValueInfoProto(name=name) for name in nodes[-1].output]
    baked = [onnx.numpy_helper.from_array(a, k) for k, a in case.baked.items()]
    graph = helper.make_graph(nodes, "old", values, made, baked)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    known = {v.name: v for v in [*inferred.value_info, *inferred.output]}
    for value in proto.graph.output:
        value.CopyFrom(known[value.name])
    return proto


def single(version: int, case: Case) -> onnx.ModelProto:
    """A file with one node."""
    names = [*case.inputs, *case.baked]
    outputs = [f"y{i}" for i in range(case.outputs)]
    return model(version, [helper.make_node(case.op_type, names, outputs, **case.attributes)], case)


def run(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Run on ONNX Runtime's CPU provider, as it stands."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    used = {node.name for node in session.get_inputs()}
    return list(session.run(None, {k: v for k, v in feeds.items() if k in used}))


def assert_same(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> None:
    """The file computes the same before and after its import."""
    imported = to_proto(import_graph(proto))
    for made, wanted in zip(run(imported, feeds), run(proto, feeds), strict=True):
        assert made.dtype == wanted.dtype
        np.testing.assert_allclose(made, wanted, rtol=1e-4, atol=1e-5)


X3, X4, SQUARE = normal(2, 3, 4), normal(2, 4, 5, 6), normal(1, 2, 7, 7)
POSITIVE = np.abs(X4) + 0.1
STATISTICS = {"s": normal(4), "b": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.5}
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
BEFORE_AXES = (7, 11, 12, 13, 17)
"""Sets in which the axes of most reductions are an attribute."""
TWICE = np.array([[[0, 1, 2, 0]]], np.int64)
BOXES = np.array([[1, 1, 6, 5], [0.3, 2, 7, 7]], np.float32)
POINTS = RNG.uniform(-1.2, 1.2, (1, 3, 4, 2)).astype(np.float32)
NO_ROI = np.zeros(0, np.float32)

SOFTMAXES = [
    Case(f"{kind}max", (7, 9, 11, 12, 13), {"x": x}, {} if axis is None else {"axis": axis})
    for kind in ("Soft", "LogSoft", "Hard")
    for x, axis in [(X3, None), (X3, 0), (X3, 2), (X4, 1), (X4, 2)]
]
SHAPES = [
    Case("Split", (7, 11, 12), {"x": X4}, {"axis": 1, "split": [1, 3]}, outputs=2),
    Case("Split", (7, 11, 13), {"x": X4}, {"axis": 1}, outputs=2),
    Case("Split", (13, 17), {"x": X4}, {"axis": 1}, {"sizes": integers(1, 3)}, outputs=2),
    Case("Squeeze", (7, 11, 12), {"x": normal(1, 3, 1)}, {"axes": [0]}),
    Case("Squeeze", (7, 11, 13), {"x": normal(1, 3, 1)}),
    Case("Squeeze", (11, 12), {"x": normal(1, 3, 1)}, {"axes": [-1]}),
    Case("Unsqueeze", (7, 11, 12), {"x": X3}, {"axes": [0, 3]}),
    Case("Unsqueeze", (11, 12), {"x": X3}, {"axes": [4, -5]}),
    Case("Slice", (7, 9), {"x": X4}, {"starts": [1, -3], "ends": [100, -1], "axes": [1, 3]}),
    Case("Slice", (10, 11), {"x": X4}, baked={"s": integers(-1), "e": integers(-4)}),
    Case("Reshape", (7, 13, 14, 19, 21), {"x": X4}, baked={"shape": integers(0, -1)}),
    Case("Reshape", (14, 19), {"x": normal(0, 3)}, {"allowzero": 1}, {"shape": integers(3, 0)}),
    Case("Flatten", (7, 9, 11, 13), {"x": X4}, {"axis": 2}),
    *(
        Case("Pad", (7, 10), {"x": X4}, {"pads": [0, 0, -1, 2, 0, 0, 2, 1], "value": 1.5, **mode})
        for mode in ({}, {"mode": "edge", "pads": [0, 0, 1, 2, 0, 0, 2, 1]})
    ),
    Case("Pad", (11, 13, 18, 19), {"x": X4}, baked={"pads": integers(0, 0, 1, 2, 0, 0, 2, 1)}),
    Case("DepthToSpace", (7, 11, 13), {"x": normal(1, 8, 2, 3)}, {"blocksize": 2}),
    Case("Scatter", (9, 10), {"x": X3, "i": TWICE, "u": normal(1, 1, 4)}, {"axis": 1}),
    Case("ScatterElements", (11, 13, 16), {"x": X3, "i": TWICE, "u": normal(1, 1, 4)}, {"axis": 1}),
    Case("GatherND", (12, 13), {"x": X3, "i": integers(1, 0).reshape(2, 1)}, {"batch_dims": 1}),
]
NUMBERS = [
    *(
        Case(f"Reduce{kind}", BEFORE_AXES, {"x": POSITIVE}, attributes)
        for kind in REDUCTIONS
        for attributes in ({"axes": [1, 2], "keepdims": 0}, {})
    ),
    Case("ReduceSum", (7, 11, 12), {"x": X4}, {"axes": [1, 2], "keepdims": 0}),
    Case("ReduceSum", (13, 17), {"x": X4}, {"noop_with_empty_axes": 1}),
    Case("ReduceSum", (7, 11, 13), {"x": X4}),
    Case("TopK", (7, 9), {"x": X3}, {"k": 2, "axis": 1}, outputs=2),
    Case("TopK", (10,), {"x": X3}, baked={"k": integers(2)}, outputs=2),
    Case("TopK", (11,), {"x": X3}, {"largest": 0}, {"k": integers(2)}, outputs=2),
    Case("Clip", (7, 10), {"x": X3}, {"min": -0.3, "max": 0.5}),
    Case("Clip", (7, 10), {"x": X3}, {"max": 0.5}),
    Case("Clip", (11, 12), {"x": X3}, baked={"min": np.array(-0.3, np.float32)}),
    Case("Dropout", (7, 10), {"x": X3}, {"ratio": 0.7}),
    Case("Dropout", (12, 13), {"x": X3}, baked={"ratio": np.array(0.7, np.float32)}),
    Case("CumSum", (11, 14), {"x": X3}, {"exclusive": 1, "reverse": 1}, {"axis": integers(1)}),
    *(
        Case("Cast", (7, 9, 13, 19, 21), {"x": X3 * 3}, {"to": kind})
        for kind in (TensorProto.INT32, TensorProto.FLOAT16, TensorProto.BOOL)
    ),
    Case("Gemm", (7, 9, 11), {"a": normal(3, 4), "b": normal(5, 4), "c": normal(5)}, {"transB": 1}),
    Case("Gemm", (11, 13), {"a": normal(3, 4), "b": normal(4, 5)}),
    Case("Pow", (7, 12, 13, 15), {"x": np.abs(X3), "y": normal(4)}),
    Case("PRelu", (7, 9, 16), {"x": X4, "slope": normal(4, 1, 1)}),
    Case("Mod", (10, 13), {"x": X3 * 5, "y": np.abs(normal(4)) + 0.5}, {"fmod": 1}),
    Case("ArgMax", (7, 11, 12, 13), {"x": np.round(X3)}, {"axis": 1, "keepdims": 0}),
    *(
        Case(kind, (13, 19), {"x": x}, {"axis": 1}, {"s": np.array([0.05, 0.1, 0.2], np.float32)})
        for kind, x in [("QuantizeLinear", X3), ("DequantizeLinear", (X3 * 9).astype(np.int8))]
    ),
    Case("DFT", (17,), {"x": normal(2, 6, 5, 1)}, {"axis": 2, "onesided": 1}),
    Case("LayerNormalization", (17, 18), {"x": X3}, {}, {"s": normal(4), "b": normal(4)}, 3),
]
PICTURES = [
    Case("BatchNormalization", (7, 8, 9, 14, 15), {"x": X4}, {"epsilon": 1e-3}, STATISTICS),
    Case("BatchNormalization", (14, 15), {"x": X4}, {"training_mode": 1}, STATISTICS, 3),
    *(
        Case("Upsample", (7, 8), {"x": X4}, {"scales": [1.0, 1.0, 1.6, 3.0], "mode": mode})
        for mode in ("nearest", "linear")
    ),
    *(
        Case(kind, (version,), {"x": X4}, {"mode": mode}, {"s": np.array([1, 1, *s], np.float32)})
        for kind, version, scales in [
            ("Upsample", 9, [(2, 3), (1.6, 2.3)]),
            ("Resize", 10, [(2, 3), (1.6, 2.3), (0.5, 0.7), (0.6, 2.3)]),
        ]
        for s in scales
        for mode in ("nearest", "linear")
    ),
    Case("Resize", (10,), {"x": X4, "scales": np.array([1, 1, 0.6, 2.3], np.float32)}),
    *(
        Case(
            "Resize",
            (11, 13, 18, 19),
            {"x": X4},
            {"mode": mode, "coordinate_transformation_mode": places},
            {"roi": NO_ROI, "scales": np.array([1, 1, 0.6, 2.3], np.float32)},
        )
        for mode in ("nearest", "linear", "cubic")
        for places in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    ),
    *(
        Case(kind, sets, {"x": SQUARE}, {"kernel_shape": [3, 3], "strides": [2, 2], **attributes})
        for kind, sets, attributes in [
            ("AveragePool", (7, 10, 11, 19), {"pads": [1, 1, 0, 1]}),
            ("AveragePool", (7, 11, 19), {"pads": [1, 1, 0, 1], "count_include_pad": 1}),
            ("AveragePool", (10, 11, 19), {"ceil_mode": 1, "pads": [1, 1, 0, 0]}),
            ("MaxPool", (7, 8, 10, 12), {"auto_pad": "SAME_LOWER"}),
            ("MaxPool", (10, 11, 12), {"ceil_mode": 1, "dilations": [2, 2]}),
            ("LpPool", (7, 11, 18), {"p": 3, "pads": [1, 1, 0, 1]}),
        ]
    ),
    *(Case("GlobalLpPool", (7, 11, 17), {"x": SQUARE}, {"p": p}) for p in (1, 2, 3)),
    Case("MaxPool", (8, 11, 12), {"x": SQUARE}, {"kernel_shape": [2, 2]}, outputs=2),
    *(Case("GridSample", (16,), {"x": SQUARE, "g": POINTS}, {"mode": mode})
      for mode in ("bilinear", "nearest", "bicubic")),
]  # fmt: skip


def recurrent(kind: str, gates: int, **attributes: Any) -> Case:
    weights = {"w": normal(2, gates * 3, 2), "r": normal(2, gates * 3, 3)}
    attributes = {"hidden_size": 3, "direction": "bidirectional", **attributes}
    return Case(kind, (7, 14), {"x": normal(4, 3, 2)}, attributes, weights, 2)


RECURRENT = [
    recurrent("RNN", 1),
    recurrent("GRU", 3, linear_before_reset=1),
    recurrent("LSTM", 4, input_forget=1),
]
ROWS = [
    pytest.param(case, version, id=f"{case.op_type}-{version}-{i}")
    for i, case in enumerate([*SOFTMAXES, *SHAPES, *NUMBERS, *PICTURES, *RECURRENT])
    for version in case.sets
]


@pytest.mark.parametrize(("case", "version"), ROWS)
def test_conversion_keeps_what_an_operator_computes(case: Case, version: int) -> None:
    assert_same(single(version, case), case.inputs)


INSIDE = [
    Case("Hardmax", (9, 11), {"x": X3}),
    Case("Softmax", (9, 11), {"x": X3}),
    Case("ReduceSum", (9, 11), {"x": X3}, {"axes": [1]}),
    Case("Dropout", (9,), {"x": X3}, {"ratio": 0.9}),
    Case("GroupNormalization", (18, 20), {"x": X4, "s": normal(2), "b": normal(2)},
         {"num_groups": 2}),
    Case("GlobalLpPool", (9, 17), {"x": X4}),
    Case("GridSample", (16,), {"x": SQUARE, "g": POINTS}, {"mode": "bilinear"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "version"),
    [pytest.param(c, v, id=f"{c.op_type}-{v}") for c in INSIDE for v in c.sets],
)
@pytest.mark.parametrize("taken", [True, False])
def test_conversion_reaches_the_branches_of_if(case: Case, version: int, taken: bool) -> None:
    one = single(version, case).graph
    shape = one.output[0].type.tensor_type.shape
    other = helper.make_node("ConstantOfShape", ["sizes"], ["other"])
    made = onnx.ValueInfoProto(name="other", type=one.output[0].type)
    sizes = integers(*(dim.dim_value for dim in shape.dim))
    names = {"then_branch": taken, "else_branch": not taken}
    branches = {
        name: helper.make_graph(list(one.node), "this", [], list(one.output))
        if this
        else helper.make_graph([other], "other", [], [made])
        for name, this in names.items()
    }
    feeds = {**case.inputs, "taken": np.array(taken)}
    around = Case("If", (version,), feeds, baked={"sizes": sizes})
    node = helper.make_node("If", ["taken"], ["y"], **branches)
    assert_same(model(version, [node], around), feeds)


def test_hardmax_before_set_13_marks_one_of_all_behind_the_axis():
    x = np.array([[[1, 5], [7, 2]], [[9, 3], [4, 4]]], np.float32)
    imported = to_proto(import_graph(single(11, Case("Hardmax", (11,), {"x": x}))))
    (made,) = run(imported, {"x": x})
    assert made.tolist() == [[[0, 0], [1, 0]], [[1, 0], [0, 0]]]


def test_first_resize_rounds_up_where_it_shrinks():
    """The case `resize_downsample_nearest` of the standard's operator set 10."""
    x = np.array([[[[1, 2, 3, 4], [5, 6, 7, 8]]]], np.float32)
    scales = np.array([1, 1, 0.6, 0.6], np.float32)
    for case in (
        Case("Resize", (10,), {"x": x}, {"mode": "nearest"}, {"scales": scales}),
        Case("Resize", (10,), {"x": x, "scales": scales}, {"mode": "nearest"}),
    ):
        imported = to_proto(import_graph(single(10, case)))
        assert run(imported, case.inputs)[0].tolist() == [[[[1, 3]]]]


def normalized(x, scale, bias, groups, epsilon):
    """GroupNormalization by its formula; scale and bias for each group."""
    rows = x.reshape(x.shape[0], groups, -1)
    mean, variance = rows.mean(2, keepdims=True), rows.var(2, keepdims=True)
    made = (rows - mean) / np.sqrt(variance + epsilon)
    return (made * scale[:, None] + bias[:, None]).reshape(x.shape)


@pytest.mark.parametrize("version", [18, 20])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("channels", [6, "channels"])
def test_scale_and_bias_of_groups_keep_values_and_gradients(version, groups, channels):
    rng = np.random.default_rng(groups)
    arrays = {"x": rng.normal(size=(2, 6, 3, 2)), "s": rng.normal(size=groups)}
    arrays["b"] = rng.normal(size=groups)
    nodes = [
        helper.make_node(
            "GroupNormalization", ["x", "s", "b"], ["n"], num_groups=groups, epsilon=1e-2
        ),
        helper.make_node("Mul", ["n", "dy"], ["y"]),
    ]
    arrays["dy"] = rng.normal(size=(2, 6, 3, 2))
    feeds = {name: array.astype(np.float32) for name, array in arrays.items()}
    proto = model(version, nodes, Case("", (), feeds))
    if channels != 6:
        proto.graph.input[0].type.tensor_type.shape.dim[1].dim_param = channels

    def value_of(moved):
        return normalized(moved["x"], moved["s"], moved["b"], groups, 1e-2)

    (made,) = run(to_proto(import_graph(proto)), feeds)
    np.testing.assert_allclose(made, value_of(arrays) * arrays["dy"], atol=1e-5)
    found = run(gradients(proto, "y", ["x", "s", "b"]), feeds)
    for name, gradient in zip(["x", "s", "b"], found, strict=True):
        assert gradient.shape == arrays[name].shape
        direction = rng.normal(size=gradient.shape)
        ends = [value_of({**arrays, name: arrays[name] + h * direction}) for h in (1e-5, -1e-5)]
        derivative = ((ends[0] - ends[1]) / 2e-5 * arrays["dy"]).sum()
        assert abs(derivative - (gradient * direction).sum()) < 1e-4 * max(1.0, abs(derivative)), (
            name
        )


@pytest.mark.parametrize("p", [1, 2, 3])
def test_norm_over_space_where_only_a_run_knows_the_number_of_axes(p):
    feeds = {"x": np.abs(SQUARE).reshape(-1), "shape": integers(1, 2, 7, 7)}
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["folded"]),
        helper.make_node("GlobalLpPool", ["folded"], ["y"], p=p),
    ]
    proto = model(17, nodes, Case("", (), {"x": feeds["x"], "shape": feeds["shape"]}))
    proto.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "axes"
    assert_same(proto, feeds)


@pytest.mark.parametrize(
    "case",
    [
        Case("BatchNormalization", (13,), {"x": X4}, {}, STATISTICS, 5),
        Case(
            "BatchNormalization",
            (7,),
            {"x": normal(2, 4, 3)},
            {"spatial": 0},
            {name: np.abs(normal(4, 3)) for name in "sbmv"},
        ),
    ],
)
def test_what_no_later_set_means_is_refused(case):
    with pytest.raises(ModelFileError, match="cannot be converted to 23"):
        import_graph(single(case.sets[0], case))
