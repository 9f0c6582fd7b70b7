"""Models of text: predict, evaluate and fit take strings in every form that data come in."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.training.data import PyDataset

TEXTS = ["good film", "bad film", "good", "so bad", "a good film", "bad"]
X = np.array(TEXTS)[:, None]
Y = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])[:, None]


def words():
    return layers.TextVectorization(
        standardize="lower", output_sequence_length=3, vocabulary=["good", "bad", "film", "so"]
    )


def head():
    return [layers.Embedding(6, 4), layers.Flatten(), layers.Dense(1, "sigmoid")]


def text_model():
    keras.set_random_seed(1)
    model = keras.Sequential([keras.Input((1,), dtype="string"), words(), *head()])
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", ["accuracy"])
    return model


class Numbered(PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[2 * index : 2 * index + 2], Y[2 * index : 2 * index + 2]


def test_model_of_text_trains_as_the_same_model_of_numbers():
    model = text_model()
    keras.set_random_seed(1)
    numbers = keras.Sequential([keras.Input((3,), dtype="int64"), *head()])
    numbers.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", ["accuracy"])
    encoded = words()(X)
    numbers.layers[0].set_weights(model.layers[1].get_weights())
    numbers.layers[2].set_weights(model.layers[3].get_weights())
    options = {"epochs": 4, "batch_size": 4, "verbose": 0, "validation_split": 0.34}
    found, wanted = model.fit(X, Y, **options), numbers.fit(encoded, Y, **options)
    assert found.history == wanted.history
    assert found.history["loss"][-1] < found.history["loss"][0]
    assert model.evaluate(X, Y, verbose=0) == numbers.evaluate(encoded, Y, verbose=0)
    np.testing.assert_array_equal(model.predict(X, verbose=0), numbers.predict(encoded, verbose=0))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (TEXTS, Y),
        ([[text] for text in TEXTS], Y),
        (X.astype(object), Y),
        (X.astype("S"), Y),
        (Numbered(), None),
        ([(X[:4], Y[:4]), (X[4:], Y[4:])], None),
    ],
    ids=["list", "rows", "objects", "bytes", "dataset", "batches"],
)
def test_every_form_of_text_gives_the_same(x, y):
    model = text_model()
    wanted = model.evaluate(X, Y, verbose=0)
    data = iter(x) if isinstance(x, list) and y is None else x
    np.testing.assert_allclose(model.evaluate(data, y, verbose=0), wanted, rtol=1e-6)
    data = iter(x) if isinstance(x, list) and y is None else x
    model.fit(data, y, verbose=0)


def test_vocabulary_learned_later_counts_in_the_next_step():
    layer = layers.StringLookup(vocabulary=["a"], has_input_vocabulary=False)
    model = keras.Sequential([keras.Input((1,), dtype="string"), layer, layers.Embedding(4, 1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = np.array([["b"]])
    embedding = model.layers[1]
    embedding.set_weights([np.zeros((4, 1))])
    model.train_on_batch(x, np.ones((1, 1, 1)))
    assert embedding.get_weights()[0].ravel().tolist() == [2.0, 0.0, 0.0, 0.0]
    layer.adapt(["a", "b", "a"])
    model.train_on_batch(x, np.ones((1, 1, 1)))
    assert embedding.get_weights()[0].ravel().tolist() == [2.0, 0.0, 2.0, 0.0]


class Reader(keras.Model):
    """A model that its data builds."""

    def __init__(self):
        super().__init__()
        self.own = [words(), *head()]

    def call(self, x):
        for layer in self.own:
            x = layer(x)
        return x


class TextAndNumber(keras.Model):
    """A model of two inputs that its data builds."""

    def __init__(self):
        super().__init__()
        self.words, self.embed, self.dense = words(), head()[0], layers.Dense(1)

    def call(self, x):
        text, number = (x["t"], x["n"]) if isinstance(x, dict) else x
        return self.dense(
            layers.Concatenate()([layers.Flatten()(self.embed(self.words(text))), number])
        )


@pytest.mark.parametrize("kind", ["sequential", "subclass"])
@pytest.mark.parametrize("form", ["array", "rows", "bytes", "generator", "dataset", "frame"])
def test_model_that_is_built_by_its_data_takes_text(kind, form):
    wanted = text_model()
    keras.set_random_seed(1)
    model = keras.Sequential([words(), *head()]) if kind == "sequential" else Reader()
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy", ["accuracy"])
    x, y = {
        "array": lambda: (X, Y),
        "rows": lambda: ([[text] for text in TEXTS], Y),
        "bytes": lambda: (X.astype("S"), Y),
        "generator": lambda: (iter([(X, Y)]), None),
        "dataset": lambda: (Numbered(), None),
        "frame": lambda: (
            pytest.importorskip("pandas", reason="pandas").DataFrame({"a": TEXTS}),
            Y,
        ),
    }[form]()
    model.fit(x, y, batch_size=None if y is None else 2, shuffle=False, verbose=0)
    given = (iter([(X, Y)]) if form == "generator" else X), (None if form == "generator" else Y)
    wanted.fit(*given, batch_size=None if form == "generator" else 2, shuffle=False, verbose=0)
    assert model.inputs[0].dtype == "string"
    np.testing.assert_array_equal(model.predict(X, verbose=0), wanted.predict(X, verbose=0))


@pytest.mark.parametrize("form", ["dict", "list", "generator of dicts", "generator of tuples"])
def test_model_of_several_inputs_that_is_built_by_its_data_takes_text(form):
    named, listed = {"t": X, "n": np.ones((6, 2))}, [X, np.ones((6, 2), np.float32)]
    data = {
        "dict": (named, Y),
        "list": (listed, Y),
        "generator of dicts": (iter([(named, Y)]), None),
        "generator of tuples": (iter([(tuple(listed), Y)]), None),
    }[form]
    model = TextAndNumber()
    model.compile("sgd", "mse")
    split = {} if data[1] is None else {"validation_split": 0.34}
    model.fit(*data, verbose=0, **split)
    assert [tensor.dtype for tensor in model.inputs] == ["string", "float32"]
    assert model.predict(named if "dict" in form else listed, verbose=0).shape == (6, 1)


def test_call_builds_a_model_for_text():
    assert np.asarray(Reader()(X)).shape == (6, 1)
    assert Reader().predict_on_batch(X).shape == (6, 1)


@pytest.mark.parametrize("x", [X, TEXTS])
def test_text_for_a_model_of_numbers_says_what_to_do(x):
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(
        ValueError,
        match=r"`x` holds text, and model 'sequential.*' cannot be built for that: .*Encode text",
    ):
        model.fit(x, Y, verbose=0)


def test_text_beside_numbers():
    text, number = keras.Input((1,), dtype="string", name="t"), keras.Input((2,), name="n")
    joined = layers.Concatenate()([layers.Flatten()(head()[0](words()(text))), number])
    model = keras.Model([text, number], layers.Dense(1)(joined))
    model.compile("sgd", "mse")
    data = {"t": X, "n": np.ones((6, 2), np.float32)}
    before = model.evaluate(data, Y, verbose=0)
    model.fit(data, Y, epochs=3, verbose=0)
    assert model.evaluate([X, data["n"]], Y, verbose=0) < before
    assert model.predict(data, verbose=0).shape == (6, 1)


def test_data_pipeline_maps_text_through_layers_on_the_host():
    """Removing punctuation and hashes are not in ONNX: such layers stand in the pipeline."""
    vectorize = layers.TextVectorization(6, output_sequence_length=3)
    vectorize.adapt(f"{text}!" for text in TEXTS)
    hashed = layers.Hashing(4, output_mode="one_hot")
    text, bins = keras.Input((3,), dtype="int64"), keras.Input((4,))
    joined = layers.Concatenate()([layers.Flatten()(head()[0](text)), bins])
    model = keras.Model([text, bins], layers.Dense(1)(joined))
    model.compile("sgd", "mse")

    def batches():
        for start in (0, 3):
            x = X[start : start + 3]
            yield (vectorize(x), hashed(x)), Y[start : start + 3]

    whole = [vectorize(X), hashed(X)]
    before = model.evaluate(whole, Y, verbose=0)
    assert model.evaluate(batches(), verbose=0) == pytest.approx(before, rel=1e-5)
    model.fit(batches(), verbose=0)
    assert model.evaluate(whole, Y, verbose=0) < before


def test_saved_model_of_text_goes_on(tmp_path):
    model = text_model()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.onnx")
    again = keras.load_model(tmp_path / "m.onnx")
    assert again.fit(X, Y, verbose=0).history == model.fit(X, Y, verbose=0).history


def test_layer_inside_that_trains_on_text_is_refused():
    inner = keras.Sequential([keras.Input((1,), dtype="string"), words(), *head()], name="inner")
    model = keras.Sequential([keras.Input((1,), dtype="string"), inner])
    model.compile("sgd", "mse")
    assert model.predict(X, verbose=0).shape == (6, 1)
    with pytest.raises(ValueError, match="Layer 'inner' reads text and has weights to train"):
        model.fit(X, Y, verbose=0)
    inner.trainable = False
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, verbose=0) > 0


def test_numbers_for_text_are_refused():
    with pytest.raises(ValueError, match=r"`x` must hold text\. Received data of dtype float64"):
        text_model().predict(np.ones((64, 1)), verbose=0)
    with pytest.raises(ValueError, match="`inputs` must hold text"):
        text_model()(np.ones((2, 1)))
