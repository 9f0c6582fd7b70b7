"""Transposes leave the inside of a graph, and nothing it computes changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqonnx import layers
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.serde import to_bytes, to_proto
from seqonnx.lowering.layout import move_transposes
from support.layers.emission import reference, runtime

NHWC = ("batch", 6, 5, 4)
TO_FIRST, TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]

Build = Callable[[Emitter, ir.Value], ir.Value]


def graph(build: Build, shape=NHWC, dtype="float32") -> Emitter:
    op = Emitter()
    op.output(build(op, op.input("x", dtype, shape)), "y")
    return op


def stack(*members: layers.Layer) -> Build:
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        for layer in members:
            layer._build_for(tuple(d if isinstance(d, int) else None for d in static_shape(x)))
            with op.scope(layer.name):
                x = layer._emit(op, x, training=False)
        return x

    return build


def kinds(op: Emitter) -> list[str]:
    return [node.op_type for node in op.graph]


def transposes(op: Emitter) -> int:
    return kinds(op).count("Transpose")


def check_moved(build: Build, shape=NHWC, most: int | None = None, dtype="float32") -> Emitter:
    """Move the Transposes of a graph; it must compute what it did, in as few of them."""
    before, op = graph(build, shape, dtype), graph(build, shape, dtype)
    move_transposes(op.graph)
    check_same(before, op, shape, dtype)
    if most is not None:
        assert transposes(op) <= most, kinds(op)
    assert transposes(op) <= transposes(before)
    return op


def check_same(before: Emitter, op: Emitter, shape, dtype="float32") -> None:
    x = np.random.default_rng(0).normal(size=(3, *shape[1:])).astype(dtype)
    proto = to_proto(op.graph)
    onnx.checker.check_model(proto, full_check=True)
    for old, new in zip(before.graph.outputs, op.graph.outputs, strict=True):
        assert (new.name, new.shape, new.dtype) == (old.name, old.shape, old.dtype)
    for a, b in zip(runtime(op, {"x": x}), reference(before, {"x": x}), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    check_shapes(op)


def check_shapes(op: Emitter) -> None:
    """Recorded shapes and types are those that ONNX infers from scratch."""
    proto = to_proto(op.graph)
    del proto.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    found = {info.name: info.type.tensor_type for info in inferred.graph.value_info}
    for node in op.graph:
        for value in node.outputs:
            assert value.shape is not None, value.name
            if value.name in found:
                assert value.dtype == found[value.name].elem_type
                dims = [d.dim_value or None for d in found[value.name].shape.dim]
                known = [d if isinstance(d, int) else None for d in value.shape]
                assert len(dims) == len(known)
                assert all(
                    a is None or b is None or a == b for a, b in zip(dims, known, strict=True)
                )


MEMBERS = {
    "conv": lambda: layers.Conv2D(4, 3, padding="same", activation="relu"),
    "stride": lambda: layers.Conv2D(4, (2, 3), 2, "same", activation="selu"),
    "depthwise": lambda: layers.DepthwiseConv2D(2, padding="same", depth_multiplier=2),
    "max": lambda: layers.MaxPooling2D(2, 1),
    "average": lambda: layers.AveragePooling2D(2, 1, "same"),
    "norm": layers.BatchNormalization,
    "dropout": lambda: layers.Dropout(0.5),
    "pad": lambda: layers.ZeroPadding2D(((1, 0), (0, 2))),
    "relu": lambda: layers.ReLU(6.0, 0.1),
    "leaky": layers.LeakyReLU,
    "prelu": lambda: layers.PReLU("normal"),
    "prelu-shared": lambda: layers.PReLU("normal", shared_axes=[1, 2]),
    "elu": layers.ELU,
    "mish": lambda: layers.Activation("mish"),
    "swish": lambda: layers.Activation("swish"),
    "gelu": lambda: layers.Activation("gelu"),
    "softmax": layers.Softmax,
    "softmax-axes": lambda: layers.Softmax((1, 2)),
    "rescale": lambda: layers.Rescaling(2.0, 1.0),
    "identity": layers.Identity,
}

EXITS = {
    "global-average": layers.GlobalAveragePooling2D,
    "global-max": lambda: layers.GlobalMaxPooling2D(keepdims=True),
    "flatten": layers.Flatten,
    "none": layers.Identity,
    "dense": lambda: layers.Dense(3),
}


def test_image_stack_has_one_transpose_at_each_end():
    last = (MEMBERS["conv"](), MEMBERS["dropout"](), MEMBERS["leaky"](), EXITS["flatten"]())
    op = check_moved(stack(*(make() for make in MEMBERS.values()), *last))
    assert transposes(op) == 2
    path = [kind for kind in kinds(op) if kind != "Reshape"]
    assert path[0] == "Transpose"
    assert path[-2:] == ["Transpose", "Flatten"]


def test_global_pooling_leaves_no_transpose_at_the_exit():
    op = check_moved(stack(MEMBERS["conv"](), MEMBERS["norm"](), EXITS["global-average"]()))
    inner = ["Conv", "Relu", "BatchNormalization", "GlobalAveragePool"]
    assert kinds(op) == ["Transpose", *inner, "Flatten"]


def test_grey_images_need_no_transpose_at_the_entry():
    op = check_moved(stack(MEMBERS["conv"](), EXITS["global-average"]()), ("batch", 6, 5, 1))
    assert kinds(op) == ["Reshape", "Conv", "Relu", "GlobalAveragePool", "Flatten"]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    names=st.lists(st.sampled_from(sorted(MEMBERS)), min_size=1, max_size=6),
    exit_name=st.sampled_from(sorted(EXITS)),
    channels=st.sampled_from([1, 4]),
)
def test_random_stacks(names, exit_name, channels):
    members = [*(MEMBERS[name]() for name in names), EXITS[exit_name]()]
    check_moved(stack(*members), ("batch", 6, 5, channels), most=2)


def core(op: Emitter, x: ir.Value, inner: Build, after: str = "MaxPool") -> ir.Value:
    """Something between two image operators."""
    y = op.Transpose(op.MaxPool(op.Transpose(x, perm=TO_FIRST), kernel_shape=[1, 2]), perm=TO_LAST)
    z = op.Transpose(inner(op, y), perm=TO_FIRST)
    return op.emit(after, [z], {"kernel_shape": [1, 1]})


BETWEEN = {
    "scalar": lambda op, y: op.Mul(op.Add(y, 1.0), 2.0),
    "channel-constant": lambda op, y: op.Add(y, np.arange(4, dtype=np.float32)),
    "image-constant": lambda op, y: op.Mul(y, np.arange(96, dtype=np.float32).reshape(6, 4, 4)),
    "row-constant": lambda op, y: op.Sub(np.arange(6, dtype=np.float32).reshape(6, 1, 1), y),
    "two-branches": lambda op, y: op.Add(op.Relu(y), op.Sigmoid(y)),
    "reduced": lambda op, y: op.Div(y, op.ReduceMax(y, [1, 2])),
    "gate": lambda op, y: op.Mul(y, op.Sigmoid(op.ReduceMean(y, [1, 2], keepdims=1))),
    "where": lambda op, y: op.Where(op.Greater(y, 0.0), y, op.Mul(y, 0.1)),
    "concat": lambda op, y: op.Concat(y, op.Relu(y), axis=-1),
    "concat-height": lambda op, y: op.Concat(y, op.Relu(y), axis=1),
    "split": lambda op, y: op.Add(*op.Split(y, axis=-1, num_outputs=2, _outputs=2)),
    "softmax": lambda op, y: op.Softmax(y, axis=1),
    "log-softmax": lambda op, y: op.LogSoftmax(y),
    "pad": lambda op, y: op.Pad(y, [0, 1, 0, 2, 0, 0, 3, 1], 0.5),
    "pad-axes": lambda op, y: op.Pad(y, [1, 2, 0, 1], 0.5, [1, -1]),
    "slice": lambda op, y: op.Slice(y, [1, 0], [4, -1], [1, -2]),
    "squeezed": lambda op, y: op.Unsqueeze(op.Squeeze(op.ReduceSum(y, [1], keepdims=1), [1]), [1]),
    "argmax": lambda op, y: op.Cast(op.ArgMax(y, axis=-1, keepdims=1), to=1),
    "cast": lambda op, y: op.Cast(op.Cast(y, to=11), to=1),
    "variable-power": lambda op, y: op.Pow(op.Abs(y), 2.0),
    "clip": lambda op, y: op.Clip(y, -0.5, 0.5),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_operators_between_image_operators_see_no_transpose(name):
    op = check_moved(lambda op, x: core(op, x, BETWEEN[name]))
    assert transposes(op) == 1, kinds(op)
    assert kinds(op)[0] == "Transpose"


def test_reductions_absorb_a_transpose():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        y = op.Transpose(op.MaxPool(x, kernel_shape=[2, 2]), perm=TO_LAST)
        return op.ReduceMean(op.Relu(y), [1, 2], keepdims=0)

    assert kinds(check_moved(build)) == ["MaxPool", "Relu", "ReduceMean"]


def test_partial_reduction_leaves_a_smaller_transpose():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        return op.ReduceMean(op.Transpose(x, perm=TO_LAST), [1], keepdims=0)

    op = check_moved(build)
    assert kinds(op) == ["ReduceMean", "Transpose"]
    assert list(op.graph[1].attributes.get_ints("perm")) == [0, 2, 1]


def test_unsqueezed_axes_stay():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        y = op.Unsqueeze(op.Transpose(x, perm=TO_LAST), [1, -1])
        return op.Transpose(y, perm=[0, 1, 4, 2, 3, 5])

    assert kinds(check_moved(build)) == ["Unsqueeze"]


def test_joined_transposes_are_one_or_none():
    assert kinds(
        check_moved(lambda op, x: op.Transpose(op.Transpose(x, perm=TO_FIRST), perm=TO_LAST))
    ) == ["Identity"]
    op = check_moved(lambda op, x: op.Transpose(op.Transpose(x, perm=TO_FIRST), perm=TO_FIRST))
    assert kinds(op) == ["Transpose"]
    assert list(op.graph[0].attributes.get_ints("perm")) == TO_LAST


def test_default_permutation_reverses():
    assert kinds(check_moved(lambda op, x: op.Transpose(op.Relu(op.Transpose(x))))) == ["Relu"]


def test_equal_transposes_are_made_once():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        a = op.MaxPool(op.Transpose(x, perm=TO_FIRST), kernel_shape=[2, 2])
        b = op.MaxPool(op.Transpose(x, perm=TO_FIRST), kernel_shape=[2, 2])
        return op.Add(a, b)

    check_moved(build, most=1)


def test_transpose_is_not_doubled_for_two_users():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        y = op.Transpose(op.MaxPool(x, kernel_shape=[2, 2]), perm=TO_LAST)
        return op.Concat(op.Flatten(op.Relu(y)), op.Flatten(op.Sigmoid(y)), axis=1)

    check_moved(build, most=1)


def test_softmax_stays_on_the_last_axis_where_nothing_is_won():
    op = check_moved(stack(MEMBERS["conv"](), layers.Softmax()))
    assert kinds(op)[-2:] == ["Transpose", "Softmax"]


def test_a_plain_operand_is_transposed_only_where_that_pays():
    def sum_with_input(op: Emitter, x: ir.Value) -> ir.Value:
        y = op.Transpose(op.Relu(op.Transpose(x, perm=TO_FIRST)), perm=TO_LAST)
        z = op.Transpose(op.Exp(op.Transpose(y, perm=TO_FIRST)), perm=TO_LAST)
        return op.Add(z, x)

    op = check_moved(sum_with_input)
    assert transposes(op) <= 2


def test_outputs_in_the_middle_keep_name_and_shape():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        y = op.Transpose(
            op.MaxPool(op.Transpose(x, perm=TO_FIRST), kernel_shape=[2, 2]), perm=TO_LAST
        )
        y = op.output(y, "pooled")
        z = op.output(op.Relu(y), "rectified")
        op.graph.outputs.append(z)
        return op.Transpose(z, perm=TO_FIRST)

    before, op = graph(build), graph(build)
    move_transposes(op.graph)
    check_shapes(op)
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype(np.float32)
    assert [v.name for v in op.graph.outputs] == ["pooled", "rectified", "rectified", "y"]
    assert [v.shape for v in op.graph.outputs] == [v.shape for v in before.graph.outputs]
    del before.graph.outputs[2], op.graph.outputs[2]
    for a, b in zip(runtime(op, {"x": x}), runtime(before, {"x": x}), strict=True):
        np.testing.assert_array_equal(a, b)


def test_output_that_becomes_an_input_is_copied():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        return op.Transpose(op.Transpose(x, perm=TO_FIRST), perm=TO_LAST)

    op = check_moved(build)
    assert [v.name for v in op.graph.inputs] == ["x"]
    assert [v.name for v in op.graph.outputs] == ["y"]


def test_weights_that_are_inputs_are_reshaped():
    op = Emitter()
    x, w = op.input("x", "float32", NHWC), op.input("w", "float32", (4,))
    op.output(core(op, x, lambda op, y: op.Mul(y, w)), "y")
    move_transposes(op.graph)
    assert kinds(op) == ["Transpose", "MaxPool", "Reshape", "Mul", "MaxPool"]
    array = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype(np.float32)
    scale = np.arange(4, dtype=np.float32)
    y = reference(op, {"x": array, "w": scale})[0]
    expected = np.maximum(array[:, :, :-1], array[:, :, 1:]) * scale
    np.testing.assert_allclose(y, np.moveaxis(expected, -1, 1), rtol=1e-6)


def test_noise_takes_the_layout_that_is_wanted():
    op = Emitter()
    x = op.input("x", "float32", NHWC)
    dropout = layers.Dropout(0.25)
    op.output(core(op, x, lambda op, y: dropout._emit(op, y, training=True)), "y")
    (noise,) = op.noise.values()
    move_transposes(op.graph, any_order=op.noise.values())
    assert transposes(op) == 1
    assert static_shape(noise) == ("batch", 4, 6, 4)
    check_shapes(op)
    array = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype(np.float32)
    uniform = np.random.default_rng(1).random((2, 4, 6, 4), np.float32)
    y = reference(op, {"x": array, noise.name: uniform})[0]
    pooled = np.moveaxis(np.maximum(array[:, :, :-1], array[:, :, 1:]), -1, 1)
    np.testing.assert_allclose(y, np.where(uniform >= 0.25, pooled / 0.75, 0), rtol=1e-5)


def test_noise_keeps_its_samples_on_the_first_axis():
    op = Emitter()
    steps_first = op.input("x", "float32", (5, "batch", 4))
    noise = op.random_uniform(("batch", 5, 4))
    masked = op.Mul(steps_first, op.Transpose(noise, perm=[1, 0, 2]))
    op.output(op.MatMul(masked, np.ones((4, 2), np.float32)), "y")
    move_transposes(op.graph, any_order=[noise])
    assert static_shape(noise) == ("batch", 5, 4)
    array = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    uniform = np.random.default_rng(1).random((3, 5, 4), np.float32)
    y = reference(op, {"x": array, noise.name: uniform})[0]
    expected = (array * uniform.transpose(1, 0, 2)) @ np.ones((4, 2), np.float32)
    np.testing.assert_allclose(y, expected, rtol=1e-5)


def test_training_graph_of_a_stack():
    members = [MEMBERS[name]() for name in ("conv", "norm", "dropout", "max", "relu", "conv")]

    def build(op: Emitter, x: ir.Value) -> ir.Value:
        for layer in members:
            layer._build_for(tuple(d if isinstance(d, int) else None for d in static_shape(x)))
            with op.scope(layer.name):
                x = layer._emit(op, x, training=True)
        return x

    before, op = graph(build), graph(build)
    move_transposes(op.graph)
    assert transposes(op) <= 3
    feeds = {"x": np.random.default_rng(0).normal(size=(3, 6, 5, 4)).astype(np.float32)}
    feeds |= {name: np.random.default_rng(1).random((3, 6, 5, 4), np.float32) for name in op.noise}
    np.testing.assert_allclose(
        reference(op, feeds)[0], reference(before, feeds)[0], rtol=1e-3, atol=1e-4
    )


def test_unknown_image_sizes():
    shape = ("batch", "height", "width", 4)
    build = stack(MEMBERS["stride"](), MEMBERS["norm"](), MEMBERS["max"](), EXITS["global-max"]())
    before, op = graph(build, shape), graph(build, shape)
    move_transposes(op.graph)
    assert transposes(op) == 1
    x = np.random.default_rng(0).normal(size=(2, 9, 7, 4)).astype(np.float32)
    np.testing.assert_allclose(
        runtime(op, {"x": x})[0], runtime(before, {"x": x})[0], rtol=1e-5, atol=1e-6
    )


def test_twice_is_once_and_bytes_are_repeatable():
    members = [make() for make in MEMBERS.values()]
    op, again = graph(stack(*members)), graph(stack(*members))
    move_transposes(op.graph)
    move_transposes(again.graph)
    assert to_bytes(op.graph) == to_bytes(again.graph)
    once = kinds(op)
    move_transposes(op.graph)
    assert kinds(op) == once


def test_new_names_are_unique_and_in_the_layer():
    op = graph(stack(*(make() for make in MEMBERS.values())))
    move_transposes(op.graph)
    names = [node.name for node in op.graph]
    assert len(set(names)) == len(names)
    assert all("/" in name for name in names)
    values = [v.name for node in op.graph for v in node.outputs] + list(op.graph.initializers)
    assert len(set(values)) == len(values)


def test_deep_graphs_need_no_deep_stack():
    def build(op: Emitter, x: ir.Value) -> ir.Value:
        for _ in range(400):
            x = op.Transpose(op.Relu(op.Transpose(x, perm=TO_FIRST)), perm=TO_LAST)
        return x

    op = graph(build)
    move_transposes(op.graph)
    assert set(kinds(op)) == {"Relu"}
