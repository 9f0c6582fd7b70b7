"""Frozen parts of a model: what training leaves alone, and what it does not even compute."""

from __future__ import annotations

import math
import warnings
from collections import Counter

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.training import trainer
from seqonnx.training.step import StepGraph

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 8, 8, 2)).astype(np.float32)
Y = RNG.normal(size=(12, 3)).astype(np.float32)


def base(name: str = "base", rate: float = 0.2) -> keras.Model:
    """A residual network with a nested stack."""
    x = keras.Input((8, 8, 2))
    y = layers.Conv2D(4, 3, padding="same", name="conv1")(x)
    stack = keras.Sequential(
        [layers.BatchNormalization(name="bn"), layers.ReLU(), layers.Dropout(rate)], name="stack"
    )
    y = layers.Add(name="sum")([y, stack(y)])
    y = layers.Conv2D(4, 3, activation="relu", name="conv2")(y)
    return keras.Model(x, layers.GlobalAveragePooling2D(name="pool")(y), name=name)


def with_head(bottom: keras.Model) -> keras.Model:
    return keras.Sequential([bottom, layers.Dense(3, name="head")], name="whole")


@pytest.fixture
def steps(monkeypatch) -> list[StepGraph]:
    """Step graphs that were built for training."""
    built: list[StepGraph] = []
    original = trainer.build_train_step

    def recording(*args, **kwargs):
        built.append(original(*args, **kwargs))
        return built[-1]

    monkeypatch.setattr(trainer, "build_train_step", recording)
    return built


def graph_of(step: StepGraph) -> onnx.GraphProto:
    return onnx.load_from_string(step.model).graph


def train(model: keras.Model, **options: object) -> None:
    model.compile("adam", "mse")
    model.fit(X, Y, batch_size=4, verbose=0, **options)


def test_freezing_reaches_every_layer_at_any_depth():
    model = with_head(base())
    model.layers[0].trainable = False
    assert not any(layer.trainable for layer in model.layers[0]._leaf_layers())
    assert not model.layers[0].get_layer("stack").get_layer("bn").trainable
    assert [w.path for w in model.trainable_weights] == ["head/kernel", "head/bias"]
    # 2 convolutions with 76 + 148 numbers, and 4 x 4 of the normalization.
    assert sum(math.prod(w.shape) for w in model.non_trainable_weights) == 76 + 148 + 16
    model.layers[0].trainable = True
    assert len(model.trainable_weights) == 2 + 2 + 2 + 2
    assert len(model.non_trainable_weights) == 2


def test_frozen_weights_are_bit_identical_after_fit_and_others_are_not():
    model = with_head(base())
    # Statistics that a pass in training mode would move, and -0.0, which 0 - 0 would not keep.
    bottom = model.layers[0]
    bottom.set_weights([RNG.uniform(0.5, 1.5, w.shape) for w in bottom.weights])
    bottom.get_layer("conv1").weights[1].assign(np.full(4, -0.0))
    bottom.trainable = False
    before = [w.tobytes() for w in bottom.get_weights()]
    head = model.layers[1].get_weights()
    train(model, epochs=3)
    assert [w.tobytes() for w in bottom.get_weights()] == before
    for old, new in zip(head, model.layers[1].get_weights(), strict=True):
        assert np.all(old != new)


def test_frozen_normalization_runs_in_inference_mode_and_dropout_still_drops():
    model = with_head(base())
    bottom = model.layers[0]
    norm = bottom.get_layer("stack").get_layer("bn")
    norm.moving_mean.assign(np.full(4, 0.3))
    bottom.trainable = False
    stack = bottom.get_layer("stack")
    data = RNG.normal(size=(3, 8, 8, 4)).astype(np.float32)
    expected = (data - 0.3) / np.sqrt(1 + 1e-3)
    found = stack(data, training=True)
    kept = found != 0
    np.testing.assert_allclose(found[kept], expected[kept] / 0.8, rtol=1e-4)
    assert 0.1 < 1 - kept[expected > 0].mean() < 0.3
    np.testing.assert_array_equal(norm.moving_mean.numpy(), np.full(4, 0.3, np.float32))


def test_step_has_no_backward_node_below_the_last_trained_weight(steps):
    model = with_head(base())
    model.layers[0].trainable = False
    train(model)
    graph = graph_of(steps[0])
    backward = [node.name for node in graph.node if node.name.startswith("grad/")]
    assert len(backward) > 0
    assert [name for name in backward if name.startswith("grad/base")] == []
    trained = with_head(base("base2"))
    train(trained)
    names = [node.name for node in graph_of(steps[-1]).node]
    assert any(name.startswith("grad/base2/stack") for name in names)


