"""Settings that only a run of the graph knows: gradients follow them all the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from seqonnx.autodiff import vjp
from support.importers.networks import noise, plain

LINEAR = {
    "Slice": ("float[2, 5, 4] x, int64[2] s", "y = Slice(x, low, high, s, by)", [-1, 1]),
    "Slice without steps": ("float[2, 5, 4] x, int64[2] s", "y = Slice(x, low, high, s)", [1, 2]),
    "Pad": ("float[2, 5, 4] x, int64[2] s", "y = Pad(x, ends, , s)", [2, -2]),
    "Pad by reflection": (
        "float[2, 5, 4] x, int64[2] s",
        'y = Pad<mode = "reflect">(x, ends, , s)',
        [1, 2],
    ),
    "Col2Im": (
        "float[2, 12, 4] x, int64[2] s",
        "y = Col2Im<strides = [1, 2], dilations = [2, 1], pads = [0, 1, 0, 1]>(x, s, block)",
        [4, 4],
    ),
    "Col2Im of a line": (
        "float[2, 6, 3] x, int64[1] s",
        "one = Constant<value = int64[1] {0}> () two = Gather(block, one) y = Col2Im(x, s, two)",
        [4],
    ),
    "STFT": ("float[2, 8, 1] x, int64 s", "y = STFT(x, s, window)", 2),
}


@pytest.mark.parametrize("case", LINEAR)
def test_gradient_of_a_linear_operator_is_its_adjoint(case):
    inputs, nodes, setting = LINEAR[case]
    model = onnx.parser.parse_model(
        f"""
        <ir_version: 10, opset_import: ["": 21]>
        net ({inputs}) => (float y) <int64[2] low = {{3, 1}}, int64[2] high = {{0, 3}},
            int64[2] by = {{-1, 2}}, int64[4] ends = {{1, 0, 0, 2}}, int64[2] block = {{2, 3}},
            float[4] window = {{0.5, 1, 1, 0.5}}> {{ {nodes} }}
        """
    )
    if "without" in case:
        low = next(t for t in model.graph.initializer if t.name == "low")
        low.CopyFrom(onnx.numpy_helper.from_array(np.array([0, 1]), "low"))
        high = next(t for t in model.graph.initializer if t.name == "high")
        high.CopyFrom(onnx.numpy_helper.from_array(np.array([-1, 9]), "high"))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    x = noise(*[d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim])
    s = np.array(setting, np.int64)
    y = plain(model, x, s)[0]
    u = np.random.default_rng(3).normal(size=y.shape).astype(np.float32)
    (found,) = plain(vjp(model, "y", "x"), x, s, u)
    # <u, A v> = <A^T u, v> for every v, here three that are independent.
    for flat in (x.ravel(), x.ravel()[::-1].copy(), np.eye(1, x.size, 3, np.float32)):
        v = flat.reshape(x.shape)
        moved = plain(model, v, s)[0]
        np.testing.assert_allclose(np.vdot(u, moved), np.vdot(found, v), rtol=1e-4, atol=1e-5)
