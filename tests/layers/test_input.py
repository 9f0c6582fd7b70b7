"""Inputs take Keras's arguments, and refuse what contradicts or what no graph can hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.layers import Input, InputLayer


def test_layer_takes_its_old_names():
    with pytest.warns(UserWarning, match="Argument `input_shape` is deprecated. Use `shape`"):
        layer = InputLayer(input_shape=(3, 4))
    assert layer.output.shape == (None, 3, 4)
    assert InputLayer(batch_input_shape=(2, 3)).batch_shape == (2, 3)
    model = keras.Sequential([InputLayer(batch_shape=(None, 3)), layers.Dense(2)])
    assert model.output_shape == (None, 2)


def test_arguments_stand_in_the_order_of_keras():
    tensor = Input((3,), 2, "int32", False, False, None, "x")
    assert (tensor.shape, tensor.dtype, tensor.name) == ((2, 3), "int32", "x")
    layer = InputLayer((3,), 2, "int32", False, False, None, None, True, "x")
    assert (layer.batch_shape, layer.dtype, layer.name, layer.optional) == ((2, 3), "int32", "x", 1)


def test_tensor_that_is_there_can_be_the_input():
    x = Input((3,), name="x")
    inner = layers.Dense(4, name="inner")(x)
    again = Input(tensor=inner)
    assert again is inner
    model = keras.Model(again, layers.ReLU()(again))
    y = np.array([[-1.0, 0, 1, 2]])
    assert model.predict(y, verbose=0).tolist() == [[0, 0, 1, 2]]


def test_optional_survives_in_the_configuration():
    config = json.loads(json.dumps(InputLayer((3,), optional=True, name="x").get_config()))
    assert config["optional"] is True
    assert InputLayer(**config).optional
    assert "optional" not in InputLayer((3,)).get_config()


X = Input((3,), name="x")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "You must pass a `shape` argument."),
        ({"shape": (2,), "batch_shape": (1, 2)}, "You cannot pass both `shape` and `batch_shape`"),
        ({"batch_size": 1, "batch_shape": (1, 2)}, "You cannot pass both `batch_size` and `batch_"),
        ({"shape": (2,), "sparse": True}, "`sparse=True` is not supported: the tensors of an ONNX"),
        ({"shape": (2,), "ragged": True}, "`ragged=True` is not supported: the tensors of an ONNX"),
        (
            {"tensor": 3},
            "Argument `input_tensor` must be a KerasTensor. Received invalid type: ",
        ),
        ({"tensor": X, "shape": (4,)}, "you cannot provide an incompatible `shape` argument."),
        ({"tensor": X, "batch_size": 2}, "you cannot provide an incompatible `batch_size` argum"),
        ({"tensor": X, "batch_shape": (2, 3)}, "cannot provide an incompatible `batch_shape` arg"),
        ({"tensor": X, "dtype": "int32"}, "you cannot provide an incompatible `dtype` argument."),
    ],
)
def test_what_contradicts_is_refused_as_in_keras(arguments, expected):
    with pytest.raises(ValueError) as caught:
        Input(**arguments)
    assert expected in str(caught.value)
