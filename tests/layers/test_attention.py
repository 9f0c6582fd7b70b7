"""Attention layers give what Keras 3.15.1 gave, with every mask and argument, and train.

`tests/support/layers/write_recorded_attention.py` recorded the values (torch backend).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

import seqonnx as keras
import support.layers
from seqonnx import layers
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.serialization import KNOWN
from support.layers.layer_gradients import check_gradients

FOLDER = Path(support.layers.__path__[0])
RECORDED = json.loads((FOLDER / "recorded_attention.json").read_text())
every_case = pytest.mark.parametrize("name", RECORDED)
RNG = np.random.default_rng(2)


@pytest.fixture(scope="module")
def arrays():
    with np.load(FOLDER / "recorded_attention.npz") as stored:
        return dict(stored)


def of(arrays, name, letter):
    """The recorded arrays of a case: inputs x, outputs y or weights w."""
    keys = [key for key in arrays if re.fullmatch(rf"{name}/{letter}\d+", key)]
    return [arrays[key] for key in keys]


def named(name):
    """The further arguments of a case's call; masks as they are in a file."""
    return dict(RECORDED[name]["named"])


def masks_of(name):
    """The same with masks as arrays."""
    return {
        key: [part and np.array(part) for part in value]
        if key == "mask"
        else np.array(value)
        if isinstance(value, list)
        else value
        for key, value in named(name).items()
    }


def made(name, arrays):
    """The layer with its weights, as a file of Keras's is loaded."""
    layer = layers.deserialize(translate(RECORDED[name]["layer"], Catalogue(KNOWN, {})))
    call(layer, name, of(arrays, name, "x"))
    layer.set_weights(of(arrays, name, "w"))
    return layer


def call(layer, name, inputs, **arguments):
    first = (inputs,) if RECORDED[name]["listed"] else inputs
    return layer(*first, **arguments)


@every_case
def test_outputs_are_those_of_keras(name, arrays):
    layer = made(name, arrays)
    assert [w.path.partition("/")[2] for w in layer.weights] == RECORDED[name]["weights"]
    result = call(layer, name, of(arrays, name, "x"), **masks_of(name))
    outputs = result if isinstance(result, list | tuple) else [result]
    for output, expected in zip(outputs, of(arrays, name, "y"), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


@every_case
def test_models_give_the_same_and_survive_files(name, arrays, tmp_path):
    layer = made(name, arrays)
    inputs = of(arrays, name, "x")
    tensors = [keras.Input(x.shape[1:]) for x in inputs]
    result = call(layer, name, tensors, **named(name))
    expected = of(arrays, name, "y")
    outputs = result if isinstance(result, list) else [result]
    assert [t.shape[1:] for t in outputs] == [y.shape[1:] for y in expected]
    model = keras.Model(tensors, result)
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx")
    found = loaded.predict(inputs, verbose=0)
    for output, wanted in zip(found if len(expected) > 1 else [found], expected, strict=True):
        np.testing.assert_allclose(output, wanted, rtol=1e-4, atol=1e-5)


@every_case
def test_configuration_is_that_of_keras(name, arrays):
    wanted = translate(RECORDED[name]["layer"], Catalogue(KNOWN, {}))["config"]
    config = json.loads(json.dumps(made(name, arrays).get_config()))
    parts = {key for key, value in wanted.items() if isinstance(value, dict)}
    assert {key: config[key] for key in wanted.keys() - parts} == {
        key: value for key, value in wanted.items() if key not in parts
    }
    assert set(config) <= set(wanted)


MASK = np.array([[True, True, False, True], [False, True, True, True]])
PAIRS = RNG.random((2, 3, 4)) < 0.6
PAIRS[0, 1] = False
Q, V = RNG.normal(size=(2, 3, 5)), RNG.normal(size=(2, 4, 5))


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (layers.Attention(True, "concat", 0.3, dtype="float64"), {"use_causal_mask": True}),
        (layers.Attention(True, dtype="float64"), {"mask": [None, MASK]}),
        (layers.AdditiveAttention(dropout=0.3, dtype="float64"), {}),
    ],
)
def test_gradients_of_scores_are_those_of_finite_differences(layer, arguments):
    check_gradients(layer, [Q, V, 0.5 * V], **arguments)


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (layers.MultiHeadAttention(2, 3, dtype="float64"), {}),
        (layers.MultiHeadAttention(2, 3, dropout=0.3, dtype="float64"), {"attention_mask": PAIRS}),
        (
            layers.MultiHeadAttention(2, 3, 4, use_gate=True, sliding_window=2, dtype="float64"),
            {"value_mask": MASK, "use_causal_mask": True, "key": 0.5 * V},
        ),
        (layers.GroupQueryAttention(3, 4, 2, dtype="float64"), {"use_causal_mask": True}),
    ],
)
def test_gradients_of_heads_are_those_of_finite_differences(layer, arguments):
    check_gradients(layer, Q, value=V, tolerance=1e-6, **arguments)


