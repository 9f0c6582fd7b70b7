"""A layer's configuration is its signature, read from attributes of the same names."""

from __future__ import annotations

import json

import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.layers.arguments import own_arguments
from support.layers.layer_cases import CASES, Case

FIRST = {"name", "trainable", "dtype", "activity_regularizer"}
OTHERWISE = {
    "Bidirectional": "it saves the layer as it was given",
    "CategoryEncoding": "as in Keras, `sparse` is no part of it",
    "Concatenate": "its axis comes first",
    "DepthwiseConv1D": "its kernel has another name",
    "DepthwiseConv2D": "its kernel has another name",
    "ConvLSTM1D": "the arguments of its cell are its own",
    "ConvLSTM2D": "the arguments of its cell are its own",
    "ConvLSTM3D": "the arguments of its cell are its own",
    "Dot": "its axes come first",
    "EinsumDense": "its output shape has another name",
    "Embedding": "its first matrix is no part of its configuration",
    "GRU": "the arguments of its cell are its own",
    "LSTM": "the arguments of its cell are its own",
    "MultiHeadAttention": "its output shape has another name",
    "Normalization": "its mean and variance have other names",
    "ONNXModel": "it saves a graph",
    "Pipeline": "it saves the layers inside",
    "RandomGrayscale": "as in Keras, `seed` is no part of it",
    "ReversibleEmbedding": "its first matrix is no part of its configuration",
    "SeparableConv1D": "its kernel has another name",
    "SeparableConv2D": "its kernel has another name",
    "SimpleRNN": "the arguments of its cell are its own",
    "ZeroPadding1D": "it saves one pair alone",
}
"""Layers that write a configuration of their own, with the reason."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_configuration_is_that_of_the_signature(case: Case):
    layer = case.make()
    config = {key: value for key, value in layer.get_config().items() if key not in FIRST}
    same = json.dumps(own_arguments(layer, layers.Layer)) == json.dumps(config)
    assert same or type(layer).__name__ in OTHERWISE


def test_layer_of_ones_own_is_read_from_its_signature():
    class Scale(layers.Layer):
        def __init__(self, factor, initializer=None, activation=None, **common):
            super().__init__(**common)
            self.factor = factor
            self.initializer = layers.Dense(1, kernel_initializer=initializer).kernel_initializer
            self.activation = layers.Activation(activation).activation

    arguments = own_arguments(Scale(2.0, "ones", "relu", name="s"), layers.Layer)
    ones = {"class_name": "Ones", "config": {}}
    assert arguments == {"factor": 2.0, "initializer": ones, "activation": "relu"}


def test_an_argument_with_the_name_of_a_property_is_not_read_from_it(tmp_path):
    class Own(layers.Layer):
        def __init__(self, weights=None, **kwargs):
            super().__init__(**kwargs)

        def build(self, input_shape):
            self.factor = self.add_weight((input_shape[-1],), "ones")

        def call(self, op, x, training):
            return op.Mul(x, self.factor)

    model = keras.Sequential([keras.Input((2,)), Own(name="own")])
    assert "weights" not in model.layers[0].get_config()
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx", {"Own": Own})
    assert loaded.layers[0].name == "own"


def test_a_model_may_be_the_argument_of_a_layer(tmp_path):
    class Around(layers.Layer):
        def __init__(self, model, **kwargs):
            super().__init__(**kwargs)
            self.model = model

        def call(self, op, x, training):
            return op.Relu(x)

    inner = keras.Sequential([keras.Input((2,)), layers.Dense(3)], name="inner")
    model = keras.Sequential([keras.Input((2,)), Around(inner)])
    model.save(tmp_path / "m.onnx")
    loaded = keras.load_model(tmp_path / "m.onnx", {"Around": Around})
    assert loaded.layers[0].model.name == "inner"
    assert loaded.layers[0].model.layers[0].units == 3
