"""TextVectorization: values of Keras 3.15.1, on the host and in graphs, and what is refused."""

from __future__ import annotations

import copy
import json

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.layers import TextVectorization

TEXTS = ["Hello, World! x", "a\tb  c", ""]
FROM_ELSEWHERE = {"class_name": "TextVectorization", "config": {"vocabulary": "/etc/hosts"}}


def parts_at_bar(texts):
    return [text.split("|") for text in texts]


@pytest.mark.parametrize(
    ("arguments", "x", "wanted"),
    [
        ({"vocabulary": ["hello", "a"]}, TEXTS, [[2, 1, 1], [3, 1, 1], [0, 0, 0]]),
        ({"output_sequence_length": 2}, TEXTS, [[2, 1], [3, 1], [0, 0]]),
        (
            {"output_sequence_length": 5},
            TEXTS,
            [[2, 1, 1, 0, 0], [3, 1, 1, 0, 0], [0, 0, 0, 0, 0]],
        ),
        (
            {"vocabulary": ["hello world", "a b c"], "ngrams": (2, 3)},
            TEXTS,
            [[2, 1, 1], [1, 1, 3], [0, 0, 0]],
        ),
        (
            {"vocabulary": ["hello world", "a", "a b c"], "ngrams": 2},
            TEXTS,
            [[1, 1, 1, 2, 1], [3, 1, 1, 1, 1], [0, 0, 0, 0, 0]],
        ),
        (
            {"vocabulary": ["h", "a", "é"], "split": "character"},
            ["Hé a", ""],
            [[2, 4, 1, 3], [0, 0, 0, 0]],
        ),
        ({"output_mode": "multi_hot"}, TEXTS, [[1, 1, 0], [1, 0, 1], [0, 0, 0]]),
        (
            {"output_mode": "count", "max_tokens": 6, "pad_to_max_tokens": True},
            TEXTS,
            [[2, 1, 0, 0, 0, 0], [2, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]],
        ),
        ({"vocabulary": ["hello world x"], "split": None}, TEXTS, [2, 1, 0]),
        ({"split": None}, [["hello", "A"], ["a", "b"]], [[2, 3], [3, 1]]),
        (
            {"split": None, "output_sequence_length": 3},
            [["hello", "A"], ["a", "b"]],
            [[2, 3, 0], [3, 1, 0]],
        ),
        ({}, "hello a b", [2, 3, 1]),
        ({"standardize": None, "vocabulary": ["A"]}, ["A a"], [[2, 1]]),
        ({"standardize": "strip_punctuation", "vocabulary": ["A"]}, ["A! a"], [[2, 1]]),
        ({"vocabulary": ["É", "é"]}, ["É é"], [[2, 3]]),  # letters of ASCII alone are made lower
        ({}, ["a\u00a0a a\x1cb"], [[1, 1]]),  # whitespace is that of ASCII
        (
            {"standardize": np.char.lower, "split": parts_at_bar, "vocabulary": ["b", "a"]},
            ["A|b", "b"],
            [[3, 2], [2, 0]],
        ),
        ({}, [b"Hello", b"a"], [[2], [3]]),
    ],
)
def test_texts(arguments, x, wanted):
    layer = TextVectorization(**{"vocabulary": ["hello", "a"], **arguments})
    assert layer(x).tolist() == wanted
    assert layer(x).dtype == ("int64" if layer.output_mode == "int" else "float32")
    if np.ndim(x) == 1 and layer.split is not None:
        assert layer(np.array(x)[:, None]).tolist() == wanted


def test_vocabulary_is_learned_as_keras_does():
    layer = TextVectorization()
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == ["", "[UNK]", "x", "world", "hello", "c", "b", "a"]
    assert layer(TEXTS).tolist() == [[4, 3, 2], [7, 6, 5], [0, 0, 0]]
    weighed = TextVectorization(output_mode="tf_idf", max_tokens=10, pad_to_max_tokens=True)
    weighed.adapt(TEXTS)
    row = [0.0, *[0.9162907600402832] * 3, *[0.0] * 6]
    np.testing.assert_allclose(weighed(TEXTS)[0], row, rtol=1e-6)
    assert weighed(TEXTS)[2].tolist() == [0.0] * 10


