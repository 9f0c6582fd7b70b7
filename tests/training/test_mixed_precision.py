"""Mixed precision: 16 bits between the layers, float32 where weights change."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers, losses, optimizers, regularizers
from seqonnx.autodiff import backward
from seqonnx.config import get_dtype_policy, set_dtype_policy
from seqonnx.errors import DeviceError, ExecutionError
from seqonnx.graph import Emitter, dtype_name
from seqonnx.graph.serde import to_proto
from seqonnx.layers import serialization
from seqonnx.models import load_model
from seqonnx.optimizers import LossScaleOptimizer
from seqonnx.runtime import select_device
from seqonnx.runtime.compiled import Compiled
from support.training.mixed_models import (
    X,
    Y,
    convnet,
    counters,
    mlp,
    scaled,
    state,
    step_model,
    trained,
)

RNG = np.random.default_rng(0)
CODES = {"float32": 1, "float16": 10, "bfloat16": 16}


@pytest.fixture(autouse=True)
def policy_of_before():
    yield
    set_dtype_policy("float32")


def types_of(proto):
    """Dtype of every value."""
    graph = proto.graph
    known = {t.name: t.data_type for t in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        known[value.name] = value.type.tensor_type.elem_type
    return known


# The policy.


def test_the_policy_is_float32_unless_one_is_set():
    assert get_dtype_policy() == "float32"
    assert layers.Dense(2).compute_dtype == "float32"
    set_dtype_policy("mixed_bfloat16")
    assert get_dtype_policy() == "mixed_bfloat16"
    assert keras.set_dtype_policy is set_dtype_policy


@pytest.mark.parametrize("policy", ["mixed_float8", "int32", None, 16])
def test_an_unknown_policy_is_refused_with_the_names_of_the_known(policy):
    with pytest.raises(
        ValueError,
        match=r"A dtype policy must be one of float16, bfloat16, float32, float64, mixed_float16, "
        r"mixed_bfloat16\. Received: "
        rf"policy={policy!r}",
    ):
        set_dtype_policy(policy)
    assert get_dtype_policy() == "float32"


def test_a_layer_refuses_an_unknown_mixed_policy():
    with pytest.raises(ValueError, match="Expected one of mixed_float16, mixed_bfloat16"):
        layers.Dense(2, dtype="mixed_float8")


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_a_layer_takes_the_policy_of_when_it_was_made(half):
    set_dtype_policy(f"mixed_{half}")
    layer = layers.Dense(3)
    set_dtype_policy("float32")
    assert (layer.dtype_policy, layer.dtype, layer.compute_dtype) == (
        f"mixed_{half}",
        "float32",
        half,
    )
    assert layer(keras.Input((4,))).dtype == half
    assert {weight.dtype for weight in layer.weights} == {"float32"}


def test_a_layer_of_its_own_dtype_ignores_the_policy():
    set_dtype_policy("mixed_float16")
    x = keras.Input((4,))
    assert x.dtype == "float32"
    assert layers.Dense(3, dtype="float32")(layers.Dense(3)(x)).dtype == "float32"
    assert layers.Dense(3, dtype="mixed_bfloat16")(x).dtype == "bfloat16"
    assert layers.Flatten()(keras.Input((4, 2), dtype="int32")).dtype == "int32"


def test_the_policy_of_a_layer_is_in_its_configuration():
    layer = layers.Dense(3, dtype="mixed_float16", name="d")
    config = serialization.serialize(layer)
    assert config["config"]["dtype"] == "mixed_float16"
    assert serialization.deserialize(config).compute_dtype == "float16"


def test_calling_a_layer_on_data_gives_what_it_computes_in():
    layer = layers.Dense(3, dtype="mixed_float16")
    x = RNG.normal(size=(5, 4)).astype(np.float32)
    y = layer(x)
    assert y.dtype == np.float16
    half = x.astype(np.float16).astype(np.float32) @ layer.kernel.numpy().astype(np.float16)
    np.testing.assert_allclose(y, half, rtol=2e-3, atol=1e-3)


# What the graphs hold.


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_products_are_half_and_what_they_harm_is_float32(half, monkeypatch):
    set_dtype_policy(f"mixed_{half}")
    model = convnet()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    proto, built = step_model(model, monkeypatch)
    types = types_of(proto)
    forward = [n for n in proto.graph.node if not n.name.startswith(("grad/", "optimizer/"))]
    for node in forward:
        took = {types[name] for name in node.input if types.get(name) in CODES.values()}
        if node.op_type in {"Conv", "Gemm", "MaxPool"}:
            assert took == {CODES[half]}, node.name
        if node.op_type in {"BatchNormalization", "Softmax", "LogSoftmax", "ReduceMean"}:
            assert took == {CODES["float32"]}, node.name
        if node.name.startswith(("loss/", "metrics/")) and node.op_type != "Cast":
            assert took <= {CODES["float32"]}, node.name
    assert {types[name] for v, name in built.reads.items() if v.dtype == "float32"} == {1}
    assert {types[name] for v, name in built.writes.items() if v.dtype == "float32"} == {1}
    paths = {variable._file_path for variable in built.writes}
    assert {"conv/kernel", "bn/moving_mean", "optimizer/out/kernel/velocity"} <= paths


def test_each_variable_is_cast_once_in_a_graph():
    shared = layers.Dense(4, use_bias=False, dtype="mixed_float16", name="shared")
    x = keras.Input((4,))
    model = keras.Model(x, shared(shared(x)))
    op = Emitter()
    value = op.input("x", "float32", (2, 4))
    op.output(model.call(op, [value], False)[0], "y")
    proto = to_proto(op.graph)
    kernels = [i.name for i in proto.graph.initializer if i.name.endswith("kernel")]
    casts = [n for n in proto.graph.node if n.op_type == "Cast" and n.input[0] in kernels]
    assert (len(kernels), len(casts)) == (1, 1)


def test_a_state_update_keeps_the_type_of_the_variable():
    class Counting(layers.Layer):
        def build(self, input_shape):
            self.seen = self.add_weight((), "zeros", name="seen", trainable=False)

        def call(self, op, x, training):
            op.update(self.seen, op.Add(self.seen, op.ReduceSum(x, keepdims=0)))
            return x

    layer = Counting(dtype="mixed_float16")
    layer._build_for((None, 2))
    op = Emitter(weights_as="input")
    layer._emit(op, op.input("x", "float32", (1, 2)), True)
    assert dtype_name(op.updates[layer.seen]) == "float32"
    assert op.read(layer.seen).is_graph_input()


def test_penalties_are_float32():
    layer = layers.Dense(
        2, dtype="mixed_float16", activity_regularizer=regularizers.L2(1.0), name="d"
    )
    layer._build_for((None, 2))
    op = Emitter()
    layer._emit(op, op.input("x", "float32", (1, 2)), True)
    assert [dtype_name(loss) for loss in op.losses] == ["float32"]


def test_the_loss_of_a_half_softmax_is_taken_from_its_logits():
    """A probability of 1e-6 is 9.5e-7 in float16, and of 1e-9 it is 0."""
    op = Emitter()
    x = op.input("x", "float32", (1, 2))
    y = layers.Softmax(dtype="mixed_float16")._emit(op, x, False)
    assert dtype_name(y) == "float16"
    target = op.input("y_true", "int64", (1,))
    loss = losses.SparseCategoricalCrossentropy()
    op.output(loss._emit(op, target, op.cast(y, "float32")), "loss")
    session = onnx.reference.ReferenceEvaluator(to_proto(op.graph))
    given = {"x": np.array([[20.0, 0.0]], np.float32), "y_true": np.array([1])}
    assert float(session.run(None, given)[0]) == pytest.approx(20.0, rel=1e-6)


def test_parameters_and_summary_are_those_of_float32():
    texts = []
    for policy in ("float32", "mixed_float16"):
        set_dtype_policy(policy)
        keras.clear_session(free_memory=False)
        model = convnet()
        lines = []
        model.summary(print_fn=lines.append)
        texts.append((lines, model.count_params()))
    assert texts[0] == texts[1]


# Numbers.


@pytest.mark.parametrize("make", [mlp, convnet])
@pytest.mark.parametrize("last", [{}, {"dtype": "float32"}], ids=["half-output", "float-output"])
def test_mixed_training_follows_float32(make, last):
    _, expected = trained(make, "float32", **last)
    model, found = trained(make, "mixed_float16", **last)
    assert expected[-1] < 0.9 * expected[0]
    np.testing.assert_allclose(found, expected, rtol=0.02)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    y = model.predict(X[:3], verbose=0)
    assert y.dtype == (np.float32 if last else np.float16)
    np.testing.assert_allclose(y.sum(-1), 1.0, atol=2e-3)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(
        float(losses.SparseCategoricalCrossentropy()(Y, model.predict(X, verbose=0))), rel=1e-2
    )


def test_a_residual_model_trains_though_its_input_is_float32():
    set_dtype_policy("mixed_float16")
    x = keras.Input((8,))
    total = layers.Add()([x, layers.Dense(8)(x)])
    joined = layers.Concatenate()([x, total])
    single = layers.Multiply(dtype="float32")([x, total])
    assert (total.dtype, joined.dtype, single.dtype) == ("float16", "float16", "float32")
    model = keras.Model(x, layers.Dense(2)(joined))
    model.compile("sgd", "mse")
    before = model.get_weights()
    numbers = RNG.normal(size=(4, 8)).astype(np.float32)
    loss = model.train_on_batch(numbers, np.ones((4, 2), np.float32))
    assert np.isfinite(loss)
    assert counters(model)[1:] == (1.0, 0.0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert not np.array_equal(old, new)


EVERY_GRADIENT = {
    "dense": (layers.Dense(5, activation="gelu", dtype="mixed_float16"), (7,)),
    "conv": (layers.Conv2D(3, 3, strides=2, dtype="mixed_float16"), (7, 7, 2)),
    "depthwise": (layers.DepthwiseConv2D(3, dtype="mixed_float16"), (6, 6, 2)),
    "separable": (layers.SeparableConv2D(3, 3, dtype="mixed_float16"), (6, 6, 2)),
    "normalization": (layers.BatchNormalization(dtype="mixed_float16"), (5, 5, 3)),
    "average": (layers.AveragePooling2D(2, dtype="mixed_float16"), (6, 6, 2)),
    "tiles": (layers.MaxPooling2D(2, dtype="mixed_float16"), (6, 6, 2)),
    "rest": (layers.MaxPooling2D(2, dtype="mixed_float16"), (7, 6, 4)),
    "overlap": (layers.MaxPooling2D(3, 1, dtype="mixed_float16"), (6, 6, 2)),
    "clip": (layers.ReLU(max_value=0.8, dtype="mixed_float16"), (40,)),
    "softmax": (layers.Softmax(dtype="mixed_float16"), (9,)),
}


@pytest.mark.parametrize("name", EVERY_GRADIENT)
def test_gradients_are_those_of_float32_within_rounding(name):
    layer, shape = EVERY_GRADIENT[name]
    exact = type(layer).from_config(layer.get_config() | {"dtype": "float32", "name": "exact"})
    # Numbers that float16 rounds, far enough apart not to change their order.
    x = RNG.permutation(4 * np.prod(shape)).reshape(4, *shape).astype(np.float32) / 61 - 2
    seed = RNG.normal(size=1000).astype(np.float32)
    found, expected = (gradients(one, x, seed) for one in (layer, exact))
    assert len(found) == len(expected)
    for half, full in zip(found, expected, strict=True):
        np.testing.assert_allclose(half, full, atol=3e-3 * np.abs(full).max())


def gradients(layer, x, seed):
    """Gradients of a weighted sum of a layer's outputs, for its input and its weights."""
    layer._build_for(x.shape)
    numbers = np.random.default_rng(4)
    layer.set_weights([numbers.uniform(0.1, 0.5, w.shape) for w in layer.weights])
    op = Emitter()
    value = op.input("x", "float32", x.shape)
    y = op.cast(layer._emit(op, value, True), "float32")
    weights = op.constant(np.resize(seed, [int(d) for d in y.shape]))
    total = op.ReduceSum(op.Mul(y, weights), keepdims=0)
    sources = [value, *(op.read(w) for w in layer.trainable_weights)]
    one = op.constant(np.ones((), np.float32))
    for number, grad in enumerate(backward(op, [(total, one)], sources, device="cpu")):
        assert grad is not None
        assert dtype_name(grad) == "float32"
        op.output(grad, f"grad_{number}")
    return Compiled(op).run([x])


