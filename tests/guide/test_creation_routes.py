"""The guide's three ways to make a model give one graph, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers


def dense_layers(**first: object) -> list[keras.Layer]:
    return [
        layers.Dense(2, activation="relu", name="layer1", **first),
        layers.Dense(3, activation="relu", name="layer2"),
        layers.Dense(4, name="layer3"),
    ]


def from_list() -> keras.Sequential:
    return keras.Sequential([keras.Input((4,)), *dense_layers()], name="m")


def by_add() -> keras.Sequential:
    model = keras.Sequential(name="m")
    model.add(keras.Input(shape=(4,)))
    for layer in dense_layers():
        model.add(layer)
    return model


def by_input_shape() -> keras.Sequential:
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`"):
        first, *others = dense_layers(input_shape=(4,))
    model = keras.Sequential(name="m")
    for layer in (first, *others):
        model.add(layer)
    return model


def by_build() -> keras.Sequential:
    model = keras.Sequential(dense_layers(), name="m")
    model.build((None, 4))
    return model


def by_pop() -> keras.Sequential:
    model = keras.Sequential(
        [keras.Input((4,)), *dense_layers(), layers.Dense(9, name="extra")], name="m"
    )
    model.pop()
    return model


@pytest.mark.parametrize("route", [by_add, by_input_shape, by_build, by_pop])
def test_every_route_exports_the_same_bytes(route, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    weights = from_list().get_weights()
    files = []
    for make in (from_list, route):
        model = make()
        model.set_weights(weights)
        path = tmp_path / f"{len(files)}.onnx"
        model.export(path)
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_three_layers_called_by_hand_equal_the_model(monkeypatch):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    model = from_list()
    layer1, layer2, layer3 = model.layers
    x = np.ones((3, 4), np.float32)
    np.testing.assert_allclose(layer3(layer2(layer1(x))), model(x), rtol=1e-6)


def test_transfer_learning_blocks_of_the_guide(monkeypatch):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    model = keras.Sequential(
        [
            keras.Input(shape=(784)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(10),
        ]
    )
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    model.fit(np.ones((8, 784)), np.arange(8), verbose=0)
    after = model.get_weights()
    same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [True] * 4 + [False] * 2
