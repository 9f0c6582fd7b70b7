"""Names of dimensions: only identifiers, and expressions of them, say that sizes are equal."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seqonnx.report.collect import collect
from seqonnx.report.dimensions import evaluate, is_name, names_in
from seqonnx.report.serialize import to_json


def value(name, shape, dtype=TensorProto.FLOAT):
    """A typed value."""
    return helper.make_tensor_value_info(name, dtype, shape)


def save(path, nodes, inputs, outputs, weights=(), value_info=()):
    """Save a model made of these parts; return the path."""
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights, value_info=value_info)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("vendor", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


NAMELESS = [
    "?", "", "-1", "None", "x.batch", "batch size", "batch-size", "input.1_dim_0", "224", "N/A",
    "DynamicDimension.0", "[batch]", "*", "N+1", "2*M", "f(", "unk.1", "ünknown!", "%d",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMELESS)
def test_dimensions_whose_name_is_no_identifier_are_each_their_own(name, tmp_path):
    # (a, b) x (c, 3): five dimensions of one text. 7 * 5 * 3 products, then 2 * 7 * 3.
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "first"),
        helper.make_node("MatMul", ["z", "a"], ["y"], "second"),
    ]
    inputs = [value("x", [name, name]), value("w", [name, 3]), value("z", [name, 7])]
    path = save(tmp_path / "m.onnx", nodes, inputs, [value("y", [name, name])])
    report = collect(path, {"x": (7, 5), "w": (5, 3), "z": (2, 7)})
    assert [tensor.shape for tensor in report.inputs] == [
        ("x[0]", "x[1]"),
        ("w[0]", 3),
        ("z[0]", 7),
    ]
    assert report.outputs[0].shape == ("z[0]", 3)
    assert report.sizes == {"x[0]": 7, "x[1]": 5, "w[0]": 5, "z[0]": 2}
    assert str(report.totals.macs) == "3 * x[0] * x[1] + 21 * z[0]"
    assert report.totals.macs_at == 7 * 5 * 3 + 2 * 7 * 3
    assert report.totals.peak_activation_bytes == 4 * (7 * 5 + 5 * 3 + 2 * 7 + 7 * 3)
    assert report.notes == ()
    assert json.loads(to_json(report))["inputs"][0]["shape"] == ["x[0]", "x[1]"]


@pytest.mark.parametrize("name", ["batch", "_", "unk__12", "s0", "in", "Größe"])
def test_dimensions_of_one_identifier_are_one_size(name, tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save(
        tmp_path / "m.onnx",
        [node],
        [value("x", [name, 4]), value("w", [4, name])],
        [value("y", None)],
    )
    report = collect(path, {"x": (3, 4)})
    assert report.outputs[0].shape == (name, name)
    assert str(report.totals.macs) == f"4 * {name}^2"
    assert report.totals.macs_at == 36
    with pytest.raises(ValueError, match=r"dimension 1 is 3. Received: 4,5"):
        collect(path, {"x": (3, 4), "w": (4, 5)})


def test_names_that_say_nothing_inside_the_graph_do_not_meet(tmp_path):
    # An operator without inference gives (?, 4) and (?, ?): not the square that one name says.
    nodes = [
        helper.make_node("Make", ["x"], ["a", "b"], domain="vendor"),
        helper.make_node("MatMul", ["b", "a"], ["y"], "product"),
    ]
    inside = [value("a", ["?", 4]), value("b", ["?", "?"])]
    path = save(
        tmp_path / "m.onnx", nodes, [value("x", [2])], [value("y", None)], value_info=inside
    )
    report = collect(path)
    assert report.outputs[0].shape == (None, 4)
    assert report.not_counted == {"vendor.Make": 1, "MatMul": 1}


def test_names_that_say_nothing_in_the_elements_of_a_sequence_do_not_meet(tmp_path):
    nodes = [
        helper.make_node("SequenceAt", ["s", "i"], ["e"]),
        helper.make_node("MatMul", ["e", "w"], ["y"], "product"),
    ]
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, ["?", 4])
    inputs = [sequence, value("i", [], TensorProto.INT64), value("w", [4, 2])]
    path = save(tmp_path / "m.onnx", nodes, inputs, [value("y", None)])
    report = collect(path)
    assert report.outputs[0].shape == (None, 2)
    assert report.not_counted == {"MatMul": 1}


def test_expression_comes_to_what_its_names_say(tmp_path):
    # As language models are exported: keys of the past and of now, a mask over both.
    nodes = [
        helper.make_node("MatMul", ["mask", "keys"], ["a"]),
        helper.make_node("MatMul", ["a", "now"], ["y"]),
    ]
    inputs = [
        value("mask", [3, "past + seq"]),
        value("keys", ["past + seq", "2*past"]),
        value("now", ["2*past", "seq"]),
        value("cache", ["past"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, inputs, [value("y", None)])
    assert collect(path).sizes == {"past + seq": 2, "2*past": 2, "seq": 1, "past": 1}
    report = collect(path, {"cache": (4,), "now": (8, 5)})
    assert report.sizes == {"past + seq": 9, "2*past": 8, "seq": 5, "past": 4}
    assert report.totals.macs_at == 3 * 9 * 8 + 3 * 8 * 5
    assert str(report.totals.macs) == "6 * past * (past + seq) + 6 * past * seq"
    with pytest.raises(ValueError, match=r"^Dimension past \+ seq is 9 at past = 4, seq = 5. "):
        collect(path, {"cache": (4,), "now": (8, 5), "mask": (3, 10)})


def test_inputs_whose_names_hold_signs_are_no_expressions(tmp_path):
    node = helper.make_node("MatMul", ["a*b", "a_b"], ["y"])
    path = save(
        tmp_path / "m.onnx",
        [node],
        [value("a*b", [None, 3]), value("a_b", [3, None])],
        [value("y", None)],
    )
    report = collect(path, {"a*b": (2, 3), "a_b": (3, 5)})
    assert report.sizes == {"a_b[0]": 2, "a_b_[1]": 5}
    assert report.totals.macs_at == 30


@pytest.mark.parametrize(
    ("text", "names", "size"),
    [
        ("batch", {"batch"}, 4),
        ("2*batch", {"batch"}, 8),
        ("floor(h/2)", {"h"}, 3),
        ("ceiling(h/2) - 1", {"h"}, 3),
        ("((h - 1)//2) + 1", {"h"}, 4),
        ("Max(1, h, batch)", {"h", "batch"}, 7),
        ("Mod(h, 4)", {"h"}, 3),
        ("h/2", {"h"}, None),  # 3.5 is no size
        ("h/0", {"h"}, None),
        ("batch - h", {"batch", "h"}, None),  # negative
        ("floor(h, 2)", {"h"}, None),
        ("other + 1", {"other"}, None),
        ("9**9**9", set(), None),
        ("__import__(h)", set(), None),
        ("h if h else h", set(), None),
        ("None", set(), None),
        ("(" * 150, set(), None),
        ("h" + "+1" * 200, set(), None),
        ("h, h", set(), None),
    ],
)
def test_expressions_are_read_without_running_anything(text, names, size):
    assert names_in(text) == names
    assert evaluate(text, {"batch": 4, "h": 7}) == size
    assert is_name(text) == (text == "batch")


def test_reshape_over_nameless_dimensions_is_solved_for_each_input(tmp_path):
    nodes = [
        helper.make_node("Reshape", ["x", "to"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.array([-1, 12]), "to"),
        numpy_helper.from_array(np.zeros((12, 5), np.float32), "w"),
    ]
    path = save(
        tmp_path / "m.onnx", nodes, [value("x", ["?", "?", 12])], [value("y", ["?", 5])], weights
    )
    report = collect(path, {"x": (2, 3, 12)})
    assert report.outputs[0].shape == ("x[0]*x[1]", 5)
    assert report.totals.macs_at == 2 * 3 * 12 * 5


def reshapes(path, count):
    """A chain that takes the rows apart and puts them together again, `count` times."""
    weights = [numpy_helper.from_array(np.array([-1, 6], np.int64), "flat")]
    weights += [numpy_helper.from_array(np.array([0, -1, 2], np.int64), "deep")]
    nodes, last = [], "x"
    for index in range(count):
        nodes += [
            helper.make_node("Reshape", [last, "flat"], [f"a{index}"], f"flat{index}"),
            helper.make_node("Relu", [f"a{index}"], [f"b{index}"], f"relu{index}"),
            helper.make_node("Reshape", [f"b{index}", "deep"], [f"c{index}"], f"deep{index}"),
        ]
        last = f"c{index}"
    return save(path, nodes, [value("x", ["n", "t", 6])], [value(last, None)], weights)


def test_a_chain_of_reshapes_is_solved_in_one_pass(tmp_path, monkeypatch):
    rounds = []
    infer_shapes = onnx.shape_inference.infer_shapes

    def counted(*arguments, **options):
        rounds.append(1)
        return infer_shapes(*arguments, **options)

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", counted)
    report = collect(reshapes(tmp_path / "m.onnx", 50))
    assert {row.output_shape for row in report.rows[:-1] if row.name[:4] in ("flat", "relu")} == {
        ("n*t", 6)
    }
    assert report.rows[-1].output_shape == ("n*t", 3, 2)
    assert len(rounds) <= 4  # twice at names, twice at sizes


def test_what_follows_from_a_size_that_nobody_knows_is_unknown(tmp_path):
    weights = [numpy_helper.from_array(np.array([-1, 4], np.int64), "shape")]
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"], "nonzero"),
        helper.make_node("Transpose", ["found"], ["rows"], "transpose"),
        helper.make_node("Reshape", ["rows", "shape"], ["y"], "reshape"),
    ]
    outputs = [value("y", None, TensorProto.INT64)]
    path = save(tmp_path / "m.onnx", nodes, [value("x", ["n", 3])], outputs, weights)
    report = collect(path)
    assert [row.output_shape for row in report.rows] == [(2, None), (None, 2), (None, 4)]
    assert report.outputs[0].shape == (None, 4)
