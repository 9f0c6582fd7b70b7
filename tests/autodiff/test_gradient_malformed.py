"""A node that is not as the standard says is named, with its layer and what can be done."""

from __future__ import annotations

import onnx
import pytest

from seqonnx.autodiff import gradients
from seqonnx.errors import GradientError

BODIES = {
    "Transpose": ("float[1, 2, 4, 4] x", "a = Transpose<perm = [0, 1]> (x)"),
    "LSTM": ("float[3, 2, 4] x, float[1, 20, 5] w", "a = LSTM<hidden_size = 5> (x, w, w)"),
    "BatchNormalization": ("float[1, 2] x, float[2] w", "a = BatchNormalization (x, w, w, w)"),
    "Gemm": ("float[3, 2] x", "a = Gemm (x)"),
}


@pytest.mark.parametrize("op_type", BODIES)
def test_malformed_node_is_named_with_its_layer_and_the_remedy(op_type):
    inputs, line = BODIES[op_type]
    model = onnx.parser.parse_model(
        f"""
        <ir_version: 10, opset_import: ["": 23]>
        net ({inputs}) => (float y) <float[N, M] a> {{
            {line}
            y = ReduceSum<keepdims = 0> (a)
        }}
        """
    )
    model.graph.node[0].name = "net/wrong"
    message = rf"gradient of {op_type} \(node 'net/wrong', layer 'net'\) cannot be built from .* "
    with pytest.raises(GradientError, match=message + r".*check_model.*trainable = False") as seen:
        gradients(model, "y", "x")
    if op_type == "LSTM":
        assert "[3,2,4], [1,20,5], [1,20,5]: ONNX refuses the inputs of" in str(seen.value)