def test_gradients_over_several_axes_are_those_of_finite_differences():
    layer = layers.MultiHeadAttention(2, 3, dtype="float64")
    check_gradients(layer, RNG.normal(size=(2, 2, 3, 4)), value=RNG.normal(size=(2, 3, 2, 4)))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_inference_is_one_operator_and_says_the_same(causal, groups, tmp_path):
    """ONNX's Attention, and the nodes that training has, agree on lengths that differ."""
    layer = layers.GroupQueryAttention(8, 4, groups)
    for lengths in ((7, 5), (5, 7), (1, 6)):
        q, v = (RNG.normal(size=(3, length, 6)).astype("float32") for length in lengths)
        fused = layer(q, v, use_causal_mask=causal)
        plain, scores = layer(q, v, use_causal_mask=causal, return_attention_scores=True)
        assert scores.shape == (3, 4, *lengths)
        np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)
    x = keras.Input((None, 6))
    model = keras.Model(x, layer(x, x, use_causal_mask=causal))
    model.export(tmp_path / "m.onnx", opset=23)
    operators = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert operators.count("Attention") == 1
    assert "Softmax" not in operators


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: layers.MultiHeadAttention(0, 3),
            ValueError,
            "Received an invalid value for argument `num_heads`, expected a positive integer. "
            "Received: num_heads=0",
        ),
        (
            lambda: layers.MultiHeadAttention(2, -1),
            ValueError,
            "Received an invalid value for argument `key_dim`, expected a positive integer. "
            "Received: key_dim=-1",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3, 0),
            ValueError,
            "Received an invalid value for argument `value_dim`, expected a positive integer or "
            "`None`. Received: value_dim=0",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3, attention_axes="a"),
            ValueError,
            "`attention_axes` must be an int, list, or tuple. Received: attention_axes=a",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3, sliding_window=0),
            ValueError,
            "`sliding_window` must be `None` or a positive integer. Received: sliding_window=0",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3, flash_attention=True),
            ValueError,
            "`flash_attention=True` is not supported: ONNX has one operator for attention, and the",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3, output_shape=2.5),
            ValueError,
            "Invalid `output_shape`: 2.5. When specified, the `output_shape` should be of type",
        ),
        (
            lambda: layers.GroupQueryAttention(2, 3, 2),
            ValueError,
            "`num_query_heads` must be divisible by `num_key_value_heads`.",
        ),
        (
            lambda: layers.Attention(score_mode="x"),
            ValueError,
            "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. Received: "
            "score_mode=x",
        ),
        (
            lambda: layers.Attention()(Q),
            ValueError,
            "Attention layer must be called on a list of inputs, namely [query, value] or [query, "
            "value, key]. Received: inputs=",
        ),
        (
            lambda: layers.AdditiveAttention()([Q]),
            ValueError,
            "AdditiveAttention layer accepts inputs list of length 2 or 3, namely [query, value] "
            "or [query, value, key]. Received length: 1.",
        ),
        (
            lambda: layers.Attention()([Q, V], mask=MASK),
            ValueError,
            "Attention layer mask must be a list, namely [query_mask, value_mask]. Received: mask=",
        ),
        (
            lambda: layers.Attention()([Q, V], mask=[MASK]),
            ValueError,
            "Attention layer accepts mask list of length 2 or 3. Received: ",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3)(Q),
            TypeError,
            "is called on a query and a value: `layer(query, value)`. Received: a query alone.",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3)(Q, V, V[:, :2]),
            ValueError,
            "All dimensions of `value` and `key`, except the last one, must be equal. Received: "
            "value_shape=(2, 4, 5) and key_shape=(2, 2, 5)",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3).compute_output_shape(
                (2, 3, 5), (2, 4, 5), (2, 2, 5)
            ),
            ValueError,
            "All dimensions of `value` and `key`, except the last one, must be equal.",
        ),
        (
            lambda: layers.MultiHeadAttention(2, 3)(
                keras.Input((None, 2, 4)), keras.Input((3, 2, 4))
            ),
            ValueError,
            "Attention over several axes needs to know their sizes. Received: attention_axes=(1,",
        ),
    ],
)
def test_illegal_calls_and_arguments_are_refused_as_in_keras(make, error, text):
    with pytest.raises(error, match=re.escape(text)):
        make()


def test_output_shapes_are_known_without_a_call():
    layer = layers.MultiHeadAttention(2, 3, output_shape=(5, 2))
    assert layer.compute_output_shape((None, 7, 4), (None, 3, 4)) == (None, 7, 5, 2)
    layer = layers.GroupQueryAttention(2, 4, 2)
    assert layer.compute_output_shape((None, 7, 4), (None, 3, 4)) == (None, 7, 4)


def test_weight_files_have_the_names_of_keras(tmp_path):
    """As Keras 3.15.1 writes them: by attribute, those with a property by its name."""
    h5py = pytest.importorskip("h5py", reason="the format of Keras's weight files")
    x = keras.Input((3, 4))
    attended = layers.MultiHeadAttention(2, 3, use_gate=True)(x, x)
    grouped = layers.GroupQueryAttention(3, 4, 2)(attended, x)
    dense = layers.SpectralNormalization(layers.Dense(2))(grouped)
    model = keras.Model(x, dense)
    model.save_weights(tmp_path / "m.weights.h5")
    shapes = {}
    with h5py.File(tmp_path / "m.weights.h5") as file:
        file.visititems(
            lambda name, item: shapes.update({name: item.shape}) if hasattr(item, "shape") else None
        )
    found = {name.removeprefix("layers/") for name in shapes}
    names = ("_gate_dense", "key_dense", "output_dense", "query_dense", "value_dense")
    wanted = {f"multi_head_attention/{name}/vars/{i}" for name in names for i in (0, 1)}
    names = ("_key_dense", "_output_dense", "_query_dense", "_value_dense")
    wanted |= {f"grouped_query_attention/{name}/vars/{i}" for name in names for i in (0, 1)}
    wanted |= {f"spectral_normalization/{part}vars/{i}" for part in ("", "layer/") for i in (0, 1)}
    assert found == wanted
    assert shapes["layers/spectral_normalization/vars/0"] == (4, 2)
    before = model.get_weights()
    model.set_weights([np.zeros_like(w) for w in before])
    model.load_weights(tmp_path / "m.weights.h5")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
