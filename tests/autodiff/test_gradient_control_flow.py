"""Gradients through If, Scan and Loop, of what enters them and of what their bodies capture."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import parser

from seqonnx.autodiff import gradients
from support.autodiff.gradient_check import assert_close, run_onnxruntime, run_reference

HEADER = '<ir_version: 10, opset_import: ["" : 23]>\n'

SCAN = """
agraph (float[3] start, float[4, 3] xs, float[3, 3] w) => (float[3] last, float[4, 3] ys) {
    last, ys = Scan <num_scan_inputs = 1, IN_WAY
        body = step (float[3] state, float[3] x) => (float[3] new, float[3] y) {
            turned = MatMul (state, w)
            sum = Add (turned, x)
            new = Tanh (sum)
            y = Mul (new, x)
        }> (start, xs)
    total_last = ReduceSum <keepdims = 0> (last)
    squares = Mul (ys, ys)
    total_ys = ReduceSum <keepdims = 0> (squares)
    loss = Add (total_last, total_ys)
}
"""

LOOP = """
agraph (float[3] start, float[3, 3] w) => (float[3] last, float[n, 3] ys) {
    count = Constant <value_int = 4> ()
    on = Constant <value = bool {1}> ()
    last, ys = Loop <
        body = step (int64 i, bool going, float[3] state)
            => (bool on_again, float[3] new, float[3] y) {
            on_again = Identity (going)
            factor = CastLike (i, state)
            turned = MatMul (state, w)
            moved = Add (turned, factor)
            new = Sin (moved)
            y = Mul (new, state)
        }> (count, on, start)
    total_last = ReduceSum <keepdims = 0> (last)
    squares = Mul (ys, ys)
    total_ys = ReduceSum <keepdims = 0> (squares)
    loss = Add (total_last, total_ys)
}
"""

IF = """
agraph (float[3] start, float[3] w) => (float[3] y) {
    zero = Constant <value_float = 0.0> ()
    first = ReduceSum <keepdims = 0> (start)
    positive = Greater (first, zero)
    y = If (positive) <
        then_branch = yes () => (float[3] a) { a = Mul (start, w) },
        else_branch = no () => (float[3] b) { b = Exp (start) }>
    squares = Mul (y, y)
    loss = ReduceSum <keepdims = 0> (squares)
}
"""


def model(text: str, dtype: str) -> onnx.ModelProto:
    """A model with the loss as its output."""
    made = parser.parse_model(HEADER + text.replace("float[", f"{dtype}["))
    made.graph.output.append(onnx.helper.make_empty_tensor_value_info("loss"))
    kind = onnx.TensorProto.DOUBLE if dtype == "double" else onnx.TensorProto.FLOAT
    made.graph.output[-1].CopyFrom(onnx.helper.make_tensor_value_info("loss", kind, []))
    return made


def check(text: str, arrays: dict[str, np.ndarray], unused: tuple[str, ...] = ()) -> None:
    """Compare with central differences, and float32 on ONNX Runtime with float64."""
    text64 = text.replace("value_float = 0.0", "value = double {0}")
    names = [f"grad/{name}" for name in arrays]
    proto = model(text64, "double")
    found = run_reference(gradients(proto, "loss", list(arrays)), names, arrays)

    def loss(moved):
        return float(run_reference(proto, ["loss"], moved)[0])

    for name, grad in zip(arrays, found, strict=True):
        direction = np.random.default_rng(3).normal(size=grad.shape)
        ahead = {**arrays, name: arrays[name] + 1e-5 * direction}
        behind = {**arrays, name: arrays[name] - 1e-5 * direction}
        derivative = (loss(ahead) - loss(behind)) / 2e-5
        assert abs(derivative - (grad * direction).sum()) <= 1e-6 * max(1.0, abs(derivative)), name
        assert (np.abs(grad).max() > 0) == (name not in unused)
    single = {name: a.astype(np.float32) for name, a in arrays.items()}
    made = run_onnxruntime(gradients(model(text, "float"), "loss", list(arrays)), names, single)
    for actual, wanted in zip(made, found, strict=True):
        assert_close(actual, wanted, 1e-4, "ONNX Runtime")


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape) * 0.7


@pytest.mark.parametrize("direction", [0, 1])
def test_scan(direction: int) -> None:
    arrays = {"start": normal(3), "xs": normal(4, 3), "w": normal(3, 3)}
    directions = f"scan_input_directions = [{direction}], scan_output_directions = [{direction}],"
    check(SCAN.replace("IN_WAY", directions if direction else ""), arrays)


def test_loop() -> None:
    check(LOOP, {"start": normal(3), "w": normal(3, 3)})


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_if(sign: float) -> None:
    arrays = {"start": np.array([1.0, 0.5, 0.8]) * sign, "w": normal(3)}
    check(IF, arrays, unused=() if sign > 0 else ("w",))
