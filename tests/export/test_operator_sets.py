"""A graph says the same in an older operator set, or an error names what cannot be said."""

from __future__ import annotations

import logging

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.export.adapters import ADAPTERS
from seqonnx.export.operator_set import OperatorSetError, lower_operators
from seqonnx.export.options import lowest_ir_version
from seqonnx.graph.schemas import schema_of
from support.export.lowering_cases import CASES, DEFINED, NARROW, LoweringCase

NO_CASE = {("GroupNormalization", 18)}
"""Adapters that only refuse."""


def lowered(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    opened = ir.from_proto(model)
    lower_operators(opened.graph, opset)
    opened.ir_version = lowest_ir_version(opset)
    found = ir.to_proto(opened)
    onnx.checker.check_model(found, full_check=True)
    assert found.opset_import[0].version == opset
    assert all(onnx.defs.has(node.op_type, opset, "") for node in found.graph.node)
    return found


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)[0]


def feeds_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    feeds = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        shape = [dim.dim_value or 5 for dim in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        feeds[value.name] = (rng.normal(size=shape) * 3).astype(dtype)
        if dtype == np.int64:
            feeds[value.name] = rng.integers(1, 4, shape)
    return feeds


def agree(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    feeds, other = feeds_of(model), lowered(model, opset)
    wanted, found = run(model, feeds), run(other, feeds)
    assert wanted.dtype == found.dtype
    atol = 1e-2 if wanted.dtype == np.float16 else 1e-5
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=atol)
    return other


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_adapter_keeps_what_a_graph_computes(case: LoweringCase):
    agree(case.model, case.since - 1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_case_is_said_in_the_lowest_set_or_refused_by_name(case: LoweringCase):
    model = case.model
    lowest = 13
    try:
        lowered(model, 13)
    except OperatorSetError as error:
        lowest = error.lowest
    assert 13 <= lowest < case.since
    agree(model, lowest)


def test_every_adapter_has_a_case():
    assert {(case.op_type, case.since) for case in CASES} == set(ADAPTERS) - NO_CASE
    for op_type, since in ADAPTERS:
        assert schema_of(op_type, since).since_version == since


@pytest.mark.parametrize("case", [*DEFINED, *NARROW], ids=lambda case: case.id)
def test_operators_without_an_adapter(case: LoweringCase):
    """By the standard's own definition, or computed in a wider dtype."""
    agree(case.model, case.since - 1)


def test_bfloat16_is_computed_in_float32_where_an_operator_lacks_it():
    text = """<ir_version: 10, opset_import: ["": 22]>
        graph (bfloat16[2, 3] x) => (bfloat16[] y) { y = Sin(x) }"""
    model = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))
    found = lowered(model, 18)
    assert [node.op_type for node in found.graph.node] == ["Cast", "Sin", "Cast"]
    assert found.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16
    x = np.array([[1, 2, 3], [0, -1, 9]], np.float32).astype(
        onnx.helper.tensor_dtype_to_np_dtype(16)
    )
    (y,) = onnx.reference.ReferenceEvaluator(found).run(None, {"x": x})
    np.testing.assert_allclose(y.astype(np.float32), np.sin(x.astype(np.float32)), atol=4e-3)


@pytest.mark.parametrize(("name", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrence_over_the_second_axis(name, gates):
    """ONNX Runtime has no `layout=1`: it is compared with the transposed input of `layout=0`."""
    outputs = "y, h, c" if name == "LSTM" else "y, h"
    text = f"""<ir_version: 10, opset_import: ["": 22]> graph (float[2, 3, 4] x,
        float[1, {5 * gates}, 4] w, float[1, {5 * gates}, 5] r, float[2, 1, 5] s) =>
        (float[] y, float[] h) {{
            {outputs} = {name} <hidden_size=5, layout=1> (x, w, r, , , s) }}"""
    model = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))
    feeds = feeds_of(model)
    first = {**feeds, "x": feeds["x"].swapaxes(0, 1), "s": feeds["s"].swapaxes(0, 1)}
    wanted = run(
        onnx.parser.parse_model(
            text.replace("layout=1", "layout=0")
            .replace("float[2, 3, 4] x", "float[3, 2, 4] x")
            .replace("float[2, 1, 5] s", "float[1, 2, 5] s")
        ),
        first,
    )
    found = run(lowered(model, 13), feeds)  # (batch, time, 1, 5) of (time, 1, batch, 5)
    np.testing.assert_allclose(found, wanted.transpose(2, 0, 1, 3), rtol=1e-5, atol=1e-6)


def test_graphs_inside_nodes_are_lowered_too():
    text = """<ir_version: 10, opset_import: ["": 23]> graph (float[2, 3] x, bool c) => (float[] y)
        { y = If (c) <
            then_branch = a () => (float[2, 3] t) { t = Gelu(x) },
            else_branch = b () => (float[2, 1] e) <int64[1] k = {1}> { e = ReduceMax(x, k) }
        > }"""
    model = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))
    found = lowered(model, 13)
    for c in (True, False):
        feeds = {"x": np.array([[1, 2, 3], [-1, 0, 9]], np.float32), "c": np.array(c)}
        np.testing.assert_allclose(run(found, feeds), run(model, feeds), rtol=1e-6)