# Files and devices.


def test_policy_and_scale_survive_a_file(tmp_path):
    model, _ = trained(convnet, "mixed_float16", optimizer=scaled(4.0, growth=4), dtype="float32")
    set_dtype_policy("float32")
    model.save(tmp_path / "model.onnx")
    loaded = load_model(tmp_path / "model.onnx")
    assert [layer.dtype_policy for layer in loaded.layers] == [
        layer.dtype_policy for layer in model.layers
    ]
    assert loaded.get_layer("conv").compute_dtype == "float16"
    assert isinstance(loaded.optimizer, LossScaleOptimizer)
    assert counters(loaded) == counters(model) == (2.0**9, 2.0, 0.0)
    for one in (model, loaded):
        one.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    assert counters(loaded) == counters(model)
    for ours, theirs in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_mixed_model_without_a_loss_scale_comes_back_without(tmp_path):
    set_dtype_policy("mixed_float16")
    model = mlp()
    model.compile("adam", "sparse_categorical_crossentropy", auto_scale_loss=False)
    model.train_on_batch(X[:16], Y[:16])
    model.save(tmp_path / "model.onnx")
    loaded = load_model(tmp_path / "model.onnx")
    assert type(loaded.optimizer) is optimizers.Adam
    for one in (model, loaded):
        one.train_on_batch(X[:16], Y[:16])
    for ours, theirs in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_mixed_model_exports_to_plain_onnx(tmp_path):
    model, _ = trained(convnet, "mixed_float16", steps=6, dtype="float32")
    model.export(tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(proto, full_check=True)
    assert {node.domain for node in proto.graph.node} == {""}
    given = {proto.graph.input[0].name: X[:4]}
    found = onnx.reference.ReferenceEvaluator(proto).run(None, given)[0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, model.predict(X[:4], verbose=0), atol=2e-3)


def test_bfloat16_on_a_cpu_says_what_to_do():
    set_dtype_policy("mixed_bfloat16")
    model = mlp()
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(
        ExecutionError,
        match=r"of layer '\w+': .*The graph computes in bfloat16, for which ONNX Runtime has "
        r"kernels on GPUs only.*`set_device\('cuda'\)`.*'mixed_float16' or 'float32'\.",
    ):
        model.fit(X, Y, verbose=0)


def test_what_a_bfloat16_graph_computes_is_right():
    """By the standard's evaluator, since ONNX Runtime has no kernels for the CPU."""
    layer = layers.Dense(3, activation="relu", dtype="mixed_bfloat16")
    layer._build_for((None, 4))
    op = Emitter()
    x = RNG.normal(size=(5, 4)).astype(np.float32)
    y = layer._emit(op, op.input("x", "float32", (5, 4)), False)
    assert dtype_name(y) == "bfloat16"
    op.output(op.cast(y, "float32"), "y")
    found = onnx.reference.ReferenceEvaluator(to_proto(op.graph)).run(None, {"x": x})[0]
    exact = np.maximum(x @ layer.kernel.numpy(), 0.0)
    np.testing.assert_allclose(found, exact, atol=0.03)


def test_a_scaled_dot_of_zeros_is_zero_in_half_precision():
    """1e-14, by which it divides, is 0 in float16."""
    layer = layers.Dot(1, normalize=True, dtype="mixed_float16")
    zero, one = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert layer([zero, one]).tolist() == [[0.0]]


@pytest.mark.gpu
@pytest.mark.parametrize("make", [mlp, convnet])
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_a_gpu_trains_in_mixed_precision(make, half):
    try:
        select_device("cuda")
    except DeviceError as error:
        pytest.skip(str(error))
    _, expected = trained(make, "float32", device="cpu")
    try:
        _, found = trained(make, f"mixed_{half}", device="cuda", dtype="float32")
    except ExecutionError as error:
        if half == "float16" or "has kernels on GPUs only" not in str(error):
            raise
        pytest.skip(str(error))
    np.testing.assert_allclose(found, expected, rtol=0.02 if half == "float16" else 0.1)
