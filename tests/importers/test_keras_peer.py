"""Real Keras and seqonnx read each other's weights and predict the same."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

import seqonnx as sx

os.environ.setdefault("KERAS_BACKEND", "numpy")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def build(kit):
    """The same model in either kit."""
    layers = kit.layers
    entry = kit.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(entry)
    residual = layers.SeparableConv2D(4, 3, padding="same", use_bias=False)(x)
    x = layers.Add()([layers.BatchNormalization()(residual), x])
    inner = kit.Sequential(
        [kit.Input((8, 8, 4)), layers.DepthwiseConv2D(3, 2, "same"), layers.Dropout(0.5)]
    )
    x = layers.GlobalAveragePooling2D()(inner(x))
    return kit.Model(entry, layers.Dense(3, "softmax")(x))


@pytest.fixture
def pair():
    sx.clear_session(free_memory=False)
    keras.utils.clear_session()
    theirs, ours = build(keras), build(sx)
    rng = np.random.default_rng(0)
    for weight in theirs.weights:
        weight.assign(rng.uniform(0.3, 1.0, weight.shape))
    return theirs, ours


def images() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype("float32")


def last_parts(model) -> list[str]:
    """Layer and name of every weight."""
    return ["/".join(weight.path.split("/")[-2:]) for weight in model.weights]


def assert_same(theirs, ours) -> None:
    np.testing.assert_allclose(
        ours.predict(images(), verbose=0), theirs.predict(images(), verbose=0), atol=1e-4
    )


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m.keras"])
def test_what_keras_writes_is_read(pair, tmp_path, name):
    theirs, ours = pair
    if name == "m.weights.h5":
        theirs.save_weights(tmp_path / name)
    else:
        theirs.save(tmp_path / name)
    ours.load_weights(tmp_path / name)
    assert_same(theirs, ours)


def test_what_is_written_keras_reads(pair, tmp_path):
    theirs, ours = pair
    rng = np.random.default_rng(2)
    ours.set_weights([rng.uniform(0.3, 1.0, v.shape) for v in ours.weights])
    ours.save_weights(tmp_path / "m.weights.h5")
    theirs.load_weights(tmp_path / "m.weights.h5")
    assert_same(theirs, ours)


def test_model_of_a_keras_file_is_the_same(pair, tmp_path):
    theirs, _ = pair
    theirs.save(tmp_path / "m.keras")
    ours = sx.load_model(tmp_path / "m.keras")
    assert last_parts(ours) == last_parts(theirs)
    assert_same(theirs, ours)


def test_order_of_layers_is_the_same(pair):
    theirs, ours = pair
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert last_parts(ours) == last_parts(theirs)
