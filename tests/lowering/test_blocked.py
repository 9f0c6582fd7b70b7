"""Convolutional regions in the blocked layout give what the plain graph gives, and stay inside."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_bytes
from seqonnx.lowering.blocked import block_convolutions
from seqonnx.lowering.blocked.region import DOMAIN
from seqonnx.runtime import CPU, Session
from seqonnx.runtime.block_size import block_size
from seqonnx.training.blocks import block_for
from seqonnx.training.step import finish_step
from support.layers.convnets import NETWORKS, random_network, step_proto, taught

BLOCK = block_size()
pytestmark = pytest.mark.skipif(BLOCK == 0, reason="this processor has no blocked layout")


def blocked_nodes(proto):
    """How often each operator of the layout stands in a model, bodies of loops included."""
    counts = {}
    graphs = [proto.graph]
    while graphs:
        for node in graphs.pop().node:
            graphs += [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
            if node.domain == DOMAIN:
                counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return counts


def assert_near(found, expected):
    """Within 1e-5 of the largest of each tensor, and the rounding of a weight of 1."""
    for ours, theirs in zip(found, expected, strict=True):
        near = 1e-5 * np.abs(theirs).max() + 4e-7
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=near)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_changes_the_weights_as_without_blocks(name, monkeypatch):
    monkeypatch.setenv("SEQONNX_BLOCKED", "0")
    assert blocked_nodes(step_proto(NETWORKS[name])) == {}
    plain = taught(NETWORKS[name])
    monkeypatch.setenv("SEQONNX_BLOCKED", "1")
    assert blocked_nodes(step_proto(NETWORKS[name])).get("Conv", 0) > 0
    assert_near(taught(NETWORKS[name]), plain)


@pytest.mark.parametrize(
    ("name", "parts"), [("biases and pools", 2), ("biases and pools", 4), ("strided", 2)]
)
def test_parts_of_few_images_fill_a_block(name, parts, monkeypatch):
    batch = BLOCK // parts
    monkeypatch.setenv("SEQONNX_BLOCKED", "0")
    plain = taught(NETWORKS[name], batch)
    monkeypatch.setenv("SEQONNX_BLOCKED", "1")
    scans = [
        node for node in step_proto(NETWORKS[name], batch).graph.node if node.op_type == "Scan"
    ]
    bodies = [a.g for node in scans for a in node.attribute if a.name == "body"]
    assert any(node.domain == DOMAIN for body in bodies for node in body.node)
    assert_near(taught(NETWORKS[name], batch), plain)


@pytest.mark.parametrize("seed", range(6))
def test_a_step_of_a_random_network_changes_the_weights_as_without_blocks(seed, monkeypatch):
    monkeypatch.setenv("SEQONNX_BLOCKED", "0")
    plain = taught(random_network(seed))
    monkeypatch.setenv("SEQONNX_BLOCKED", "1")
    assert_near(taught(random_network(seed)), plain)


def assert_rounded(found, expected, of_largest=1e-5):
    """Sums in another order differ by a part of the largest number, whatever theirs is."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=of_largest * np.abs(expected).max())


def lowered(emit, shapes):
    """Outputs of a graph before and after the pass, and what the pass put in."""
    results, nodes = [], {}
    for blocks in (False, True):
        op = Emitter()
        values = emit(op, *(op.input(name, "float32", shape) for name, shape in shapes.items()))
        for i, value in enumerate(values):
            op.output(value, f"y{i}")
        sizes = [static_shape(value) for value in op.graph.outputs]
        if blocks:
            block_convolutions(op.graph, BLOCK)
            assert [static_shape(value) for value in op.graph.outputs] == sizes
            assert [value.name for value in op.graph.outputs] == [
                f"y{i}" for i in range(len(sizes))
            ]
        content = to_bytes(op.graph)
        nodes = blocked_nodes(onnx.load_model_from_string(content))
        rng = np.random.default_rng(0)
        feeds = {n: rng.normal(size=shape).astype(np.float32) for n, shape in shapes.items()}
        results.append(Session(content, CPU, training=True).run(feeds))
    return results, nodes


MAP = {"x": (2, 16, 9, 8), "w": (16, 16, 3, 3)}
SAME = {"pads": [1, 1, 1, 1]}


def in_turn(op, y, axis, other=None):
    """Two maps beside each other along a new axis, which the next one takes in."""
    pair = [op.Unsqueeze(part, [axis]) for part in (y, op.Neg(y) if other is None else other)]
    sizes = list(static_shape(y))
    sizes[axis - 1] *= 2
    return op.Reshape(op.Concat(*pair, axis=axis), sizes)


