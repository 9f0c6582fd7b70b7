"""InputSpec: what a layer of one's own may ask of its inputs, with Keras's words where it fails."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import InputSpec, layers


class Asking(layers.Layer):
    def __init__(self, spec):
        super().__init__(name="asking")
        self.input_spec = spec

    def call(self, x):
        return x


def taken(spec, shape, dtype="float32"):
    return Asking(spec)(np.zeros(shape, dtype)).shape


HEAD = "Input 0 with name 'None' of layer 'asking' is incompatible with the layer: "


@pytest.mark.parametrize(
    ("arguments", "shape", "problem"),
    [
        ({"ndim": 3}, (2, 3), r"expected ndim=3, found ndim=2. Full shape received: \(2, 3\)"),
        ({"max_ndim": 1}, (2, 3), "expected max_ndim=1, found ndim=2"),
        ({"min_ndim": 3}, (2, 3), "expected min_ndim=3, found ndim=2. Full"),
        ({"axes": {-1: 4}}, (2, 3), "expected axis -1 of input shape to have value 4, but"),
        ({"shape": (None, 4)}, (2, 3), r"expected shape=\(None, 4\), found shape=\(2, 3\)"),
        ({"dtype": "int32"}, (2, 3), "expected dtype=int32, found dtype=float32"),
        (
            {"shape": (None, 4, 1), "allow_last_axis_squeeze": True},
            (2, 3),
            r"expected shape=\(None, 4, 1\), found shape=\(2, 3\)",
        ),
    ],
)
def test_input_that_does_not_fit_is_refused_in_keras_s_words(arguments, shape, problem):
    with pytest.raises(ValueError, match=HEAD + problem):
        taken(InputSpec(**arguments), shape)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"shape": (None, 3)}, (2, 3)),
        ({"shape": (None, 3, 1), "allow_last_axis_squeeze": True}, (2, 3)),
        ({"shape": (None, 3), "allow_last_axis_squeeze": True}, (2, 3, 1)),
        ({"axes": {-1: None}, "max_ndim": 2}, (2, 3)),
        ({"dtype": "float32"}, (2, 3)),
    ],
)
def test_input_that_fits_is_taken(arguments, shape):
    assert taken(InputSpec(**arguments), shape) == shape


def test_dtype_is_that_in_which_the_layer_computes():
    spec = InputSpec(dtype="float32")
    assert taken(spec, (2, 3), "float64") == (2, 3)
    with pytest.raises(ValueError, match="expected dtype=float32, found dtype=int32"):
        Asking(spec)(sx.Input((3,), dtype="int32"))


class Two(Asking):
    def call(self, inputs):
        parts = [inputs[key] for key in sorted(inputs)] if isinstance(inputs, dict) else inputs
        return parts[0] + parts[1]


def test_several_inputs_have_a_specification_each():
    one, other = np.zeros((2, 3), "float32"), np.zeros((2, 3), "float32")
    assert Two([InputSpec(ndim=2), None])([one, other]).shape == (2, 3)
    with pytest.raises(ValueError, match=r"Input 1 with name 'None' .* expected ndim=3"):
        Two([InputSpec(ndim=2), InputSpec(ndim=3)])([one, other])
    with pytest.raises(ValueError, match=r'Layer "asking" expects 3 input\(s\), but it received 2'):
        Two([None, None, None])([one, other])
    named = [InputSpec(ndim=2, name="b"), InputSpec(ndim=2, name="a", dtype="float32")]
    assert Two(named)({"a": one, "b": other}).shape == (2, 3)
    with pytest.raises(ValueError, match=r'Missing data for input "b"\. You passed'):
        Two(named)({"a": one, "c": other})


def test_arguments_are_checked():
    with pytest.raises(TypeError, match="Argument `axes` must be a dict with integer keys"):
        InputSpec(axes={"last": 3})
    with pytest.raises(ValueError, match="Axis 2 is greater than the maximum allowed value: 1"):
        InputSpec(ndim=2, axes={2: 3})


def test_configuration_and_text_are_those_of_keras():
    """As `keras.InputSpec` of Keras 3.15.1 gives them."""
    spec = InputSpec(dtype="float32", shape=(None, 3), axes={-1: 3})
    assert repr(spec) == "InputSpec(dtype=float32, shape=(None, 3), ndim=2, axes={-1: 3})"
    assert spec.get_config() == {
        "dtype": "float32",
        "shape": (None, 3),
        "ndim": 2,
        "max_ndim": None,
        "min_ndim": None,
        "axes": {-1: 3},
        "optional": False,
    }
    again = InputSpec.from_config(spec.get_config())
    assert again.get_config() == spec.get_config()
