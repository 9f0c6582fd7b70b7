"""StringLookup and IntegerLookup: values of Keras 3.15.1, vocabularies, adapt, errors, files."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ExecutionError
from seqonnx.layers import IntegerLookup, StringLookup

WORDS = np.array([["a", "b", "q", "q"]])


@pytest.mark.parametrize(
    ("arguments", "x", "wanted"),
    [
        ({}, [["a", "b", "q"]], [[1, 2, 0]]),
        ({"mask_token": "m"}, [["m", "a", "q"]], [[0, 2, 1]]),
        ({"num_oov_indices": 0}, ["b", "a"], [1, 0]),
        ({"num_oov_indices": 3}, ["a", "b", "q", "zebra"], [3, 4, 2, 2]),
        ({"num_oov_indices": 3, "salt": [1, 2]}, ["a", "q", "zebra"], [3, 0, 1]),
        ({"num_oov_indices": 3, "salt": [1, 2], "mask_token": ""}, ["", "q"], [0, 1]),
        ({"invert": True, "mask_token": ""}, [0, 1, 2, 3, 9], ["", "[UNK]", "a", "b", "[UNK]"]),
        ({"output_mode": "multi_hot"}, [["a", "b", "q"]], [[1, 1, 1]]),
        ({"output_mode": "one_hot"}, ["a", "b", "q"], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
        ({"output_mode": "count"}, WORDS, [[2, 1, 1]]),
        ({"output_mode": "count", "mask_token": "a"}, [["a", "z", "b"]], [[1, 1]]),
        ({"output_mode": "tf_idf", "idf_weights": [0.5, 2.0]}, WORDS, [[2.5, 0.5, 2.0]]),
        (
            {"output_mode": "count", "max_tokens": 5, "pad_to_max_tokens": True},
            WORDS,
            [[2, 1, 1, 0, 0]],
        ),
        ({}, "a", 1),
        ({}, [[b"a", b"b"]], [[1, 2]]),
    ],
)
def test_strings(arguments, x, wanted):
    vocabulary = ["b"] if arguments.get("mask_token") == "a" else ["a", "b"]
    layer = StringLookup(vocabulary=vocabulary, **arguments)
    assert layer(x).tolist() == wanted
    whole = {"int": "object" if layer.invert else "int64"}
    assert layer(x).dtype == whole.get(layer.output_mode, "float32")


@pytest.mark.parametrize(
    ("arguments", "x", "wanted"),
    [
        ({"mask_token": 0}, [[0, 5, 7, 9]], [[0, 2, 3, 1]]),
        ({"num_oov_indices": 3}, [[-1, 5, 7, 9, -5]], [[2, 3, 4, 0, 1]]),
        (
            {"num_oov_indices": 3, "oov_method": "farmhash"},
            [[-1, 5, 7, 9, -5]],
            [[0, 3, 4, 2, 0]],
        ),
        ({"output_mode": "count", "mask_token": 0}, [[0, 5, 7, 9, 5]], [[1, 2, 1]]),
        ({"invert": True, "mask_token": 0}, [[0, 1, 2, 3, 9]], [[0, -1, 5, 7, -1]]),
        ({}, [[5.7, 7.0]], [[1, 2]]),
        ({}, np.array([[5, 9]], np.int32), [[1, 0]]),
    ],
)
def test_integers(arguments, x, wanted):
    assert IntegerLookup(vocabulary=np.array([5, 7]), **arguments)(x).tolist() == wanted


def test_vocabulary_is_learned_as_keras_does():
    layer = StringLookup(max_tokens=5, output_mode="tf_idf")
    layer.adapt([["a", "b", "a"], ["c", "a", "d"]])
    assert layer.get_vocabulary() == ["[UNK]", "a", "d", "c", "b"]
    assert layer.get_vocabulary(include_special_tokens=False) == ["a", "d", "c", "b"]
    assert layer.vocabulary_size() == 5
    weights = layer(np.array([["a", "b", "c", "d", "x"]]))
    wanted = [0.6475667953491211, 0.5108256340026855, *[0.6931471824645996] * 3]
    np.testing.assert_allclose(weights, [wanted], rtol=1e-6)


@pytest.mark.parametrize(
    "data",
    [
        lambda: ["x", "y", "x"],
        lambda: np.array([["x", "y"], ["x", "x"]]),
        lambda: (np.array(part) for part in (["x"], ["y", "x"])),
        lambda: iter([(["x", "y", "x"], [1.0])]),
        lambda: [b"x", b"y", b"x"],
    ],
    ids=["list", "array", "generator", "pairs", "bytes"],
)
def test_every_kind_of_data_gives_the_same_vocabulary(data):
    layer = StringLookup()
    layer.adapt(data())
    assert layer.get_vocabulary() == ["[UNK]", "x", "y"]
    layer.adapt(["z"])  # in place of what was before
    assert layer.get_vocabulary() == ["[UNK]", "z"]


def test_integers_are_learned_without_mask_and_unknown_ones():
    layer = IntegerLookup(mask_token=0, max_tokens=4)
    layer.adapt([[0, 9, 9], [-1, 4, 5]])
    assert layer.get_vocabulary() == [0, -1, 9, 5]
    layer.adapt((np.array([[i, i]]) for i in iter(int, 1)), steps=2)
    assert layer.get_vocabulary() == [0, -1, 9, 5]  # there was nothing to learn


def test_vocabulary_with_the_places_in_front():
    layer = StringLookup(mask_token="", vocabulary=["", "[UNK]", "a"])
    assert layer(["", "a", "z"]).tolist() == [0, 2, 1]
    layer.set_vocabulary(["c", "b"])
    assert layer.get_vocabulary() == ["", "[UNK]", "c", "b"]
    weighed = StringLookup(output_mode="tf_idf", vocabulary=["[UNK]", "a"], idf_weights=[9.0, 1.0])
    assert weighed([["a", "z", "z"]]).tolist() == [[18.0, 1.0]]


def test_vocabulary_from_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("é\r\nb\nc d\n".encode())
    for given in (path, str(path)):
        layer = StringLookup(vocabulary=given)
        assert layer.get_vocabulary() == ["[UNK]", "é", "b", "c d"]
    assert layer(["c d", "é"]).tolist() == [3, 1]
    (tmp_path / "numbers.txt").write_text("12\n-3")
    assert IntegerLookup(vocabulary=str(tmp_path / "numbers.txt"))([-3]).tolist() == [2]
    with pytest.raises(ValueError, match=r"Vocabulary file .*none.txt does not exist"):
        StringLookup(vocabulary=str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match="must hold integers"):
        IntegerLookup(vocabulary=path)
    with pytest.raises(ValueError, match="does not support loading a vocabulary from file"):
        StringLookup(vocabulary=path, output_mode="tf_idf", idf_weights=[1.0] * 3)


def test_configuration_from_elsewhere_reads_no_file(tmp_path):
    entry = layers.serialize(StringLookup(vocabulary=["a"]))
    entry["config"]["vocabulary"] = str(tmp_path)
    with pytest.raises(ValueError, match="risk of loading arbitrary and sensitive files"):
        layers.deserialize(entry)


@pytest.mark.parametrize(
    "layer",
    [
        StringLookup(vocabulary=["a", "b"], mask_token="m", num_oov_indices=2),
        StringLookup(vocabulary=["[UNK]", "a"], output_mode="tf_idf", idf_weights=[3.0, 0.5]),
        IntegerLookup(8, vocabulary=[4, 2], output_mode="count", pad_to_max_tokens=True),
        StringLookup(),
    ],
    ids=["plain", "tf_idf", "padded", "empty"],
)
def test_copies_have_the_vocabulary(layer):
    config = json.loads(json.dumps(layer.get_config()))
    made = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    for again in (made, type(layer).from_config(config), copy.deepcopy(layer)):
        assert again.get_config() == layer.get_config()
        assert again.get_vocabulary() == layer.get_vocabulary()
    assert pickle.loads(pickle.dumps(layer)).get_vocabulary() == layer.get_vocabulary()


def test_learned_vocabulary_is_saved_and_may_be_learned_anew(tmp_path):
    layer = StringLookup(output_mode="multi_hot", name="words")
    layer.adapt(["x", "y", "x"])
    model = keras.Sequential([keras.Input((2,), dtype="string"), layer, layers.Dense(2)])
    x = np.array([["x", "z"], ["y", "y"]])
    wanted = model.predict(x, verbose=0)
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(again.predict(x, verbose=0), wanted)
    again.layers[0].adapt(["y", "z", "y"])
    assert (again.predict(x, verbose=0) != wanted).any()
    with pytest.raises(RuntimeError, match="Old vocab size is 3, new vocab size is 4"):
        again.layers[0].adapt(["a", "b", "c"])
    model.export(tmp_path / "e.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "e.onnx")
    (name,) = (each.name for each in session.get_inputs())
    np.testing.assert_allclose(session.run(None, {name: x.astype(object)})[0], wanted, rtol=1e-5)


def test_model_may_be_built_before_the_layer_adapts():
    layer = StringLookup()
    model = keras.Sequential([keras.Input((2,), dtype="string"), layer])
    x = np.array([["x", "y"]])
    with pytest.raises(RuntimeError, match="You must set the layer's vocabulary before calling"):
        model.predict(x, verbose=0)
    layer.adapt(["x"])
    assert model.predict(x, verbose=0).tolist() == [[1, 0]]
    with pytest.raises(RuntimeError, match="`output_mode=count` and `pad_to_max_tokens=False`"):
        StringLookup(output_mode="count")(keras.Input((2,), dtype="string"))


def test_numbers_become_strings_in_a_model(tmp_path):
    inputs = keras.Input((2,), dtype="int64")
    words = StringLookup(vocabulary=["a", "é"], invert=True)(inputs)
    assert words.dtype == "string"
    model = keras.Model(inputs, words)
    x = np.array([[0, 1], [2, 7]])
    wanted = [["[UNK]", "a"], ["é", "[UNK]"]]
    assert model.predict(x, verbose=0).tolist() == wanted
    assert model.predict(np.tile(x, (40, 1)), verbose=0).tolist() == wanted * 40
    assert model.predict(x[:0], verbose=0).shape == (0, 2)
    model.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert session.run(None, {session.get_inputs()[0].name: x})[0].tolist() == wanted


def test_integers_are_looked_up_in_a_model_in_front_of_an_embedding():
    lookup = IntegerLookup(vocabulary=[50, 70, 90], num_oov_indices=2, mask_token=0)
    model = keras.Sequential(
        [keras.Input((3,), dtype="int64"), lookup, layers.Embedding(6, 2), layers.Flatten()]
    )
    x = np.array([[50, 0, 7], [90, 8, 70]])
    numbers = [[3, 0, 2], [5, 1, 4]]
    assert lookup(x).tolist() == numbers
    rows = model.layers[1].get_weights()[0][np.array(numbers)].reshape(2, 6)
    np.testing.assert_array_equal(model.predict(x, verbose=0), rows)
    model.compile("sgd", "mse")
    before = model.layers[1].get_weights()[0]
    model.fit(x, np.ones((2, 6)), verbose=0)
    assert ((model.layers[1].get_weights()[0] != before).all(-1)).tolist() == [True] * 6


def test_call_does_not_walk_the_vocabulary():
    """The layers inside a layer are looked for in its lists and dicts at every call."""
    layer = StringLookup(vocabulary=[str(number) for number in range(1000)])
    layer(["7"])
    held = [value for value in vars(layer).values() if isinstance(value, list | tuple | dict)]
    assert max(map(len, held)) < 10


def test_unknown_token_is_an_error_where_there_is_no_place_for_it():
    layer = StringLookup(vocabulary=["a"], num_oov_indices=0)
    with pytest.raises(ValueError, match=r"found OOV values \['b', 'q'\], consider setting"):
        layer(["a", "b", "q"])
    model = keras.Sequential([keras.Input((1,), dtype="string"), layer])
    assert model.predict(np.array([["a"]]), verbose=0).tolist() == [[0]]
    with pytest.raises(ExecutionError, match="every_token_must_be_in_the_vocabulary"):
        model.predict(np.array([["b"]]), verbose=0)


VOCABULARY = {"vocabulary": ["a"]}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: StringLookup(1), "If set, `max_tokens` must be greater than 1. .*max_tokens=1"),
        (lambda: IntegerLookup(1), "is set for `IntegerLookup`, it must be greater than 1"),
        (lambda: StringLookup(num_oov_indices=-1), "or equal to 0. Received: num_oov_indices=-1"),
        (lambda: IntegerLookup(num_oov_indices=-1), "for `IntegerLookup` must >= 0"),
        (lambda: StringLookup(pad_to_max_tokens=True), "must set `max_tokens`. Received"),
        (lambda: IntegerLookup(vocabulary_dtype="int32"), "Only `vocabulary_dtype='int64'`"),
        (lambda: IntegerLookup(oov_method="md5"), "Unknown value for `oov_method` argument of"),
        (lambda: IntegerLookup(salt=3), "`salt` can only be used when `oov_method='farmhash'`"),
        (lambda: StringLookup(salt="x"), "tuple of size 2 integers, or a single integer"),
        (lambda: StringLookup(output_mode="hot"), "Allowed values are: .*'tf_idf'.*=hot"),
        (lambda: StringLookup(invert=True, output_mode="count"), "`'int'` when `invert` is true"),
        (lambda: StringLookup(sparse=True, output_mode="count"), "`sparse=True` cannot be had"),
        (lambda: StringLookup(encoding="latin-1"), "bytes are decoded as UTF-8. .*latin-1"),
        (lambda: StringLookup(vocabulary=[]), "Cannot set an empty vocabulary"),
        (lambda: StringLookup(vocabulary=[["a"]]), r"must have one axis. .*shape \(1, 1\)"),
        (lambda: StringLookup(vocabulary=["a", "b", "a"]), r"repeated terms are: \['a'\]"),
        (lambda: StringLookup(vocabulary=["a", ""], mask_token=""), "mask token at unexpected"),
        (lambda: StringLookup(vocabulary=["a", "[UNK]"], invert=True), "OOV token at unexpected"),
        (lambda: StringLookup(2, vocabulary=["a", "b"]), "size is 3; `max_tokens` is 2"),
        (lambda: StringLookup(output_mode="tf_idf", **VOCABULARY), "`idf_weights` argument must"),
        (lambda: StringLookup(idf_weights=[1.0], **VOCABULARY), "only be set if `output_mode` is"),
        (
            lambda: StringLookup(output_mode="tf_idf", idf_weights=[1.0, 2.0], **VOCABULARY),
            r"len\(idf_weights\) is 2; len\(vocabulary\) is 1",
        ),
        (lambda: StringLookup().set_vocabulary(["a"], [1.0]), "should only be set if output_mode"),
        (lambda: StringLookup(**VOCABULARY).adapt(["b"]), "after setting a static vocabulary"),
        (lambda: StringLookup(**VOCABULARY)([[1, 2]]), "must hold text. .*dtype int64"),
        (lambda: StringLookup(**VOCABULARY)([["a", None]]), r"Received: None .* place \(.*0.*1"),
        (
            lambda: StringLookup(num_oov_indices=2, **VOCABULARY)(keras.Input((), dtype="string")),
            "which ONNX does not have, .*use `num_oov_indices=1`",
        ),
    ],
)
def test_wrong_arguments_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
