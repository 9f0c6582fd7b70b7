"""Low-rank adaptation: W + (alpha / rank) A B, with W frozen, as Keras 3.15.1 has it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from seqonnx import Sequential, layers, models, optimizers
from seqonnx.layers import Input

SAMPLES = Path(__file__).parents[1] / "importers" / "samples"
RECORDED = json.loads((SAMPLES / "lora.json").read_text("utf-8"))

KINDS = {
    "dense": (lambda: layers.Dense(3), (None, 4), "kernel"),
    "einsum": (
        lambda: layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="de"),
        (None, 5, 4),
        "kernel",
    ),
    "embedding": (lambda: layers.Embedding(7, 3), (None, 4), "embeddings"),
    "conv": (lambda: layers.Conv2D(4, 3, groups=2), (None, 6, 6, 2), "kernel"),
    "conv1d": (lambda: layers.Conv1D(4, 2, padding="causal"), (None, 6, 3), "kernel"),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def data(shape, kind):
    rng = np.random.default_rng(3)
    if kind == "embedding":
        return rng.integers(0, 7, (5, *shape[1:]))
    return rng.normal(size=(5, *shape[1:])).astype(np.float32)


def adapted(kind, rank=2, alpha=5.0):
    """A layer with an adapter whose B is not 0, and the same layer with the sum as its weight."""
    make, shape, name = KINDS[kind]
    layer, plain = make(), make()
    for each in (layer, plain):
        each.build(shape)
    layer.enable_lora(rank, lora_alpha=alpha)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=v.shape) for v in layer.weights])
    weights = {v.name: v.numpy() for v in layer.weights}
    a, b = weights.pop(f"lora_{name}_a"), weights.pop(f"lora_{name}_b")
    weights[name] = weights[name] + alpha / rank * np.matmul(a, b)
    plain.set_weights(list(weights.values()))
    return layer, plain


@every_kind
def test_adapted_layer_computes_with_the_sum(kind):
    layer, plain = adapted(kind)
    x = data(KINDS[kind][1], kind)
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-5, atol=1e-5)


@every_kind
def test_only_the_adapter_and_the_bias_train(kind):
    layer, _ = adapted(kind)
    name = KINDS[kind][2]
    bias = [] if kind == "embedding" else ["bias"]
    assert [v.name for v in layer.weights] == [name, *bias, f"lora_{name}_a", f"lora_{name}_b"]
    trained = [*bias, f"lora_{name}_a", f"lora_{name}_b"]
    assert [v.name for v in layer.trainable_weights] == trained
    assert all(v.dtype == "float32" for v in layer.weights)


def test_step_moves_the_factors_by_the_chain_rule():
    """For Y = X (W + s A B): dA = s dW B^T and dB = s A^T dW."""
    rank, alpha, rate = 2, 6.0, 0.1
    layer, plain = adapted("dense", rank, alpha)
    x, y = data((None, 4), "dense"), np.ones((5, 3), np.float32)
    _, _, a, b = layer.get_weights()
    moved = {}
    for one in (layer, plain):
        model = Sequential([Input((4,)), one])
        model.compile(optimizers.SGD(rate), "mse")
        before = model.get_weights()
        model.train_on_batch(x, y)
        moved[one] = [new - old for old, new in zip(before, model.get_weights(), strict=True)]
    dw = moved[plain][0]
    np.testing.assert_array_equal(moved[layer][0], 0)
    np.testing.assert_allclose(moved[layer][1], moved[plain][1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(moved[layer][2], alpha / rank * dw @ b.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(moved[layer][3], alpha / rank * a.T @ dw, rtol=1e-4, atol=1e-5)


def convnet():
    return Sequential(
        [
            Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def trained_convnet():
    """A network with adapters that one step has moved."""
    model = convnet()
    for layer in (model.layers[0], model.layers[2]):
        layer.enable_lora(2)
    model.compile("adam", "mse")
    model.train_on_batch(data((None, 6, 6, 2), "conv"), np.ones((5, 3), np.float32))
    return model


def test_slots_are_for_what_trains():
    model = trained_convnet()
    assert len(model.trainable_weights) == 6
    assert len(model.optimizer.variables) == 2 + 2 * 6


def test_export_holds_the_sum_and_has_the_size_of_the_base(tmp_path):
    model, path = trained_convnet(), tmp_path / "merged.onnx"
    convnet().export(tmp_path / "base.onnx")
    model.export(path)
    base, merged = onnx.load(tmp_path / "base.onnx").graph, onnx.load(path).graph
    assert [node.op_type for node in merged.node] == [node.op_type for node in base.node]
    assert [list(t.dims) for t in merged.initializer] == [list(t.dims) for t in base.initializer]
    x = data((None, 6, 6, 2), "conv")
    given = layers.ONNXModel(path)(x)
    np.testing.assert_allclose(given, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_saved_model_goes_on_with_the_same_factors(tmp_path):
    model = trained_convnet()
    model.save(tmp_path / "m.onnx")
    loaded = models.load_model(tmp_path / "m.onnx")
    for old, new in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    x, y = data((None, 6, 6, 2), "conv"), np.ones((5, 3), np.float32)
    assert loaded.train_on_batch(x, y) == model.train_on_batch(x, y)
    assert [v.path for v in loaded.trainable_weights] == [v.path for v in model.trainable_weights]


def test_files_of_keras_hold_the_sum(tmp_path):
    pytest.importorskip("h5py", reason="needs seqonnx[keras]")
    model = trained_convnet()
    x = data((None, 6, 6, 2), "conv")
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    loaded = models.load_model(tmp_path / "m.keras")
    other = trained_convnet()
    other.load_weights(tmp_path / "m.weights.h5")
    plain = convnet()
    plain.load_weights(tmp_path / "m.weights.h5")
    for each in (loaded, other, plain):
        np.testing.assert_allclose(each(x), model(x), rtol=1e-5, atol=1e-6)
    assert loaded.layers[0].lora_rank == 2


def test_file_that_keras_wrote_computes_the_same():
    pytest.importorskip("h5py", reason="needs seqonnx[keras]")
    model = models.load_model(SAMPLES / "lora.keras")
    assert [f"sequential/{v.path}" for v in model.weights] == RECORDED["names"]
    assert [f"sequential/{v.path}" for v in model.trainable_weights] == RECORDED["trainable"]
    x = np.array(RECORDED["x"])
    np.testing.assert_allclose(model(x), RECORDED["y"], rtol=1e-4, atol=1e-4)
    model.set_weights([np.array(value) for value in RECORDED["weights"]])
    np.testing.assert_allclose(model(x), RECORDED["y"], rtol=1e-4, atol=1e-4)


@every_kind
def test_configuration_makes_the_same_weights(kind):
    layer, _ = adapted(kind)
    config = layer.get_config()
    assert (config["lora_rank"], config["lora_alpha"]) == (2, 5.0)
    again = type(layer).from_config(config)
    again.build(KINDS[kind][1])
    assert [(v.name, v.shape) for v in again.weights] == [(v.name, v.shape) for v in layer.weights]
    assert "lora_rank" not in KINDS[kind][0]().get_config()


def test_alpha_counts_wherever_it_is_given():
    layer = layers.Dense(2, use_bias=False, kernel_initializer="zeros", lora_rank=2, lora_alpha=8)
    layer.build((None, 1))
    layer.set_weights([np.zeros((1, 2)), np.ones((1, 2)), np.ones((2, 2))])
    assert layer([[1.0]]).tolist() == [[8.0, 8.0]]
    layer.lora_alpha = 2
    assert layer([[1.0]]).tolist() == [[2.0, 2.0]]


def test_first_matrix_may_be_given_beside_an_adapter():
    layer = layers.Embedding(2, 2, weights=[[1.0, 2.0], [3.0, 4.0]], lora_rank=1)
    assert layer([[1, 0]]).tolist() == [[[3.0, 4.0], [1.0, 2.0]]]


def test_layer_that_computes_in_float16_keeps_its_factors_in_float32():
    layer = layers.Dense(3, dtype="float16", lora_rank=2)
    y = layer(np.ones((1, 4), np.float16))
    assert y.dtype == np.float16
    assert [v.dtype for v in layer.weights] == ["float16", "float16", "float32", "float32"]


def test_obstacles_are_named():
    layer = layers.Dense(3, name="d")
    with pytest.raises(ValueError, match=r"Layer 'd' \(Dense\) is not built"):
        layer.enable_lora(2)
    layer.build((None, 4))
    for rank in (0, True, 1.5, None):
        with pytest.raises(ValueError, match=r"`rank` must be a positive integer. Received: rank="):
            layer.enable_lora(rank)
    layer.enable_lora(2)
    with pytest.raises(ValueError, match="already has an adapter of rank 2"):
        layer.enable_lora(2)
    limited = layers.Dense(3, kernel_constraint="non_neg")
    limited.build((None, 4))
    with pytest.raises(ValueError, match="has a `kernel_constraint`"):
        limited.enable_lora(2)
    with pytest.raises(ValueError, match=r"`lora_rank` must be a positive integer"):
        layers.Conv1D(2, 2, lora_rank=0)


def test_model_that_got_an_adapter_after_compile_says_so():
    model = convnet()
    model.compile("sgd", "mse")
    model.layers[2].enable_lora(2)
    with pytest.raises(ValueError, match=r"Call `compile\(\)` again. New weights: \['dense"):
        model.fit(data((None, 6, 6, 2), "conv"), np.ones((5, 3)), verbose=0)


def test_prediction_follows_factors_that_came_after_it():
    model, x = convnet(), data((None, 6, 6, 2), "conv")
    before = model.predict(x, verbose=0)
    model.layers[2].enable_lora(2)
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    factor = model.layers[2].weights[-1]
    factor.assign(np.ones(factor.shape))
    assert np.abs(model.predict(x, verbose=0) - before).max() > 1e-3
