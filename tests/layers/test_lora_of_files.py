"""Low-rank adaptation of networks from ONNX files, float and quantised; adapters in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seqonnx import Sequential, layers, models, optimizers
from seqonnx.layers import Input, ONNXModel

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist10k.npz"
RNG = np.random.default_rng(0)
CONV = RNG.normal(size=(6, 2, 3, 3)).astype(np.float32)
TURNED = RNG.normal(size=(8, 6)).astype(np.float32)
PLAIN = RNG.normal(size=(8, 5)).astype(np.float32)
BIAS = RNG.normal(size=5).astype(np.float32)
X = RNG.normal(size=(3, 2, 5, 5)).astype(np.float32)
Y = RNG.normal(size=(3, 5)).astype(np.float32)


def made(initializers, nodes, inputs=(2, 5, 5), outputs=5, opset=21):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", outputs])],
        [numpy_helper.from_array(array, name) for name, array in initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


def network():
    """A Conv, a Gemm with its weight turned, and a MatMul; a bias."""
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["c"], "first"),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "turned"], ["g"], "second", transB=1),
        helper.make_node("MatMul", ["g", "plain"], ["m"], "third"),
        helper.make_node("Add", ["m", "bias"], ["y"]),
    ]
    weights = {"conv": CONV, "turned": TURNED, "plain": PLAIN, "bias": BIAS}
    return made(weights, nodes)


def quantised(symmetric):
    """A MatMul whose weight is integers: int8 by columns, or uint8 with a zero point."""
    limit = np.abs(PLAIN).max(axis=0) / 127 if symmetric else np.float32(np.ptp(PLAIN) / 255)
    scale = np.asarray(limit, np.float32)
    if symmetric:
        zero = np.zeros(5, np.int8)
    else:
        zero = np.asarray(np.round(-PLAIN.min() / scale), np.uint8)
    kind = np.iinfo(zero.dtype)
    integers = np.clip(np.round(PLAIN / scale) + zero, kind.min, kind.max).astype(zero.dtype)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["d"], "unpack", axis=1),
        helper.make_node("MatMul", ["x", "d"], ["m"], "product"),
        helper.make_node("Add", ["m", "bias"], ["y"]),
    ]
    weights = {"w": integers, "scale": scale, "zero": zero, "bias": BIAS}
    return made(weights, nodes, (8,)), (integers.astype(np.float64) - zero) * scale


def with_factors(layer):
    """Give the adapters values; returns each as (alpha / rank) A B by the name of the weight."""
    rng = np.random.default_rng(1)
    changes = {}
    for adapter in layer._adapters:
        for part in adapter.parts:
            part.assign(rng.normal(size=part.shape))
        product = adapter.scale * (adapter.a.numpy() @ adapter.b.numpy())
        if adapter.target.outputs_first:
            product = product.T
        changes[adapter.target.name] = product.reshape(adapter.target.shape)
    return changes


def test_every_product_is_adapted_and_the_rest_is_frozen():
    layer = ONNXModel(network())
    before = layer(X)
    layer.enable_lora(2, alpha=6)
    np.testing.assert_array_equal(layer(X), before)
    assert [v.name for v in layer.trainable_weights] == [
        f"{name}/lora_{letter}" for name in ("conv", "turned", "plain") for letter in "ab"
    ]
    shapes = [v.shape for v in layer.trainable_weights]
    assert shapes == [(18, 2), (2, 6), (6, 2), (2, 8), (8, 2), (2, 5)]
    changes = with_factors(layer)
    changed = ONNXModel(network())
    old = dict(zip(("conv", "turned", "plain"), (CONV, TURNED, PLAIN), strict=True))
    changed.set_weights([*(old[name] + changes[name] for name in old), BIAS])
    np.testing.assert_allclose(layer(X), changed(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ("conv", {"conv"}),
        ("^second$", {"turned"}),
        (["first", "plain"], {"conv", "plain"}),
        (None, {"conv", "turned", "plain"}),
    ],
)
def test_targets_are_named_by_weights_or_nodes(targets, names):
    layer = ONNXModel(network())
    layer.enable_lora(1, targets=targets)
    assert {adapter.target.name for adapter in layer._adapters} == names


def test_obstacles_are_named():
    layer = ONNXModel(network(), name="net")
    with pytest.raises(ValueError, match=r"Received: 'attention', which none has. They are: conv "):
        layer.enable_lora(2, targets="attention")
    with pytest.raises(ValueError, match=r"There is nothing to adapt: .* Received: rank=64"):
        layer.enable_lora(64)
    with pytest.raises(ValueError, match="`rank` must be a positive integer"):
        layer.enable_lora(0)
    layer.enable_lora(1)
    with pytest.raises(ValueError, match="Layer 'net' already has adapters of rank 1"):
        layer.enable_lora(1)
    with pytest.raises(ValueError, match=r"has no adapters. Call `enable_lora`"):
        Sequential([Input((4,)), layers.Dense(2)]).save_weights("a.npz", lora_only=True)


def trained(model):
    """A network with adapters that a few steps have moved."""
    layer = ONNXModel(model)
    layer.enable_lora(2)
    x, y = (X, Y) if layer.input_spec.ndim == 4 else (X.reshape(3, -1)[:, :8], Y)
    net = Sequential([Input(x.shape[1:]), layer])
    net.compile(optimizers.Adam(0.05), "mse")
    first = net.train_on_batch(x, y)
    for _ in range(4):
        last = net.train_on_batch(x, y)
    assert last < first
    return net, x, y


@pytest.mark.parametrize("kind", ["float", "int8", "uint8"])
def test_training_moves_the_adapters_alone_and_saved_models_go_on(kind, tmp_path):
    model = network() if kind == "float" else quantised(kind == "int8")[0]
    net, x, y = trained(model)
    adapters = 6 if kind == "float" else 2
    assert len(net.optimizer.variables) == 2 + 2 * adapters
    bias = next(v for v in net.weights if v.name == "bias")
    np.testing.assert_array_equal(bias, BIAS)
    net.save(tmp_path / "m.onnx")
    loaded = models.load_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), net.predict(x, verbose=0))
    assert loaded.train_on_batch(x, y) == net.train_on_batch(x, y)


def test_merged_file_has_the_operators_and_weights_of_the_base(tmp_path):
    net, x, _ = trained(network())
    for name, merged in (("merged", True), ("apart", False)):
        net.export(tmp_path / f"{name}.onnx", merge_lora=merged)
        y = ONNXModel(tmp_path / f"{name}.onnx")(x)
        np.testing.assert_allclose(y, net.predict(x, verbose=0), rtol=1e-5, atol=1e-5)
    merged, apart = (onnx.load(tmp_path / f"{name}.onnx").graph for name in ("merged", "apart"))
    assert sorted(tuple(t.dims) for t in merged.initializer) == [(5,), (6, 2, 3, 3), (8, 5), (8, 6)]
    assert len(apart.initializer) > len(merged.initializer)


def test_merged_file_of_integers_is_as_large_as_its_base(tmp_path):
    integers = np.random.default_rng(0).integers(-127, 128, (400, 400)).astype(np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale"], ["d"]),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    weights = {"w": integers, "scale": np.float32(0.01)}
    onnx.save(made(weights, nodes, (400,), 400), tmp_path / "base.onnx")
    layer = ONNXModel(tmp_path / "base.onnx")
    layer.enable_lora(2)
    with pytest.warns(UserWarning, match="adapters were merged into 1 integer weights"):
        Sequential([Input((400,)), layer]).export(tmp_path / "m.onnx")
    base, merged = ((tmp_path / f"{name}.onnx").stat().st_size for name in ("base", "m"))
    assert merged <= 1.02 * base + 4096


@pytest.mark.parametrize("symmetric", [True, False])
def test_integers_are_adapted_and_quantised_again_when_merged(symmetric, tmp_path):
    model, weight = quantised(symmetric)
    layer = ONNXModel(model, name="net")
    layer.enable_lora(2)
    x = RNG.normal(size=(4, 8)).astype(np.float32)
    np.testing.assert_allclose(layer(x), x @ weight + BIAS, rtol=1e-4, atol=1e-5)
    weight = weight + with_factors(layer)["w"]
    np.testing.assert_allclose(layer(x), x @ weight + BIAS, rtol=1e-4, atol=1e-4)
    net = Sequential([Input((8,)), layer])
    with pytest.warns(UserWarning, match=r"Layer 'net': adapters were merged into 1 integer wei"):
        net.export(tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx").graph
    stored = {t.data_type for t in graph.initializer if len(t.dims) == 2}
    assert stored == {TensorProto.INT8 if symmetric else TensorProto.UINT8}
    step = np.ptp(weight) / 255 if not symmetric else np.abs(weight).max(axis=0) / 127
    error = np.abs(ONNXModel(tmp_path / "m.onnx", trainable=False)(x) - (x @ weight + BIAS))
    assert (error <= np.abs(x).sum(axis=1, keepdims=True) * step / 2 * 1.05).all()


def mixed():
    """A base from a file and a layer of one's own, both with adapters."""
    base = ONNXModel(network(), name="base")
    head = layers.Dense(4, name="head")
    net = Sequential([Input((2, 5, 5)), base, head])
    rng = np.random.default_rng(5)
    head.set_weights([rng.normal(size=v.shape) for v in head.weights])
    base.enable_lora(1)
    head.enable_lora(1)
    return net


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_adapter_goes_to_a_file_and_onto_the_base_again(ending, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors", reason="needs seqonnx[safetensors]")
    path = tmp_path / f"adapter.{ending}"
    net = mixed()
    net.compile(optimizers.SGD(0.01), "mse")
    net.train_on_batch(X, np.ones((3, 4), np.float32))
    net.save_weights(path, lora_only=True)
    net.save_weights(tmp_path / f"all.{ending}")
    assert path.stat().st_size < (tmp_path / f"all.{ending}").stat().st_size
    other = mixed()
    assert np.abs(other.predict(X, verbose=0) - net.predict(X, verbose=0)).max() > 1e-3
    other.load_weights(path, lora_only=True)
    np.testing.assert_allclose(other(X), net(X), rtol=1e-6, atol=1e-6)


def test_adapter_of_a_base_of_integers_alone(tmp_path):
    model, _ = quantised(symmetric=True)
    del model.graph.node[-1]  # the bias, the only float that could train
    model.graph.initializer.remove(next(t for t in model.graph.initializer if t.name == "bias"))
    model.graph.output[0].name = "m"
    nets = []
    for _ in range(2):
        base = ONNXModel(model, name="base")
        base.enable_lora(1)
        nets.append(Sequential([Input((8,)), base]))
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    nets[0].compile(optimizers.SGD(0.1), "mse")
    nets[0].train_on_batch(x, np.ones((4, 5), np.float32))
    nets[0].save_weights(tmp_path / "a.npz", lora_only=True)
    nets[1].load_weights(tmp_path / "a.npz", lora_only=True)
    np.testing.assert_array_equal(nets[1].predict(x, verbose=0), nets[0].predict(x, verbose=0))


def test_adapter_of_another_rank_and_files_of_keras_are_refused(tmp_path):
    net = mixed()
    net.save_weights(tmp_path / "a.npz", lora_only=True)
    other = ONNXModel(network(), name="base")
    other.enable_lora(2)
    model = Sequential([Input((2, 5, 5)), other])
    with pytest.raises(ValueError, match=r"has shape \(18, 1\) in the file and \(18, 2\)"):
        model.load_weights(tmp_path / "a.npz", lora_only=True)
    with pytest.raises(ValueError, match=r"`lora_only=True` is for `.safetensors` and `.npz`"):
        net.save_weights(tmp_path / "a.weights.h5", lora_only=True)


def test_frozen_base_needs_no_slots_and_is_constant_in_the_step():
    net, _, _ = trained(network())
    fixed = net._frozen_weights
    assert {v.name for v in fixed} == {"conv", "turned", "plain", "bias"}


@pytest.mark.slow
def test_turned_digits_are_learned_by_an_adapter_of_three_percent(tmp_path):
    """MNIST turned by 90 degrees: 2,000 images, rank 4, 15 epochs."""
    pytest.importorskip("safetensors", reason="needs seqonnx[safetensors]")
    if not SHARED.exists():
        pytest.skip("the shared sample of MNIST is not beside this checkout")
    data = np.load(SHARED)

    def images(name, turned):
        pixels = np.rot90(data[name], axes=(1, 2)) if turned else data[name]
        return (pixels.reshape(len(pixels), -1) / 255).astype(np.float32)

    def made():
        units = [layers.Dense(256, "relu"), layers.Dense(128, "relu"), layers.Dense(10, "softmax")]
        return Sequential([Input((784,)), *units])

    base = made()
    base.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    base.fit(images("x_train", False), data["y_train"], batch_size=64, epochs=8, verbose=0)
    x, y = images("x_test", True), data["y_test"]
    assert base.evaluate(x, y, verbose=0)[1] < 0.2
    model = made()
    model.set_weights(base.get_weights())
    for layer in model.layers:
        layer.enable_lora(4)
    model.compile(optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images("x_train", True)[:2000], data["y_train"][:2000], epochs=15, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] >= 0.87
    model.save_weights(tmp_path / "a.safetensors", lora_only=True)
    weights = sum(array.nbytes for array in base.get_weights())
    assert (tmp_path / "a.safetensors").stat().st_size <= 0.03 * weights
    model.export(tmp_path / "m.onnx")
    merged = ONNXModel(tmp_path / "m.onnx", trainable=False)(x)
    np.testing.assert_allclose(merged, model.predict(x, verbose=0), atol=1e-5)