def mirrored(op, w, axes=(2, 3)):
    """Weights backwards along some axes."""
    back = [-1] * len(axes)
    return op.Slice(w, back, [-(2**62)] * len(axes), list(axes), back)


def by_channel(op, y):
    """A row for each channel of a map."""
    turned = op.Transpose(y, perm=[1, 0, 2, 3])
    return op.Reshape(turned, [16, -1])


PIXELS = np.arange(42, dtype=np.float32).reshape(1, 1, 7, 6)
ROWS = np.random.default_rng(3).normal(size=(5, 2 * 7 * 6)).astype(np.float32)


def one_place(height, width):
    """Kernels of 16 channels that pick the last element of their windows."""
    kernel = np.zeros((16, 1, height, width), np.float32)
    kernel[:, :, -1, -1] = 1
    return kernel


PARTS = {
    "strided": lambda op, x, w: [op.Conv(x, w, strides=[2, 1], pads=[0, 1, 1, 0])],
    "dilated": lambda op, x, w: [op.Conv(x, w, dilations=[2, 3])],
    "activation": lambda op, x, w: [op.Relu(op.Conv(x, w))],
    "two readers": lambda op, x, w: [op.Relu(y := op.Conv(x, w)), op.Tanh(y)],
    "output and reader": lambda op, x, w: [y := op.Conv(x, w, **SAME), op.Conv(y, w)],
    "sum with itself": lambda op, x, w: [op.Add(y := op.Conv(x, w), y)],
    "sum with the input": lambda op, x, w: [op.Add(op.Conv(x, w, **SAME), x)],
    "sum of two": lambda op, x, w: [op.Relu(op.Add(op.Conv(x, w), op.Conv(x, op.Exp(w))))],
    "numbers on the left": lambda op, x, w: [op.Sub(1.0, op.Conv(x, w))],
    "condition": lambda op, x, w: [op.Where(op.Greater(y := op.Conv(x, w), 0.5), y, 0.25)],
    "condition as output": lambda op, x, w: [op.Greater(op.Conv(x, w), 0.5)],
    "means": lambda op, x, w: [
        op.ReduceMean(y := op.Conv(x, w), [2, 3], keepdims=0),
        op.ReduceSum(y, [3, 2]),
        op.GlobalAveragePool(y),
        op.ReduceMean(y, [1]),
    ],
    "sums of products": lambda op, x, w: [
        op.ReduceMean(op.Mul(y := op.Conv(x, w, **SAME), x), [2, 3], keepdims=0),
        op.ReduceSum(op.Mul(y, y), [2, 3]),
        op.ReduceSum(z := op.Mul(op.Neg(y), op.Tanh(y)), [2, 3]),
        z,
    ],
    "pools": lambda op, x, w: [
        op.MaxPool(y := op.Conv(x, w), kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]),
        op.AveragePool(y, kernel_shape=[2, 2], pads=[0, 1, 0, 1]),
        op.AveragePool(y, kernel_shape=[2, 2], pads=[0, 1, 0, 1], count_include_pad=1),
        op.MaxPool(y, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    ],
    "channels last": lambda op, x, w: [op.Transpose(op.Conv(x, w), perm=[0, 2, 3, 1])],
    "channels last twice": lambda op, x, w: [
        op.Transpose(y := op.Conv(x, w), perm=[0, 2, 3, 1]),
        op.Transpose(y, perm=[0, 2, 3, 1]),
        op.Neg(op.Transpose(y, perm=[0, 2, 3, 1])),
    ],
    "another order": lambda op, x, w: [op.Transpose(op.Conv(x, w), perm=[1, 0, 2, 3])],
    "joined": lambda op, x, w: [op.Concat(op.Conv(x, w), op.Conv(x, op.Neg(w)), axis=1)],
    "rows in turn": lambda op, x, w: [in_turn(op, op.Conv(x, w), 3)],
    "columns in turn": lambda op, x, w: [op.Relu(in_turn(op, op.Conv(x, w), 4))],
    "channels in turn": lambda op, x, w: [in_turn(op, op.Conv(x, w), 2)],
    "rows in turn with the input's": lambda op, x, w: [in_turn(op, op.Conv(x, w, **SAME), 3, x)],
    "one place": lambda op, x, w: [
        op.Conv(op.Conv(x, w), one_place(2, 1), strides=[2, 2], group=16),
        op.Conv(x, one_place(1, 1), group=16),
    ],
    "every so many": lambda op, x, w: [
        op.Slice(y := op.Conv(x, w), [0, 0], [99, 99], [2, 3], [2, 3]),
        op.Slice(y, [0, 0], [4, 6], [3, 2], [2, 1]),
        op.Slice(y, [0, 1], [9, 9], [2, 3], [2, 2]),
        op.Slice(y, [0, 0], [3, 3], [2, 3], [1, 1]),
        op.Slice(y, [0], [9], [1], [2]),
    ],
    "numbers for pixels": lambda op, x, w: [
        op.Mul(op.Conv(x, w), PIXELS),
        op.Mul(PIXELS, op.Relu(op.Conv(x, w))),
        op.Mul(op.Conv(x, w), PIXELS[:, :, :, :1]),
    ],
    "channels as rows": lambda op, x, w: [
        op.Gemm(ROWS, by_channel(op, op.Conv(x, w)), transB=1),
        op.Gemm(ROWS, by_channel(op, op.Conv(x, w)), ROWS[:, :16], transB=1, alpha=2.0, beta=0.5),
        op.Gemm(by_channel(op, op.Conv(x, w)), ROWS, transB=1),
        op.Gemm(ROWS[:, :16], by_channel(op, op.Conv(x, w))),
    ],
    "mirrored": lambda op, x, w: [
        op.Conv(x, op.Transpose(mirrored(op, w), perm=[1, 0, 2, 3])),
        op.Conv(x, mirrored(op, w)),
        op.Conv(x, mirrored(op, op.Exp(w), axes=[2])),
        op.Conv(x, mirrored(op, op.Slice(w, [0], [1], [1])), group=16),
        op.Conv(op.Conv(x, w), mirrored(op, op.Slice(w, [0], [1], [3]), axes=[2])),
    ],
    "hard sigmoids": lambda op, x, w: [
        op.HardSigmoid(op.Conv(x, w)),
        op.HardSigmoid(op.Add(op.Conv(x, w), op.Conv(x, op.Neg(w))), alpha=0.01, beta=0.25),
    ],
    "joined along the height": lambda op, x, w: [op.Concat(y := op.Conv(x, w), y, axis=2)],
}