@pytest.mark.parametrize(
    "data",
    [
        lambda: np.array(TEXTS),
        lambda: np.array(TEXTS)[:, None],
        lambda: ([text] for text in TEXTS),
        lambda: iter([(np.array(TEXTS), np.zeros(3))]),
        lambda: [text.encode() for text in TEXTS],
    ],
    ids=["array", "column", "generator", "pairs", "bytes"],
)
def test_every_kind_of_data_gives_the_same_vocabulary(data):
    layer = TextVectorization(ngrams=2)
    layer.adapt(TEXTS)
    again = TextVectorization(ngrams=2)
    again.adapt(data(), batch_size=2)
    assert again.get_vocabulary() == layer.get_vocabulary()
    again.adapt((["only this"] for _ in iter(int, 1)), steps=3)
    assert again.get_vocabulary() == ["", "[UNK]", "this", "only this", "only"]


MESSY = ["Hello,  World! x", "a\tb  c\nÄÉ a\r\n b", "", " ", "\t\n", "a\vb\fhello c"]
IN_GRAPH = [
    {},
    {"output_sequence_length": 2},
    {"output_sequence_length": 9},
    {"output_mode": "count"},
    {"output_mode": "multi_hot"},
    {"output_mode": "tf_idf", "idf_weights": [0.5, 1.0, 2.0, 4.0]},
    {"output_mode": "count", "max_tokens": 9, "pad_to_max_tokens": True},
]


def pair(arguments):
    """Two layers that do the same, one in a graph and one on the host."""
    arguments = {"vocabulary": ["hello", "a", "b", "c"], **arguments}
    host = TextVectorization(standardize=lambda texts: texts, **arguments)
    return TextVectorization(standardize=None, **arguments), host


@pytest.mark.parametrize("arguments", IN_GRAPH, ids=str)
@pytest.mark.parametrize("texts", [MESSY, ["", ""], ["a"], []], ids=len)
def test_graph_parts_texts_as_the_host_does(arguments, texts, tmp_path):
    graph, host = pair(arguments)
    x = np.array(texts, object).reshape(-1, 1)
    wanted = host(x)
    np.testing.assert_array_equal(graph(x), wanted)
    model = keras.Sequential([keras.Input((1,), dtype="string"), graph])
    model.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_array_equal(found, wanted)


def test_graph_makes_letters_lower_in_any_locale(tmp_path):
    layer = TextVectorization(standardize="lower", vocabulary=["abcÄ", "xyz"])
    model = keras.Sequential([keras.Input((), dtype="string"), layer])
    texts = ["ABCÄ xyz", "XYZ abcä"]
    assert model.predict(np.array(texts), verbose=0).tolist() == [[2, 3], [3, 1]]
    assert layer(np.array([], object)).shape == (0, 0)
    model.export(tmp_path / "m.onnx")
    (node,) = (n for n in onnx.load(tmp_path / "m.onnx").graph.node if "Normalizer" in n.op_type)
    assert [a.s for a in node.attribute if a.name == "locale"] == [b"C"]


def test_exported_file_is_a_layer_on_text(tmp_path):
    layer = TextVectorization(standardize="lower", vocabulary=["a", "b"])
    keras.Sequential([keras.Input((1,), dtype="string"), layer]).export(tmp_path / "m.onnx")
    found = layers.ONNXModel(tmp_path / "m.onnx", trainable=False)
    x = np.array([["B a"], ["c"]])
    assert found(x).tolist() == layer(x).tolist() == [[3, 2], [1, 0]]
    model = keras.Sequential([keras.Input((1,), dtype="string"), found])
    assert model.predict(x, verbose=0).tolist() == [[3, 2], [1, 0]]


