"""Respelled nodes for CUDA compute the same, in the operator set with most kernels."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from seqonnx.graph import OPSET, Emitter
from seqonnx.graph.scan_body import ScanBody
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.relabel import relabel, say_for_cuda
from seqonnx.lowering.respelling import pad_alike
from support.layers.emission import runtime

IMAGE = (2, 3, 6, 5)


def graph_of(emit, shape=IMAGE):
    op = Emitter()
    op.output(emit(op, op.input("x", "float32", shape)), "y")
    return op


SPELLED = {
    "Gelu": lambda op, x: op.Gelu(x),
    "Gelu by tanh": lambda op, x: op.Gelu(x, approximate="tanh"),
    "GridSample, linear": lambda op, x: op.GridSample(x, places(2), mode="linear"),
    "GridSample, cubic": lambda op, x: op.GridSample(x, places(2), mode="cubic"),
    "GridSample, nearest": lambda op, x: op.GridSample(x, places(2), mode="nearest"),
    "GridSample, by default": lambda op, x: op.GridSample(x, places(2), align_corners=1),
    "both": lambda op, x: op.Gelu(op.GridSample(x, places(2), mode="cubic")),
}


def places(batch):
    rng = np.random.default_rng(1)
    return rng.uniform(-1.2, 1.2, (batch, 4, 3, 2)).astype(np.float32)


@pytest.mark.parametrize("case", SPELLED)
def test_nodes_from_later_sets_are_said_in_set_18(case):
    op = graph_of(SPELLED[case])
    x = np.random.default_rng(0).normal(size=IMAGE).astype(np.float32)
    (expected,) = runtime(op, {"x": x})
    assert say_for_cuda(op.graph) == 18
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
    np.testing.assert_allclose(runtime(op, {"x": x})[0], expected, rtol=1e-5, atol=1e-6)


def test_nodes_in_bodies_are_said_otherwise_too():
    op = Emitter()
    x = op.input("x", "float32", (4, 3))
    scan = ScanBody(op, "steps")
    state = scan.state(op.constant(np.zeros(3, np.float32)))
    new = scan.body.Gelu(scan.body.Add(state, scan.element(x)))
    _, (steps,) = scan.run([new], [new])
    op.output(steps, "y")
    fed = {"x": np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)}
    (expected,) = runtime(op, fed)
    assert say_for_cuda(op.graph) == 18
    np.testing.assert_allclose(runtime(op, fed)[0], expected, rtol=1e-5, atol=1e-6)


LEFT = {
    "sampling in volumes": (
        lambda op, x: op.GridSample(x, np.zeros((2, 2, 2, 2, 3), np.float32), mode="linear"),
        (2, 3, 6, 5, 4),
        20,
    ),
    "something else that set 18 cannot say": (
        lambda op, x: op.Gelu(op.RMSNormalization(x, np.ones(5, np.float32))),
        IMAGE,
        OPSET,
    ),
}


@pytest.mark.parametrize("case", LEFT)
def test_nothing_is_said_otherwise_in_vain(case):
    emit, shape, version = LEFT[case]
    op = graph_of(emit, shape)
    before = [node.op_type for node in op.graph]
    assert say_for_cuda(op.graph) == version
    assert [node.op_type for node in op.graph] == before


def test_a_graph_with_only_old_operators_is_only_relabelled():
    op, same = (graph_of(lambda op, x: op.Relu(op.Flatten(x))) for _ in range(2))
    assert say_for_cuda(op.graph) == relabel(same.graph) == 18
    assert to_proto(op.graph) == to_proto(same.graph)


PADDED = {
    "one axis, more at the end": ((2, 3, 7), (3, 4, 3), {"pads": [0, 1]}),
    "one axis, more at the start": ((2, 3, 7), (3, 4, 3), {"pads": [2, 1]}),
    "strides": ((2, 3, 5, 6), (3, 2, 3, 4), {"pads": [0, 1, 1, 2], "strides": [2, 3]}),
    "padding of the output": (
        *((2, 3, 5, 6), (3, 2, 3, 3)),
        {"pads": [0, 1, 1, 0], "strides": [2, 2], "output_padding": [1, 1]},
    ),
    "groups and dilations": (
        *((2, 4, 6, 5), (4, 2, 3, 3)),
        {"pads": [1, 2, 2, 1], "group": 2, "dilations": [2, 1]},
    ),
}


@pytest.mark.parametrize("case", PADDED)
def test_a_transposed_convolution_has_its_values_with_the_same_padding_at_both_ends(case):
    shape, kernel, attributes = PADDED[case]
    rng = np.random.default_rng(0)
    w = rng.normal(size=kernel).astype(np.float32)
    b = rng.normal(size=kernel[1] * attributes.get("group", 1)).astype(np.float32)
    op = graph_of(lambda op, x: op.ConvTranspose(x, w, b, **attributes), shape)
    x = rng.normal(size=shape).astype(np.float32)
    (expected,) = runtime(op, {"x": x})
    pad_alike(op.graph)
    (node,) = [node for node in op.graph if node.op_type == "ConvTranspose"]
    pads = list(node.attributes.get_ints("pads"))
    assert pads[: len(pads) // 2] == pads[len(pads) // 2 :]
    (found,) = runtime(op, {"x": x})
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_transposed_convolutions_that_are_padded_alike_stay():
    w = np.ones((3, 2, 3, 3), np.float32)
    op = graph_of(lambda op, x: op.ConvTranspose(x, w, pads=[1, 0, 1, 0]))
    pad_alike(op.graph)
    assert [node.op_type for node in op.graph] == ["ConvTranspose"]
