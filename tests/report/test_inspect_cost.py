"""MACs per operator, each number derived by hand from the definition of the operator."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import helper, numpy_helper

from seqonnx.report.collect import collect
from seqonnx.report.cost import NO_CONTRACTION, count_macs, has_rule
from seqonnx.report.mac_rules import MAC_RULES, NodeFacts, macs
from seqonnx.report.polynomial import Polynomial
from seqonnx.report.render import render_text
from seqonnx.report.serialize import to_json

NOT_COUNTED_BY_DECISION = {
    # interpolation, spectra and geometry: work that is no contraction of two tensors, and not 0
    *("AffineGrid", "DeformConv", "DFT", "Det", "GridSample", "MelWeightMatrix", "RoiAlign"),
    *("STFT", "ImageDecoder"),
    # newer than the pinned operator set
    *("CausalConvWithState", "LinearAttention", "SwiGLU"),
}


def saved(tmp_path, text):
    """Save a model in ONNX's text form; return the path."""
    path = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def model_text(signature, body, opset=21, weights=""):
    """A model in ONNX's text form."""
    return f'<ir_version: 10, opset_import: ["": {opset}]>\ng {signature} <{weights}> {{ {body} }}'


CASES = {
    "Conv": (
        "(float[2,3,32,32] x, float[8,3,3,3] w) => (y)",
        "y = Conv <pads=[1,1,1,1]> (x, w)",
        2 * 8 * 32 * 32 * (3 * 3 * 3),
    ),
    "Conv with strides, no padding and bias": (
        "(float[1,3,250,250] x, float[32,3,5,5] w, float[32] b) => (y)",
        "y = Conv <strides=[2,2]> (x, w, b)",
        123 * 123 * 32 * (5 * 5 * 3),
    ),
    "Conv in 4 groups": (
        "(float[1,16,10,10] x, float[32,4,3,3] w) => (y)",
        "y = Conv <group=4> (x, w)",
        32 * 8 * 8 * (4 * 3 * 3),
    ),
    "depthwise Conv": (
        "(float[1,16,10,10] x, float[16,1,3,3] w) => (y)",
        "y = Conv <group=16> (x, w)",
        16 * 8 * 8 * 9,
    ),
    "Conv 1-D dilated": (
        "(float[4,5,20] x, float[7,5,3] w) => (y)",
        "y = Conv <dilations=[2]> (x, w)",
        4 * 7 * 16 * (5 * 3),
    ),
    "ConvTranspose": (
        "(float[2,16,7,7] x, float[16,8,3,3] w) => (y)",
        "y = ConvTranspose <strides=[2,2]> (x, w)",
        2 * 16 * 7 * 7 * (8 * 3 * 3),
    ),
    "ConvTranspose in groups": (
        "(float[1,16,7,7] x, float[16,4,3,3] w) => (y)",
        "y = ConvTranspose <group=2> (x, w)",
        16 * 7 * 7 * (4 * 3 * 3),
    ),
    "MatMul": ("(float[5,7] a, float[7,3] b) => (y)", "y = MatMul(a, b)", 5 * 7 * 3),
    "MatMul broadcast over batches": (
        "(float[2,1,5,7] a, float[4,7,3] b) => (y)",
        "y = MatMul(a, b)",
        2 * 4 * 5 * 7 * 3,
    ),
    "MatMul matrix by vector": ("(float[5,7] a, float[7] b) => (y)", "y = MatMul(a, b)", 35),
    "MatMul vector by matrix": ("(float[7] a, float[7,3] b) => (y)", "y = MatMul(a, b)", 21),
    "MatMul of vectors": ("(float[7] a, float[7] b) => (y)", "y = MatMul(a, b)", 7),
    "Gemm": (
        "(float[5,7] a, float[7,3] b, float[3] c) => (y)",
        "y = Gemm(a, b, c)",
        5 * 7 * 3,
    ),
    "Gemm transposed": (
        "(float[7,5] a, float[3,7] b) => (y)",
        "y = Gemm<transA=1, transB=1>(a, b)",
        5 * 7 * 3,
    ),
    "LSTM, T=100, 64 to 64, without bias": (
        "(float[100,1,64] x, float[1,256,64] w, float[1,256,64] r) => (y)",
        "y = LSTM <hidden_size=64> (x, w, r)",
        3_276_800,
    ),
    "bidirectional GRU with bias": (
        "(float[9,4,5] x, float[2,21,5] w, float[2,21,7] r, float[2,42] b) => (y)",
        'y = GRU <hidden_size=7, direction="bidirectional"> (x, w, r, b)',
        9 * 4 * 3 * 7 * (5 + 7) * 2,
    ),
    "RNN": (
        "(float[9,4,5] x, float[1,7,5] w, float[1,7,7] r) => (y)",
        "y = RNN <hidden_size=7> (x, w, r)",
        9 * 4 * 7 * (5 + 7),
    ),
    "Einsum as a batched product": (
        "(float[2,3,4] a, float[2,4,5] b) => (y)",
        'y = Einsum <equation="bij, bjk -> bik"> (a, b)',
        2 * 3 * 4 * 5,
    ),
    "Einsum without an arrow": (
        "(float[3,4] a, float[4,5] b) => (y)",
        'y = Einsum <equation="ij,jk"> (a, b)',
        60,
    ),
    "Einsum as an outer product": (
        "(float[3] a, float[5] b) => (y)",
        'y = Einsum <equation="i,j->ij"> (a, b)',
        0,
    ),
    "Einsum as a trace": ("(float[3,3] a) => (y)", 'y = Einsum <equation="ii->"> (a)', 0),
    "Resize to nearest": (
        "(float[1,1,2,2] x, float[4] s) => (y)",
        'y = Resize <mode="nearest"> (x, , s)',
        0,
    ),
    "Relu": ("(float[5,7] a) => (y)", "y = Relu(a)", 0),
    "AveragePool": ("(float[1,2,8,8] a) => (y)", "y = AveragePool<kernel_shape=[2,2]>(a)", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_macs_are_those_of_the_definition(name, tmp_path):
    signature, body, expected = CASES[name]
    report = collect(saved(tmp_path, model_text(signature, body)))
    assert report.totals.macs == Polynomial.of(expected)
    assert report.totals.macs_at == expected
    assert report.totals.complete
    assert report.not_counted == {}


@pytest.mark.parametrize(
    ("signature", "body", "op_type"),
    [
        (
            "(float[3] a, float[3] b, float[3] c) => (y)",
            'y = Einsum<equation="i,i,i->">(a, b, c)',
            "Einsum",
        ),
        ("(float[1,1,2,2] x, float[4] s) => (y)", 'y = Resize<mode="linear">(x, , s)', "Resize"),
        ("(float[3,3] a) => (y)", "y = Det(a)", "Det"),
    ],
)
def test_operator_without_a_rule_is_reported_never_taken_as_zero(
    signature, body, op_type, tmp_path
):
    report = collect(saved(tmp_path, model_text(signature, body)))
    assert report.rows[0].macs is None
    assert report.rows[0].macs_at is None
    assert report.totals.macs_at is None
    assert not report.totals.complete
    assert report.not_counted == {op_type: 1}


def test_total_is_a_lower_bound_where_an_operator_is_not_counted(tmp_path):
    text = model_text("(float[3,3] a) => (d, y)", "d = Det(a) y = MatMul(a, a)")
    report = collect(saved(tmp_path, text))
    assert report.totals.macs_at == 27
    assert not report.totals.complete
    assert json.loads(to_json(report))["totals"]["complete"] is False


@pytest.mark.parametrize("heads", [(4, 4), (4, 2)])
def test_attention_counts_both_products(heads, tmp_path):
    q_heads, kv_heads = heads
    four = model_text(
        f"(float[2,{q_heads},5,8] q, float[2,{kv_heads},7,8] k, float[2,{kv_heads},7,6] v) => (y)",
        "y = Attention(q, k, v)",
        opset=23,
    )
    three = model_text(
        f"(float[2,5,{8 * q_heads}] q, float[2,7,{8 * kv_heads}] k, "
        f"float[2,7,{6 * kv_heads}] v) => (y)",
        f"y = Attention<q_num_heads={q_heads}, kv_num_heads={kv_heads}>(q, k, v)",
        opset=23,
    )
    expected = 2 * q_heads * 5 * 7 * (8 + 6)
    for text in (four, three):
        assert collect(saved(tmp_path, text)).totals.macs_at == expected


def test_quantised_operators_count_as_their_float_twins():
    conv = NodeFacts(
        "QLinearConv",
        21,
        ((1, 3, 8, 8), (), (), (4, 3, 3, 3), (), (), (), (), (4,)),
        ((1, 4, 6, 6),),
    )
    matmul = NodeFacts("QLinearMatMul", 21, ((5, 7), (), (), (7, 3), (), (), (), ()), ((5, 3),))
    assert count_macs("", conv) == Polynomial.of(4 * 6 * 6 * 27)
    assert count_macs("", matmul) == Polynomial.of(105)
    assert count_macs("", NodeFacts("MatMulInteger", 21, ((5, 7), (7, 3)), ((5, 3),))) == (
        Polynomial.of(105)
    )


def test_fused_operators_of_onnx_runtime_are_counted_and_others_are_not():
    facts = NodeFacts("FusedMatMul", 1, ((7, 5), (7, 3)), ((5, 3),), {"transA": 1})
    assert count_macs("com.microsoft", facts) == Polynomial.of(105)
    assert count_macs("com.microsoft", NodeFacts("Relu", 1, ((5,),), ((5,),))) is None
    assert count_macs("my.domain", NodeFacts("MatMul", 1, ((5, 7), (7, 3)), ((5, 3),))) is None


def test_lookups_of_text_count_as_nothing():
    facts = NodeFacts("LabelEncoder", 2, ((5,),), ((5,),))
    assert count_macs("ai.onnx.ml", facts) == Polynomial.of(0)
    assert count_macs("ai.onnx.ml", NodeFacts("LinearRegressor", 1, ((5,),), ((5,),))) is None


def test_node_that_breaks_its_definition_is_not_counted():
    assert count_macs("", NodeFacts("Gemm", 21, ((5,), (7, 3)), ((5, 3),))) is None
    assert count_macs("", NodeFacts("Einsum", 21, ((5,),), ((5,),))) is None
    assert count_macs("", NodeFacts("MatMul", 21, (), ((5, 3),))) is None


def test_every_standard_operator_is_counted_zero_by_definition_or_left_out_on_purpose():
    standard = {s.name for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""}
    undecided = {name for name in standard if not has_rule(name)} - NOT_COUNTED_BY_DECISION
    assert undecided - {"GRUUnit", "Crop", "ATen", "Affine", "ParametricSoftplus"} == set()
    assert set(MAC_RULES) & NO_CONTRACTION == set()


def test_second_rule_for_an_operator_is_refused():
    with pytest.raises(ValueError, match="Operator Conv has two MAC rules"):
        macs("Conv")(lambda facts: None)


def loop_model(trips):
    """A Loop over `s = s @ w`, 4x4; `trips` None leaves the count to an input."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["s", "w"], ["s2"], "body/MatMul"),
            helper.make_node("Identity", ["go"], ["go2"]),
        ],
        "body",
        [value("i", 7, []), value("go", 9, []), value("s", 1, [4, 4])],
        [value("go2", 9, []), value("s2", 1, [4, 4])],
    )
    weight = numpy_helper.from_array(np.zeros((4, 4), np.float32), "w")
    stored, inputs = [weight], [value("x", 1, [4, 4])]
    if trips is None:
        inputs.append(value("m", 7, []))
    else:
        stored.append(numpy_helper.from_array(np.array(trips), "m"))
    graph = helper.make_graph(
        [helper.make_node("Loop", ["m", "", "x"], ["y"], "loop", body=body)],
        "g",
        inputs,
        [value("y", 1, [4, 4])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_loop_counts_its_body_once_per_trip_and_its_weights_once(tmp_path):
    onnx.save(loop_model(6), tmp_path / "loop.onnx")
    report = collect(tmp_path / "loop.onnx")
    (row,) = report.rows
    assert row.macs_at == report.totals.macs_at == 6 * 4 * 4 * 4
    assert row.params == report.totals.params == 16
    assert [inner.macs_at for inner in row.body] == [64, 0]
    assert [inner.params for inner in row.body] == [16, 0]
    assert report.op_counts == {"Loop": 1, "MatMul": 1, "Identity": 1}
    assert report.totals.nodes == 3


def test_loop_of_unknown_length_says_so(tmp_path):
    onnx.save(loop_model(None), tmp_path / "loop.onnx")
    report = collect(tmp_path / "loop.onnx")
    assert str(report.totals.macs) == "64 * trips(loop)"
    assert report.totals.macs_at == 64
    assert report.notes == ("trips(loop) is not known before the model runs and is taken as 1.",)


def test_loop_of_unknown_length_leaves_the_count_open(tmp_path):
    onnx.save(loop_model(None), tmp_path / "loop.onnx")
    report = collect(tmp_path / "loop.onnx")
    assert (report.rows[0].complete, report.totals.complete) == (False, False)
    assert report.not_counted == {}
    assert "Total MACs        64 * trips(loop)  (≥ 64)" in render_text(report)


def test_loops_of_one_name_turn_independently(tmp_path):
    model = loop_model(None)
    again = model.graph.node.add()
    again.CopyFrom(model.graph.node[0])
    again.input[0], again.output[0] = "n", "z"
    model.graph.input.append(helper.make_tensor_value_info("n", 7, []))
    model.graph.output.append(helper.make_tensor_value_info("z", 1, [4, 4]))
    onnx.save(model, tmp_path / "loops.onnx")
    report = collect(tmp_path / "loops.onnx")
    assert str(report.totals.macs) == "64 * trips(loop) + 64 * trips(loop:2)"
    assert [row.name for row in report.rows] == ["loop", "loop"]


def test_loop_that_is_told_to_run_less_than_never_costs_nothing(tmp_path):
    onnx.save(loop_model(-3), tmp_path / "loop.onnx")
    assert collect(tmp_path / "loop.onnx").totals.macs_at == 0


def test_if_counts_its_dearer_branch_and_loops_inside_it(tmp_path):
    value = helper.make_tensor_value_info
    inner = loop_model(3).graph
    inner.name = "dear"
    del inner.input[:]
    cheap = helper.make_graph(
        [helper.make_node("MatMul", ["x", "x"], ["z"], "cheap/MatMul")],
        "cheap",
        [],
        [value("z", 1, [4, 4])],
    )
    node = helper.make_node("If", ["c"], ["out"], "if", then_branch=cheap, else_branch=inner)
    graph = helper.make_graph(
        [node],
        "g",
        [value("c", 9, []), value("x", 1, [4, 4])],
        [value("out", 1, [4, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "if.onnx")
    report = collect(tmp_path / "if.onnx")
    assert report.totals.macs_at == 3 * 64
    assert report.totals.params == 16
    loop = next(row for row in report.rows[0].body if row.op_type == "Loop")
    assert loop.macs_at == 3 * 64
    assert report.op_counts == {"MatMul": 2, "If": 1, "Loop": 1, "Identity": 1}


def test_scan_counts_its_body_once_per_element(tmp_path):
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["e", "w"], ["o"], "body/MatMul"),
            helper.make_node("Add", ["s", "o"], ["s2"]),
        ],
        "body",
        [value("s", 1, [2, 3]), value("e", 1, [2, 5])],
        [value("s2", 1, [2, 3])],
    )
    node = helper.make_node(
        "Scan", ["s0", "x"], ["y"], "scan", body=body, num_scan_inputs=1, scan_input_axes=[1]
    )
    graph = helper.make_graph(
        [node],
        "g",
        [value("s0", 1, [2, 3]), value("x", 1, [2, "time", 5])],
        [value("y", 1, [2, 3])],
        [numpy_helper.from_array(np.zeros((5, 3), np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, tmp_path / "scan.onnx")
    report = collect(tmp_path / "scan.onnx", {"x": (2, 9, 5)})
    assert str(report.totals.macs) == "30 * time"
    assert report.totals.macs_at == 270


def test_model_local_functions_count_at_each_call(tmp_path):
    text = """
    <ir_version: 10, opset_import: ["": 21, "local": 1]>
    g (float[N, 4] x) => (float[N, 3] y)
      <float[4, 4] w = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
       float[4, 3] v = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}> {
      a = local.linear (x, w)
      b = local.linear (a, w)
      y = local.twice (b, v)
    }
    <domain: "local", opset_import: ["": 21]>
    linear (a, b) => (c) { t = MatMul(a, b) c = Relu(t) }
    <domain: "local", opset_import: ["": 21, "local": 1]>
    twice (a, b) => (c) { t = local.linear(a, b) c = Tanh(t) }
    """
    report = collect(saved(tmp_path, text), {"x": (5, 4)})
    assert str(report.totals.macs) == "44 * N"
    assert report.totals.macs_at == 5 * (16 + 16 + 12)
    assert report.totals.params == 16 + 12
    assert report.functions == {"local.linear": 3, "local.twice": 1}
    assert report.op_counts == {"MatMul": 3, "Relu": 3, "Tanh": 1}


def test_polynomials_add_multiply_and_print():
    batch, time = Polynomial.of("batch"), Polynomial.of("time")
    count = Polynomial.of(1234) * batch + Polynomial.of(2) * time * batch * time
    assert str(count) == "2 * batch * time^2 + 1,234 * batch"
    assert count.format("") == "2 * batch * time^2 + 1234 * batch"
    assert count.evaluate({"batch": 3, "time": 5}) == 2 * 3 * 25 + 1234 * 3
    assert count.names == {"batch", "time"}
    assert count.constant is None
    assert str(Polynomial.of(0)) == "0"
    assert str(Polynomial.of("s0 + 1") * Polynomial.of(2)) == "2 * (s0 + 1)"
    assert Polynomial.product(2, None, 3) is None
    assert str(Polynomial.product("4*batch", "seq*batch", 3)) == "12 * batch^2 * seq"
    assert Polynomial.of("4*(a+b)").names == {"4*(a+b)"}