REFUSED = {
    "computed axes": ("float[2, 3] x, int64[1] a", "y = ReduceMax(x, a)", 13, 18,
                      "its axes are computed, and lower sets have constant ones only"),
    "maximum": ("float[2, 3] x, int64[2, 3] i", 'y = ScatterElements <reduction="max"> (x, i, x)',
                17, 18, 'it reduces with "max"'),
    "text": ("string[2] x", 'y, n = StringSplit(x)', 19, 20, "lower sets do not have it"),
    "volume": ("float[1, 1, 2, 2, 2] x, float[1, 2, 2, 2, 3] g", "y = GridSample(x, g)", 18, 20,
               "lower sets sample images of two dimensions only"),
    "antialias": ("float[1, 1, 4, 4] x, int64[4] s",
                  'y = Resize <antialias=1, mode="linear"> (x, , , s)', 17, 18, "`antialias`"),
    "gaps": ("float[1, 1, 7, 7] x", "y = AveragePool <kernel_shape=[2, 2], dilations=[2, 2]> (x)",
             18, 19, "its windows have gaps"),
    "windows": ("float[1, 1, 7, 7] x", "y = MaxPool <kernel_shape=[1, 1], strides=[3, 3], "
                "ceil_mode=1> (x)", 18, 22, "lower sets count windows that start in the padding"),
    "dtype": ("string[2] x", "y = Equal(x, x)", 18, 19,
              "lower sets do not have it for bool, string"),
    "branches": ("float[1, 2, 3] x, int64[4] s", "y = AffineGrid(x, s)", 19, 20,
                 "the standard defines it by graphs inside nodes"),
    "blocks": ("int8[4, 4] x, float[2, 4] s", "y = DequantizeLinear <block_size=2, axis=0> (x, s)",
               20, 21, "its scales are those of blocks of 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_set_cannot_say_is_refused_by_name(case):
    inputs, body, opset, lowest, reason = REFUSED[case]
    output = {"text": "string", "dtype": "bool"}.get(case, "float")
    text = f"""<ir_version: 10, opset_import: ["": 23]>
        graph ({inputs}) => ({output}[] y) {{ [here] {body} }}"""
    model = onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text))
    with pytest.raises(OperatorSetError) as caught:
        lower_operators(ir.from_proto(model).graph, opset)
    operator = body.partition("= ")[2].partition("(")[0].partition(" ")[0]
    assert str(caught.value).startswith(
        f"Operator set {opset} cannot say the model: {operator} (node 'here') needs {lowest}: "
    )
    assert reason in str(caught.value)
    assert str(caught.value).endswith(f"The lowest that can is opset={lowest}.")


def text_model() -> keras.Model:
    layer = layers.TextVectorization(standardize="lower", vocabulary=["a", "b"], name="words")
    return keras.Sequential([keras.Input((1,), dtype="string"), layer, layers.Embedding(4, 2)])


def test_the_lowest_set_that_can_say_a_model_is_taken_and_named(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "seqonnx"):
        text_model().export(tmp_path / "m.onnx")
    (record,) = caplog.records
    assert record.getMessage() == (
        "Operator set 20 is written. Operator set 18 cannot say the model: StringSplit (layer "
        "'words') needs 20: lower sets do not have it. The lowest that can is opset=20."
    )
    written = onnx.load(tmp_path / "m.onnx")
    assert (written.opset_import[0].version, written.ir_version) == (20, 9)
    caplog.clear()
    keras.Sequential([keras.Input((3,)), layers.Dense(2)]).export(tmp_path / "d.onnx")
    assert caplog.records == []


def test_a_set_that_was_asked_for_is_never_replaced_by_another(tmp_path):
    with pytest.raises(OperatorSetError, match=r"StringSplit \(layer 'words'\) needs 20"):
        text_model().export(tmp_path / "m.onnx", opset=18)
    lookup = layers.StringLookup(vocabulary=["a"])
    model = keras.Sequential([keras.Input((1,), dtype="string"), lookup])
    with pytest.raises(ValueError, match=r"`ir_version` must be at least 8.*ai\.onnx\.ml 3"):
        model.export(tmp_path / "m.onnx", opset=13, ir_version=7)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("opset", "ir_version"), [(13, 7), (18, 8), (21, 10), (23, 11)])
def test_a_file_is_in_the_versions_that_were_asked_for(opset, ir_version, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 6)),
            layers.Dense(6, activation="gelu"),
            layers.LayerNormalization(),
            layers.GlobalAveragePooling1D(),
        ]
    )
    model.export(tmp_path / "m.onnx", opset=opset)
    written = onnx.load(tmp_path / "m.onnx")
    assert (written.opset_import[0].version, written.ir_version) == (opset, ir_version)
    assert ("Gelu" in {node.op_type for node in written.graph.node}) == (opset >= 20)
    x = np.random.default_rng(0).normal(size=(3, 4, 6)).astype(np.float32)
    found = run(written, {"input": x})
    np.testing.assert_allclose(found, model.predict(x, verbose=0), atol=1e-5)
    model.export(tmp_path / "n.onnx", opset=opset, ir_version=11)
    assert onnx.load(tmp_path / "n.onnx").ir_version == 11


def test_a_lowering_that_computes_otherwise_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(ADAPTERS, ("Gelu", 20), lambda op, node: [op.Relu(node.inputs[0])])
    model = keras.Sequential([keras.Input((4,)), layers.Activation("gelu", name="act")])
    with pytest.raises(ValueError, match=r"not compute the same in operator set 18: output 'act'"):
        model.export(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_saved_files_are_lowered_and_go_on_exactly(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, "gelu"), layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = np.random.default_rng(0).normal(size=(2, 16, 4)), np.zeros((16, 1))
    model.fit(x[0], y, verbose=0)
    model.save(tmp_path / "m.onnx")
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == 18
    again = keras.models.load_model(tmp_path / "m.onnx")
    for kept, loaded in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, loaded)
    losses = [m.fit(x[1], y, verbose=0).history["loss"] for m in (model, again)]
    assert losses[0] == losses[1]
