"""FeatureSpace: each kind of feature by its definition, joined in Keras's order."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seqonnx import Input, Model, load_model
from seqonnx.data import Dataset
from seqonnx.layers import Dense, HashedCrossing, Hashing, TextVectorization
from seqonnx.saving import deserialize_keras_object, serialize_keras_object
from seqonnx.utils import FeatureSpace

DATA = {
    "number": [0.0, 1.0, 2.0, 3.0],
    "count": [3, 3, 5, 7],
    "word": ["b", "a", "b", "c"],
}

BINS = [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
KINDS = [
    ("number", "float", [[0], [1], [2], [3]]),
    ("number", FeatureSpace.float_rescaled(2.0, 1.0), [[1], [3], [5], [7]]),
    ("number", "float_normalized", (np.arange(4)[:, None] - 1.5) / np.sqrt(1.25)),
    ("number", FeatureSpace.float_discretized(None, [0.5, 2.5]), BINS),
    ("count", "integer_categorical", np.eye(4)[[1, 1, 3, 2]]),
    ("count", FeatureSpace.integer_categorical(max_tokens=2), np.eye(2)[[1, 1, 0, 0]]),
    ("word", "string_categorical", np.eye(4)[[1, 3, 1, 2]]),
    ("word", FeatureSpace.string_categorical(num_oov_indices=2), np.eye(5)[[2, 4, 2, 3]]),
]
"""The most frequent value comes first, and of equally frequent ones the greater, as in Keras."""


@pytest.mark.parametrize(("column", "kind", "expected"), KINDS)
def test_kind_encodes_by_its_definition(column, kind, expected):
    space = FeatureSpace({column: kind})
    space.adapt(DATA)
    result = space(DATA)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_hashed_features_and_crosses_are_those_of_the_layers():
    space = FeatureSpace(
        {"count": "integer_hashed", "word": FeatureSpace.string_hashed(5, output_mode="int")},
        crosses=[("word", "count"), FeatureSpace.cross(("count", "word"), 7, output_mode="int")],
        crossing_dim=6,
        hashing_dim=4,
        output_mode="dict",
    )
    result = space(DATA)  # nothing to adapt
    counts, words = np.array(DATA["count"])[:, None], np.array(DATA["word"])[:, None]
    hashed = [Hashing(5)(words), Hashing(4)(counts)]
    np.testing.assert_array_equal(result["word"], hashed[0])
    np.testing.assert_array_equal(result["count"], np.eye(4)[hashed[1][:, 0]])
    crossed = HashedCrossing(6)(hashed)[:, 0]
    np.testing.assert_array_equal(result["word_X_count"], np.eye(6)[crossed])
    np.testing.assert_array_equal(result["count_X_word"], HashedCrossing(7)(hashed[::-1]))
    assert list(result) == ["count", "word", "count_X_word", "word_X_count"]


def space_of_all():
    return FeatureSpace(
        {"word": "string_categorical", "count": "integer_categorical", "number": "float"},
        crosses=[("word", "count")],
        crossing_dim=5,
    )


def test_features_are_joined_by_name_and_crosses_come_last():
    space = space_of_all()
    space.adapt(DATA)
    result = space(DATA)
    assert result.shape == (4, 4 + 1 + 4 + 5)
    np.testing.assert_array_equal(result[:, 4], DATA["number"])
    np.testing.assert_array_equal(result.sum(axis=1) - result[:, 4], [3] * 4)


def test_single_sample_is_encoded_as_its_row_of_a_batch():
    space = space_of_all()
    space.adapt(DATA)
    rows = space(DATA)
    for k in range(4):
        single = space({name: column[k] for name, column in DATA.items()})
        np.testing.assert_array_equal(single, rows[k])
    separate = FeatureSpace({"number": "float", "word": "string_hashed"}, output_mode="dict")
    assert separate({"number": 1.0, "word": "a"})["word"].shape == (32,)


def test_data_set_is_adapted_to_as_the_columns_are():
    whole, single, batched = space_of_all(), space_of_all(), space_of_all()
    whole.adapt(DATA)
    dataset = Dataset.from_tensor_slices(DATA | {"word": np.array(DATA["word"])})
    single.adapt(dataset)
    batched.adapt(dataset.batch(3))
    for other in (single, batched):
        np.testing.assert_array_equal(other(DATA), whole(DATA))
    mapped = next(iter(dataset.map(whole).batch(4)))
    np.testing.assert_array_equal(mapped, whole(DATA))


def test_model_is_built_on_the_encoded_features():
    space = FeatureSpace({"number": "float_normalized", "word": "string_categorical"})
    space.adapt(DATA)
    inputs, encoded = space.get_inputs(), space.get_encoded_features()
    assert list(inputs) == ["number", "word"]
    assert encoded.shape == (None, 5)
    model = Model(inputs, encoded)
    columns = {"number": np.array(DATA["number"], "f")[:, None], "word": np.array(DATA["word"])}
    columns["word"] = columns["word"][:, None]
    np.testing.assert_allclose(model(columns), space(DATA), atol=1e-6)
    features = Input((5,))
    head = Model(features, Dense(1)(features))
    head.compile("sgd", "mse")
    assert len(head.fit(space(DATA), np.ones((4, 1)), verbose=0).history["loss"]) == 1


def test_hashed_features_cannot_be_part_of_a_model():
    with pytest.raises(ValueError, match=r"ONNX has no hash\. Call it on the data before"):
        FeatureSpace({"word": "string_hashed"}).get_encoded_features()


def test_layer_of_ones_own_encodes_a_feature():
    text = TextVectorization(output_mode="multi_hot")
    space = FeatureSpace({"text": FeatureSpace.feature("string", text, "float"), "number": "float"})
    data = {"text": ["a b", "b c"], "number": [1.0, 2.0]}
    space.adapt(data)
    result = space(data)
    assert result.shape == (2, 1 + 4)
    np.testing.assert_array_equal(result[:, 1:].sum(axis=1), [2, 2])
    assert space.preprocessors["text"] is text


def test_file_keeps_what_was_learnt(tmp_path):
    space = FeatureSpace(
        {
            "number": "float_normalized",
            "count": FeatureSpace.float_discretized(3, output_mode="one_hot"),
            "word": "string_categorical",
        },
        crosses=[("word", "count")],
        name="table",
    )
    space.adapt(DATA)
    space.save(tmp_path / "space.json")
    again = FeatureSpace.load(tmp_path / "space.json")
    assert again.name == "table"
    np.testing.assert_array_equal(again(DATA), space(DATA))
    fresh = FeatureSpace.from_config(space_of_all().get_config())
    with pytest.raises(ValueError, match="must see data first: call `adapt`"):
        fresh(DATA)
    (tmp_path / "other.json").write_text("[]", "utf-8")
    with pytest.raises(ValueError, match="is not a file of a feature space"):
        FeatureSpace.load(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FeatureSpace({}), "`features` must name columns"),
        (lambda: FeatureSpace({"a": "number"}), "must be one of float, float_normalized.*for 'a'"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), '"concat" or "dict"'),
        (
            lambda: FeatureSpace({"a": "integer_hashed"}, crosses=[("a", "b")]),
            r"`crosses` must name features.*\['b'\]",
        ),
        (lambda: FeatureSpace.string_hashed(3, output_mode="x"), "must be one of int, one_hot"),
        (lambda: FeatureSpace.cross(("a", "b"), 3, "float"), "must be one of int, one_hot"),
        (lambda: FeatureSpace({"a": "float"})([1.0]), "is called on a dict of columns"),
        (lambda: FeatureSpace({"a": "float"})({"b": 1.0}), r"lack the columns \['a'\]"),
        (lambda: FeatureSpace({"a": "float_normalized"}).adapt(3), "adapts to a dict of columns"),
        (
            lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(3, "int")})({"a": 1}),
            "cannot be joined with numbers",
        ),
    ],
)
def test_wrong_use_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


SAMPLES = Path(__file__).with_name("samples")
TABLE = {
    "a": np.array([1.0, 2.0, 3.0, 4.0]),
    "b": np.array([1, 2, 3, 1]),
    "c": np.array(["x", "y", "x", "z"]),
    "d": np.array([0.1, 0.5, 0.9, 0.3]),
    "e": np.array(["p", "q", "r", "p"]),
    "f": np.array([0.0, 1.0, 2.0, 3.0]),
}


def test_file_of_keras_gives_what_it_gives_there(tmp_path):
    """Keras 3.15.1 reads the file written here, too: `samples/record_feature_space.py FILE`."""
    pytest.importorskip("h5py", reason="Keras's files hold HDF5 files")
    space = load_model(SAMPLES / "feature_space.keras")
    expected = np.load(SAMPLES / "feature_space.npy")
    np.testing.assert_allclose(space(TABLE), expected, atol=1e-6)
    space.save(tmp_path / "space.keras")
    for again in (
        load_model(tmp_path / "space.keras"),
        FeatureSpace.load(tmp_path / "space.keras"),
    ):
        np.testing.assert_allclose(again(TABLE), expected, atol=1e-6)
    with zipfile.ZipFile(SAMPLES / "feature_space.keras") as theirs:
        wanted = json.loads(theirs.read("config.json"))
    with zipfile.ZipFile(tmp_path / "space.keras") as ours:
        found = json.loads(ours.read("config.json"))
    assert found.keys() == wanted.keys()
    assert found["build_config"] == wanted["build_config"]
    for name, each in wanted["config"]["features"].items():
        mine = found["config"]["features"][name]
        assert {**mine, "config": 0} == {**each, "config": 0}
        layers = [x["config"]["preprocessor"] for x in (mine, each)]
        assert layers[0]["class_name"] == layers[1]["class_name"]
        assert layers[0]["module"] == layers[1]["module"]
    assert found["config"]["crosses"] == wanted["config"]["crosses"]


def test_configuration_goes_through_json_and_back():
    space = space_of_all()
    entry = json.loads(json.dumps(serialize_keras_object(space)))
    again = deserialize_keras_object(entry)
    assert type(again) is FeatureSpace
    assert json.loads(json.dumps(serialize_keras_object(again))) == entry
    with pytest.raises(ValueError, match="must see data first"):
        again(DATA)


def test_file_of_something_else_is_refused(tmp_path):
    pytest.importorskip("h5py", reason="Keras's files hold HDF5 files")
    x = Input((1,))
    Model(x, Dense(1)(x)).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="holds a Functional, not a FeatureSpace"):
        FeatureSpace.load(tmp_path / "m.keras")