@pytest.mark.parametrize("name", PARTS)
def test_what_is_beside_a_convolution_keeps_its_values(name):
    (plain, blocked), nodes = lowered(PARTS[name], MAP)
    assert nodes["Conv"] >= 1
    for ours, theirs in zip(blocked, plain, strict=True):
        assert ours.dtype == theirs.dtype
        assert_rounded(ours, theirs)


NUMBERS = {
    "product": lambda op, y, n: op.Mul(y, n),
    "product, the other way": lambda op, y, n: op.Mul(n, y),
    "sum": lambda op, y, n: op.Add(n, y),
    "sum below an activation": lambda op, y, n: op.Add(op.Relu(y), n),
    "difference": lambda op, y, n: op.Sub(y, n),
    "difference, the other way": lambda op, y, n: op.Sub(n, y),
    "quotient": lambda op, y, n: op.Div(y, op.Exp(n)),
}


@pytest.mark.parametrize(
    "shape", [(16, 1, 1), (1, 16, 1, 1), (1, 1, 1, 1), (8,), (7, 8), (16, 7, 8)]
)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_are_broadcast_keep_their_places(name, shape):
    def emit(op, x, w, n):
        return [NUMBERS[name](op, op.Conv(x, w, **SAME), n)]

    (plain, blocked), _ = lowered(emit, MAP | {"x": (2, 16, 7, 8), "n": shape})
    assert_rounded(blocked[0], plain[0])


def test_normalization_and_activation_become_one_convolution():
    def emit(op, x, w, a, b, m, v):
        return [op.Relu(op.BatchNormalization(op.Conv(x, w), a, b, m, op.Exp(v)))]

    shapes = MAP | dict.fromkeys("abmv", (16,))
    (plain, blocked), nodes = lowered(emit, shapes)
    assert nodes == {"ReorderInput": 2, "Conv": 2, "ReorderOutput": 1}
    assert_rounded(blocked[0], plain[0])


def test_what_lies_between_convolutions_is_not_reordered():
    def emit(op, x, w):
        y = op.Relu(op.Conv(x, w))
        y = op.MaxPool(y, kernel_shape=[2, 2], strides=[1, 1])
        y = op.Mul(op.Sigmoid(y), op.Tanh(op.Conv(y, w, **SAME)))
        return [op.Conv(y, w)]

    (plain, blocked), nodes = lowered(emit, MAP)
    assert nodes == {"ReorderInput": 2, "Conv": 3, "MaxPool": 1, "ReorderOutput": 1}
    # The second convolution adds up what the first has rounded.
    assert_rounded(blocked[0], plain[0], of_largest=1e-4)