@pytest.mark.parametrize(
    ("shape", "arguments", "wanted", "dtype"),
    [
        ((1,), {}, (None, None), "int64"),
        ((), {"output_sequence_length": 4}, (None, 4), "int64"),
        ((), {"output_mode": "count"}, (None, 2), "float32"),
        ((2,), {"split": None}, (None, 2), "int64"),
        ((2,), {"split": None, "output_sequence_length": 3}, (None, 3), "int64"),
    ],
)
def test_shapes_in_a_model(shape, arguments, wanted, dtype):
    layer = TextVectorization(standardize="lower", vocabulary=["a"], **arguments)
    inputs = keras.Input(shape, dtype="string")
    output = layer(inputs)
    assert (output.shape, output.dtype) == (wanted, dtype)
    (given,) = keras.Model(inputs, output).to_onnx().graph.output
    assert given.type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "standardize='lower_and_strip_punctuation'"),
        ({"standardize": np.char.lower}, "standardize=<"),
        ({"standardize": None, "split": "character"}, "split='character'"),
        ({"standardize": None, "ngrams": 2}, "ngrams=2"),
    ],
)
def test_what_onnx_cannot_say_is_refused_in_a_model(arguments, named):
    layer = TextVectorization(vocabulary=["a"], **arguments)
    with pytest.raises(ValueError, match=f"no operators for {named}.* from the numbers on; or use"):
        layer(keras.Input((1,), dtype="string"))


@pytest.mark.parametrize(
    "layer",
    [
        TextVectorization(9, "lower", None, None, "int", 7, vocabulary=["a", "b"]),
        TextVectorization(9, None, "character", (1, 3), vocabulary=["a", "b"]),
        TextVectorization(),
    ],
)
def test_copies_have_the_vocabulary(layer):
    layer = copy.deepcopy(layer)
    if layer.vocabulary_size() == 2:
        layer.adapt(TEXTS)
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert again.get_config() == layer.get_config()
    assert again(TEXTS).tolist() == layer(TEXTS).tolist()
    assert again.get_vocabulary() == layer.get_vocabulary()


def test_functions_of_ones_own_are_saved_by_their_names():
    layer = TextVectorization(standardize=None, split=parts_at_bar, vocabulary=["a", "b"])
    config = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(config, {"parts_at_bar": parts_at_bar})
    assert again(["b|a"]).tolist() == layer(["b|a"]).tolist() == [[3, 2]]
    with pytest.raises(ValueError, match="Received: split=parts_at_bar"):
        layers.deserialize(config)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: TextVectorization(standardize="upper"), "`standardize` argument of Text.*=upper"),
        (lambda: TextVectorization(split="comma"), r"\('whitespace', 'character'\).*split=comma"),
        (lambda: TextVectorization(ngrams="2"), "an integer, or a tuple of integers. .*ngrams=2"),
        (lambda: TextVectorization(output_mode="hot"), "`output_mode` argument of TextVec"),
        (lambda: TextVectorization(output_sequence_length="3"), "None or an integer when"),
        (
            lambda: TextVectorization(output_mode="count", output_sequence_length=3),
            "must not be set if `output_mode` is not 'int'",
        ),
        (lambda: TextVectorization(ragged=True), "ONNX has no ragged tensors"),
        (lambda: TextVectorization(sparse=True, output_mode="count"), "`sparse=True` cannot be"),
        (lambda: TextVectorization(vocabulary=["a"])([["a", "b"]]), r"shape=\(1, 2\) with rank=2"),
        (lambda: pair({})[0]([["a", "b"]]), r"inputs.shape=\(1, 2\)|rank=2"),
        (lambda: TextVectorization(vocabulary=["a"]).adapt(["b"]), "after setting a static voc"),
        (lambda: TextVectorization().adapt([1, 2]), "`data` must hold text. .*int64"),
        (lambda: layers.deserialize(FROM_ELSEWHERE), "sensitive files"),
    ],
)
def test_wrong_arguments_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_layer_without_a_vocabulary_says_so():
    with pytest.raises(RuntimeError, match="You must set the layer's vocabulary before calling"):
        TextVectorization()(TEXTS)
