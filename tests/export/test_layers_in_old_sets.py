"""Every layer is exported in the lowest and the usual operator set, or is named as needing more."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx.export.operator_set import OperatorSetError
from support.layers.layer_cases import CASES, Case

LOWEST = {
    "CategoryEncoding": 18,
    "CategoryEncoding-count": 16,
    "Discretization": 16,
    "MelSpectrogram": 17,
    "MelSpectrogram-bands": 17,
    "ContrastLimitedAdaptiveHistogramEqualization": 16,
}
"""Cases that operator set 13 cannot say, and the lowest set that can."""
OFTEN = {
    *("Attention", "CategoryEncoding", "Conv2D", "Dense", "Embedding", "GroupNormalization"),
    *("LSTM", "LayerNormalization", "MultiHeadAttention", "Resizing", "TimeDistributed"),
}
"""Layers whose adapters differ in kind: these always run."""


def model_of(case: Case) -> keras.Model:
    if not isinstance(case.input, list):
        return keras.Sequential([keras.Input(case.input), case.make()])
    inputs = [keras.Input(shape) for shape in case.input]
    named = dict(zip(case.named, inputs[1:], strict=False))
    made = case.make()
    return keras.Model(inputs, made(inputs[0], **named) if named else made(inputs))


def check(case: Case, opset: int, path) -> None:
    model = model_of(case)
    if opset < LOWEST.get(case.id, 13):
        with pytest.raises(OperatorSetError) as caught:
            model.export(path, opset=opset)
        assert caught.value.lowest == LOWEST[case.id]
        return
    model.export(path, opset=opset)
    proto = onnx.load(path)
    assert proto.opset_import[0].version == opset
    assert all(onnx.defs.has(node.op_type, opset, node.domain) for node in proto.graph.node)
    rng = np.random.default_rng(0)
    arrays = [3 * rng.random((3, *(d or 8 for d in t.shape[1:])), np.float32) for t in model.inputs]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {value.name: array for value, array in zip(session.get_inputs(), arrays, strict=True)}
    wanted = model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)
    for found, right in zip(
        session.run(None, feeds), wanted if isinstance(wanted, list) else [wanted], strict=True
    ):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.id in OFTEN], ids=lambda case: case.id
)
def test_layers_in_the_lowest_set(case, tmp_path):
    check(case, 13, tmp_path / "m.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 18, 23])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_layer_in_several_sets(case, opset, tmp_path):
    check(case, opset, tmp_path / "m.onnx")


def test_the_list_of_exceptions_is_of_layers_that_there_are():
    known = {case.id for case in CASES}
    assert known >= set(LOWEST)
    assert known >= OFTEN