def test_a_constant_that_came_into_the_layout_is_not_kept_as_it_was():
    op = Emitter()
    x, w = op.input("x", "float32", (2, 16, 9, 8)), op.input("w", "float32", (16, 16, 3, 3))
    op.output(op.Mul(op.Conv(x, w), PIXELS), "y")
    block_convolutions(op.graph, BLOCK)
    shapes = [tuple(value.shape) for value in op.graph.initializers.values()]
    assert (1, 42 * BLOCK) in shapes
    assert (1, 1, 7, 6) not in shapes


@pytest.mark.parametrize("axis", [3, 4])
def test_rows_and_columns_take_turns_where_they_are(axis):
    def emit(op, x, w):
        return [in_turn(op, op.Conv(x, w), axis)]

    (plain, blocked), nodes = lowered(emit, MAP)
    assert_rounded(blocked[0], plain[0])
    assert nodes == {"ReorderInput": 2, "Conv": 1, "ReorderOutput": 1}


def test_constant_weights_are_left_to_onnx_runtime():
    def emit(op, x):
        return [op.Conv(x, np.ones((16, 16, 3, 3), np.float32))]

    _, nodes = lowered(emit, {"x": MAP["x"]})
    assert nodes == {}


def fitted(tmp_path):
    """A network that has trained in blocks."""
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(16, 3), layers.Conv2D(16, 3), layers.Flatten(),
         layers.Dense(2)]
    )  # fmt: skip
    model.compile("adam", "mse")
    x, y = np.ones((8, 8, 8, 3), np.float32), np.ones((8, 2), np.float32)
    model.fit(x, y, batch_size=8, verbose=0)
    return model


def test_no_file_holds_the_layout(tmp_path):
    assert block_for(CPU) == BLOCK
    model = fitted(tmp_path)
    model.save(tmp_path / "saved.onnx")
    model.export(tmp_path / "exported.onnx", verbose=False)
    model.export_training(tmp_path / "training")
    files = [*tmp_path.glob("*.onnx"), *(tmp_path / "training").glob("*.onnx")]
    assert len(files) >= 3
    for path in files:
        assert DOMAIN.encode() not in path.read_bytes(), path.name


def test_a_build_without_the_operators_stays_plain_and_says_so(monkeypatch, caplog):
    def refuse(*arguments):
        raise RuntimeError("nchwc is not a registered domain")

    monkeypatch.setattr("seqonnx.runtime.block_size.open_session", refuse)
    with caplog.at_level(logging.INFO, "seqonnx"):
        assert block_size.__wrapped__() == 0
    assert caplog.messages == [
        "Convolutions stay in the plain layout: nchwc is not a registered domain"
    ]


def test_the_block_is_that_of_the_vector_unit():
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text(encoding="utf-8") if cpu.exists() else ""
    if "avx2" not in flags:
        pytest.skip("not a processor with AVX2, or the system does not tell")
    assert (16 if "avx512f" in flags else 8) == BLOCK


class Stepping(keras.Model):
    """A model with a training step of its own."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def test_own_steps_run_in_blocks_with_the_same_results(monkeypatch):
    found, domains = [], []
    for setting in ("0", "1"):
        monkeypatch.setenv("SEQONNX_BLOCKED", setting)

        def build():
            x = keras.Input((8, 8, 3))
            y = layers.Conv2D(16, 3, activation="tanh")(x)
            y = layers.MaxPooling2D()(layers.DepthwiseConv2D(3)(y))
            return Stepping(x, layers.Dense(4)(layers.Flatten()(y)))

        recorded = []
        monkeypatch.setattr(
            "seqonnx.training.own_step.finish_step",
            lambda *a, _made=recorded, **k: _made.append(finish_step(*a, **k)) or _made[-1],
        )
        found.append(taught(build))
        protos = [onnx.load_model_from_string(graph.model) for graph in recorded]
        domains.append(sum(blocked_nodes(proto).get("Conv", 0) for proto in protos))
    assert domains[0] == 0
    assert domains[1] >= 4  # two forward, two gradients of weights
    assert_near(*found)


def test_sums_over_large_maps_keep_their_precision(monkeypatch):
    """One after another, so many numbers would lose digits."""

    def build():
        return keras.Sequential(
            [
                keras.Input((150, 150, 1)),
                layers.Conv2D(16, 3, activation="sigmoid"),
                layers.BatchNormalization(),
                layers.Conv2D(16, 3, activation="sigmoid"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(4),
            ]
        )

    monkeypatch.setenv("SEQONNX_BLOCKED", "0")
    plain = taught(build)
    monkeypatch.setenv("SEQONNX_BLOCKED", "1")
    proto = step_proto(build)
    assert blocked_nodes(proto)["Conv"] > 0
    assert "GlobalAveragePool" not in blocked_nodes(proto)
    assert_near(taught(build), plain)
