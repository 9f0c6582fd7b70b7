"""Fused and newer operators: refusals by name, and numbers that are not taken for weights."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError
from support.importers.kinds import KINDS
from support.importers.kinds.reading import model_of
from support.importers.networks import noise, plain

MICROSOFT = '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (
            'y = com.microsoft.FusedConv<activation = "Mish"> (x, k)',
            r"FusedConv .y. of the model .*activation .Mish. is none of",
        ),
        ("y = com.microsoft.FusedMatMul<transBatchA = 1> (x, x)", "turns batch axes"),
        ("y = com.microsoft.MultiHeadAttention<num_heads = 1> (x)", "are packed"),
    ],
)
def test_a_fused_operator_without_a_composition_is_refused_by_name(nodes, why):
    model, _ = model_of(
        f"{MICROSOFT} net (float[N, 1, 3, 3] x) => (float y) <float[1, 1, 1, 1] k> {{ {nodes} }}"
    )
    with pytest.raises(ModelFileError, match=why) as error:
        layers.ONNXModel(model)
    assert "cannot be written with operators of the standard" in str(error.value)
    assert "(`outputs=`)" in str(error.value)


def test_an_operator_of_a_newer_set_without_an_equal_is_refused_by_name():
    if onnx.defs.onnx_opset_version() < 26:
        pytest.skip("onnx does not know operator set 26")
    model = onnx.parser.parse_model(
        '<ir_version: 13, opset_import: ["": 26]>'
        "net (float[N, 2] x) => (int32[N, 2] y) { y = BitCast<to = 6> (x) }"
    )
    with pytest.raises(ModelFileError, match=r"BitCast 'y' of .* is of operator set 26") as error:
        layers.ONNXModel(model)
    assert "operator set 23 has nothing that means the same" in str(error.value)


def test_a_set_that_the_installed_onnx_does_not_know_is_named():
    model = onnx.parser.parse_model(
        '<ir_version: 11, opset_import: ["": 99]> net (float[N, 2] x) => (y) { y = Relu(x) }'
    )
    with pytest.raises(ModelFileError, match=r"uses operator set 99; the installed onnx"):
        layers.ONNXModel(model)


@pytest.mark.skipif(onnx.defs.onnx_opset_version() < 28, reason="needs operator set 28")
def test_attributes_and_dtypes_that_came_later_keep_their_meaning():
    model = onnx.parser.parse_model(
        """
        <ir_version: 13, opset_import: ["": 28]>
        net (float[N, 2, 2, 2] x) => (float[N, 8, 1, 1] y) <float two = {2}> {
            d = SpaceToDepth<blocksize = 2, mode = "CRD"> (x)
            m = Mod<fmod = 0> (d, two)
            r = ReduceLogSumExp<keepdims = 1> (m)
            y = Add(m, r)
        }
        """
    )
    x = noise(3, 2, 2, 2) * 5
    layer = layers.ONNXModel(model, trainable=False)
    # Each channel's block, channel by channel.
    turned = x.reshape(3, 8, 1, 1)
    expected = turned - np.floor(turned / 2) * 2
    total = np.log(np.exp(expected.astype(np.float64)).sum())
    np.testing.assert_allclose(layer(x), expected + total, rtol=1e-5)


@pytest.mark.parametrize(("exclusive", "reverse"), [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.skipif(onnx.defs.onnx_opset_version() < 26, reason="needs operator set 26")
def test_a_cumulative_product_is_right_for_zeros_and_negative_numbers(exclusive, reverse):
    model = onnx.parser.parse_model(
        f"""
        <ir_version: 13, opset_import: ["": 26]>
        net (float[N, 4, 2] x) => (float[N, 4, 2] y) <int64 axis = {{-2}}> {{
            y = CumProd<exclusive = {exclusive}, reverse = {reverse}> (x, axis)
        }}
        """
    )
    x = noise(2, 4, 2)
    x[0, 1], x[1, 2, 0] = 0.0, -3.0
    y = x[:, ::-1] if reverse else x
    if exclusive:
        y = np.concatenate([np.ones_like(y[:, :1]), y[:, :-1]], axis=1)
    expected = np.cumprod(y, axis=1)
    expected = expected[:, ::-1] if reverse else expected
    layer = layers.ONNXModel(model, trainable=False)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


def test_masks_states_and_scales_of_an_exporter_stay_as_they_are():
    file, _ = model_of(KINDS["transformer decoder with a mask"])
    network = layers.ONNXModel(file, name="net")
    x = noise(2, 3, 4)
    model = keras.Sequential([network])
    model.compile(keras.optimizers.SGD(10.0), "mse")
    model.fit(x, noise(2, 3, 4), epochs=2, verbose=0)
    changed = x.copy()
    changed[:, -1] += 1.0
    # What comes later is masked for every earlier place, however long it was trained.
    np.testing.assert_array_equal(
        model.predict(x, verbose=0)[:, :-1], model.predict(changed, verbose=0)[:, :-1]
    )


def test_an_input_is_bound_to_a_constant(tmp_path):
    kind = "voice activity with a rate as a scalar input"
    file, _ = model_of(KINDS[kind])
    onnx.save(file, tmp_path / "vad.onnx")
    with pytest.raises(ValueError, match=r"`inputs=\{'sr': \.\.\.\}`"):
        layers.ONNXModel(tmp_path / "vad.onnx")
    with pytest.raises(ValueError, match=r"binds 'rate', which is no input.*\['input', 'state', "):
        layers.ONNXModel(tmp_path / "vad.onnx", inputs={"rate": 1})
    with pytest.raises(ValueError, match=r"binds 'sr' of .* to 1\.5, which int64 cannot hold"):
        layers.ONNXModel(tmp_path / "vad.onnx", inputs={"sr": 1.5})
    with pytest.raises(ValueError, match=r"to an array of shape \(1,\); its shape is \[\]"):
        layers.ONNXModel(tmp_path / "vad.onnx", inputs={"sr": [8000]})
    slow = layers.ONNXModel(tmp_path / "vad.onnx", inputs={"sr": 8000}, name="vad")
    data = [noise(2, 16), noise(2, 4)]
    expected = plain(file, *data, np.array(8000, np.int64))
    for mine, theirs in zip(slow(data), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert "narrow" in {w.name for w in slow.weights}
    inputs = [keras.Input((16,)), keras.Input((4,))]
    model = keras.Model(inputs, slow(inputs))
    model.save(tmp_path / "saved.onnx")
    again = keras.load_model(tmp_path / "saved.onnx")
    assert again.get_layer("vad").get_config()["inputs"] == {"sr": 8000}
    for mine, theirs in zip(again.predict(data, verbose=0), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
