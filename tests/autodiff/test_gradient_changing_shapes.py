"""Loops whose states change their shape are refused by name; branches may differ in theirs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from seqonnx.autodiff import gradients
from seqonnx.errors import GradientError
from support.autodiff.gradient_check import run_onnxruntime

HEADER = '<ir_version: 10, opset_import: ["" : 23]>\n'
LOOP = """agraph (float[SIZE] x, float[1] w, int64[1] ids) => (float y) {
    n = Constant<value_int = 3> ()
    on = Constant<value = bool {1}> ()
    last, others = Loop <body = step (int64 i, bool c, float[k] s, int64[m] t)
        => (bool c2, float[k2] s2, int64[m2] t2) {
        c2 = Identity (c)
        STEP
    }> (n, on, x, ids)
    squares = Mul (last, last)
    y = ReduceSum<keepdims = 0> (squares)
}"""
KEPT = "t2 = Identity (t)"
GROWS = "v = Mul (w, w)\n s2 = Concat<axis = 0> (s, v)\n" + KEPT
DOUBLES = "s2 = Concat<axis = 0> (s, s)\n" + KEPT
SHRINKS = (
    "one = Constant<value_ints = [1]> ()\n far = Constant<value_ints = [99]> ()\n"
    "s2 = Slice (s, one, far)\n" + KEPT
)
GAINS = "zero = Constant<value_ints = [0]> ()\n v = Mul (s, w)\n s2 = Unsqueeze (v, zero)\n" + KEPT
COUNTS = "s2 = Mul (s, w)\n t2 = Concat<axis = 0> (t, t)"
SHIFTS = (
    "one = Constant<value_ints = [1]> ()\n far = Constant<value_ints = [99]> ()\n"
    "rest = Slice (s, one, far)\n v = Mul (w, w)\n s2 = Concat<axis = 0> (rest, v)\n" + KEPT
)


def loop(step: str, size: str) -> onnx.ModelProto:
    """A Loop with two states."""
    text = LOOP.replace("STEP", step).replace("SIZE", size)
    made = onnx.parser.parse_model(HEADER + text)
    next(node for node in made.graph.node if node.op_type == "Loop").name = "block/grow"
    return made


@pytest.mark.parametrize(
    ("step", "size", "change"),
    [
        (GROWS, "4", "state 's', whose shape an iteration changes from [4] to [5]"),
        (GROWS, "n", "state 's', whose shape an iteration changes from [n] to [?]"),
        (DOUBLES, "4", "state 's', whose shape an iteration changes from [4] to [8]"),
        (SHRINKS, "4", "state 's', whose shape an iteration changes from [4] to [3]"),
        (GAINS, "4", "state 's', whose shape an iteration changes from [4] to [1, 4]"),
        (COUNTS, "4", "state 't', whose shape an iteration changes from [1] to [2]"),
    ],
)
def test_a_state_that_changes_its_shape_is_refused(step: str, size: str, change: str) -> None:
    with pytest.raises(GradientError) as error:
        gradients(loop(step, size), "y", ["x", "w"])
    text = str(error.value)
    assert "The gradient of Loop (node 'block/grow', layer 'block')" in text
    assert change in text
    assert "Collect results as scan outputs of the Loop" in text


@pytest.mark.parametrize("size", ["4", "n"])
def test_a_window_that_moves_on_keeps_its_shape(size: str) -> None:
    feeds = {"x": np.array([1, 2, 3, 4], np.float32), "w": np.array([2], np.float32)}
    feeds["ids"] = np.array([1])
    model = gradients(loop(SHIFTS, size), "y", ["x", "w"])
    dx, dw = run_onnxruntime(model, ["grad/x", "grad/w"], feeds)
    assert dx.tolist() == [0, 0, 0, 8]
    assert dw.tolist() == [3 * 4 * 2**3]


SCAN = """agraph (float[2] x, float[4, 1] xs) => (float[2] last) {
    last = Scan <num_scan_inputs = 1, body = step (float[k] s, float[1] e) => (float[k2] s2) {
        s2 = Concat<axis = 0> (s, e)
    }> (x, xs)
}"""


def test_a_state_of_scan_that_grows_is_refused() -> None:
    with pytest.raises(GradientError, match=r"gradient of Scan .* changes from \[2\] to \[3\]"):
        gradients(onnx.parser.parse_model(HEADER + SCAN), "last", ["x", "xs"])


IF = """agraph (float[3] x, bool c) => (float y) {
    z = If (c) <then_branch = yes () => (float[3] a) { a = Mul (x, x) },
        else_branch = no () => (float SHAPE b) {
            last = Constant<value_ints = [1]> ()
            column = Unsqueeze (x, last)
            OTHER
        }>
    squares = Mul (z, z)
    y = ReduceSum<keepdims = 0> (squares)
}"""


@pytest.mark.parametrize(
    ("shape", "other"),
    [
        ("[6]", "b = Concat<axis = 0> (x, x)"),
        ("[3, 2]", "b = Concat<axis = 1> (column, column)"),
    ],
)
@pytest.mark.parametrize("taken", [True, False])
def test_branches_of_different_shapes(shape: str, other: str, taken: bool) -> None:
    text = IF.replace("SHAPE", shape).replace("OTHER", other)
    x = np.array([1, 2, 3], np.float32)
    feeds = {"x": x, "c": np.array(taken)}
    model = gradients(onnx.parser.parse_model(HEADER + text), "y", "x")
    (found,) = run_onnxruntime(model, ["grad/x"], feeds)
    np.testing.assert_allclose(found, 4 * x**3 if taken else 4 * x)