def test_step_over_a_frozen_base_is_its_forward_pass_and_the_step_of_the_head(steps):
    model = with_head(base(rate=0.0))
    model.layers[0].trainable = False
    train(model)
    head = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="head")])
    head.compile("adam", "mse")
    head.fit(RNG.normal(size=(12, 4)), Y, batch_size=4, verbose=0)
    whole, alone = (Counter(n.op_type for n in graph_of(step).node) for step in steps)
    forward = Counter(
        node.op_type for node in graph_of(steps[0]).node if node.name.startswith("base/")
    )
    assert whole - alone == forward
    assert alone - whole == Counter()


def test_frozen_weights_are_baked_into_the_step(steps):
    model = with_head(base())
    model.layers[0].trainable = False
    train(model)
    graph = graph_of(steps[0])
    constants = {tensor.name for tensor in graph.initializer}
    assert {"base/conv1/kernel", "base/stack/bn/gamma", "base/conv2/kernel"} <= constants
    fed = {value.name for value in graph.input}
    assert {name for name in fed if name.startswith("base")} == {
        name for name in fed if "noise" in name
    }
    assert {"head/kernel", "head/bias"} <= fed
    assert not any(v.path.startswith(("conv", "bn")) for v in steps[0].writes)


def test_layers_below_the_first_trained_one_get_no_gradient(steps):
    model = with_head(base())
    bottom = model.layers[0]
    for layer in bottom.layers[:-2]:
        layer.trainable = False
    assert [w.path for w in model.trainable_weights] == [
        *("conv2/kernel", "conv2/bias", "head/kernel", "head/bias")
    ]
    train(model)
    names = [n.name for n in graph_of(steps[0]).node if n.name.startswith("grad/base")]
    assert any(name.startswith("grad/base/conv2") for name in names)
    assert not any(name.startswith(("grad/base/conv1", "grad/base/stack")) for name in names)


def test_a_frozen_layer_between_trained_ones_passes_the_gradient_on():
    x = keras.Input((2,))
    first = layers.Dense(2, use_bias=False, name="first")
    middle = layers.Dense(2, use_bias=False, name="middle")
    middle.trainable = False
    last = layers.Dense(1, use_bias=False, name="last")
    model = keras.Model(x, last(middle(first(x))))
    a, b, c = (w.numpy().astype(np.float64) for w in model.weights)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    data, target = RNG.normal(size=(5, 2)), RNG.normal(size=(5, 1))
    model.train_on_batch(data, target)
    error = 2 * (data @ a @ b @ c - target) / 5
    after = [w.numpy() for w in model.weights]
    np.testing.assert_allclose(after[0], a - 0.1 * data.T @ error @ c.T @ b.T, rtol=1e-4)
    np.testing.assert_array_equal(after[1], b.astype(np.float32))
    np.testing.assert_allclose(after[2], c - 0.1 * (data @ a @ b).T @ error, rtol=1e-4, atol=1e-6)


def test_change_after_compile_warns_and_takes_effect_at_the_next_compile():
    model = with_head(base())
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.layers[0].get_layer("stack").trainable = False
    bottom, before = model.layers[0], model.layers[0].get_weights()
    text = "A layer's `trainable` state has changed since the model was compiled.*'bn'"
    with pytest.warns(UserWarning, match=text):
        model.fit(X, Y, verbose=0)
    gamma = bottom.get_layer("stack").get_layer("bn").gamma
    moved = [not np.array_equal(a, b) for a, b in zip(before, bottom.get_weights(), strict=True)]
    assert sum(moved) >= 6
    model.compile("sgd", "mse")
    before = gamma.numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(gamma.numpy(), before)


def test_fine_tuning_in_two_stages_trains_the_head_and_then_everything():
    model = with_head(base())
    bottom = model.layers[0]
    bottom.trainable = False
    train(model)
    before = bottom.get_weights()
    bottom.trainable = True
    train(model)
    after = bottom.get_weights()
    assert all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.filterwarnings("ignore:.*has no trainable weights")
def test_everything_frozen_fits_and_changes_nothing():
    model = with_head(base())
    model.trainable = False
    before = [w.tobytes() for w in model.get_weights()]
    model.compile("sgd", "mse")
    history = model.fit(X, Y, batch_size=12, verbose=0).history
    assert [w.tobytes() for w in model.get_weights()] == before
    assert np.isfinite(history["loss"]).all()


def test_names_of_weights_in_files_have_the_scopes_of_all_models():
    outer = keras.Sequential([with_head(base())], name="outer")
    names = {tensor.name for tensor in outer.to_onnx().graph.initializer}
    assert {
        "whole/base/conv1/kernel",
        "whole/base/stack/bn/moving_mean",
        "whole/head/bias",
    } <= names


def test_a_frozen_model_is_frozen_in_every_model_that_holds_it():
    shared = base()
    one, two = with_head(shared), with_head(shared)
    shared.trainable = False
    assert len(one.trainable_weights) == len(two.trainable_weights) == 2
    shared.trainable = True
    assert len(one.trainable_weights) == 8
