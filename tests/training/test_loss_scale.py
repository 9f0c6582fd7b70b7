"""The loss scale: what overflows is skipped, what would vanish survives, nothing else changes."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers, optimizers
from seqonnx.config import set_dtype_policy
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.optimizers import LossScaleOptimizer
from seqonnx.optimizers.loss_scale import LossScale
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


@pytest.fixture(autouse=True)
def policy_of_before():
    yield
    set_dtype_policy("float32")


def test_compile_scales_the_loss_of_mixed_float16_only():
    for policy, scales in [("float32", 0), ("mixed_bfloat16", 0), ("mixed_float16", 1)]:
        set_dtype_policy(policy)
        model = mlp()
        model.compile("sgd", "mse")
        assert isinstance(model.optimizer, LossScaleOptimizer) == bool(scales)
        model.compile("sgd", "mse", auto_scale_loss=False)
        assert not isinstance(model.optimizer, LossScaleOptimizer)
    model.compile(scaled(8.0), "mse")
    assert isinstance(model.optimizer.inner_optimizer, optimizers.Adam)
    assert counters(model) == (8.0, 0.0, 0.0)


def test_a_step_that_overflows_changes_nothing_and_halves_the_scale():
    model, _ = trained(convnet, "mixed_float16", steps=6, optimizer=scaled(2.0**10))
    before, scale = state(model), 2.0**40
    model.optimizer.dynamic_scale.assign(scale)
    losses_seen = [model.train_on_batch(X[:16], Y[:16]) for _ in range(2)]
    assert counters(model) == (scale / 4, 0.0, 2.0)
    for old, new in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.isfinite(losses_seen).all()
    model.optimizer.dynamic_scale.assign(1024.0)
    model.train_on_batch(X[:16], Y[:16])
    assert counters(model) == (1024.0, 1.0, 2.0)
    assert not all(np.array_equal(a, b) for a, b in zip(before, state(model), strict=True))


def test_the_scale_doubles_after_finite_steps_in_a_row():
    set_dtype_policy("mixed_float16")
    model = mlp()
    model.compile(scaled(16.0, growth=3), "sparse_categorical_crossentropy")
    seen = []
    for _ in range(7):
        model.train_on_batch(X[:16], Y[:16])
        seen.append(counters(model)[:2])
    assert seen == [(16, 1), (16, 2), (32, 0), (32, 1), (32, 2), (64, 0), (64, 1)]


def test_the_scale_moves_inside_a_run_of_several_steps():
    set_dtype_policy("mixed_float16")
    model = mlp()
    model.compile(scaled(16.0, growth=2), "sparse_categorical_crossentropy", steps_per_execution=5)
    model.fit(X[:80], Y[:80], batch_size=16, verbose=0)
    assert counters(model) == (64.0, 1.0, 0.0)


@pytest.mark.parametrize("initial", [8.0, 0.25])
def test_training_goes_on_after_any_number_of_skipped_steps(initial):
    """Halved 160 times, a scale of 8 would be 0 in float32."""
    set_dtype_policy("mixed_float16")
    model = mlp()
    model.compile(scaled(initial), "sparse_categorical_crossentropy")
    before = model.get_weights()
    for _ in range(160):
        model.train_on_batch(np.full_like(X[:4], np.nan), Y[:4])
    assert counters(model) == (min(1.0, initial), 0.0, 160.0)
    model.train_on_batch(X[:4], Y[:4])
    assert counters(model) == (min(1.0, initial), 1.0, 160.0)
    after = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert not all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_scale_of_zero_changes_no_weight():
    set_dtype_policy("mixed_float16")
    model = mlp()
    model.compile(scaled(16.0), "sparse_categorical_crossentropy")
    model.train_on_batch(X[:4], Y[:4])
    before = state(model)
    model.optimizer.dynamic_scale.assign(0.0)
    model.train_on_batch(X[:4], Y[:4])
    assert counters(model) == (1.0, 0.0, 1.0)
    for old, new in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_infinite_scale_comes_back():
    set_dtype_policy("mixed_float16")
    model = mlp()
    model.compile(scaled(16.0), "sparse_categorical_crossentropy")
    model.optimizer.dynamic_scale.assign(np.inf)
    for _ in range(121):
        model.train_on_batch(X[:4], Y[:4])
    scale, finite_steps, skipped = counters(model)
    assert scale == 2.0 ** (121 - skipped)
    assert finite_steps == 121 - skipped > 0
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_scale_does_not_grow_to_infinity():
    model = mlp()
    model.compile(scaled(2.0**119, growth=1), "sparse_categorical_crossentropy")
    seen = []
    for _ in range(3):
        model.train_on_batch(X[:4], Y[:4])
        seen.append(counters(model))
    assert seen == [(2.0**120, 0.0, 0.0)] * 3


@pytest.mark.parametrize(
    ("scale", "scaled_grad", "expected", "finite"),
    [
        (2.0**20, 2.0**12, 2.0**-8, True),
        (2.0**-4, 2.0**14, np.inf, False),
    ],
    ids=["scale-beyond-float16", "gradient-beyond-float16"],
)
def test_float16_gradients_are_divided_in_float32(scale, scaled_grad, expected, finite):
    """2^20 and 2^18 are infinite in float16.

    By the standard's evaluator: ONNX Runtime's CPU provider leaves out some of the rounding.
    """
    scaling = LossScale(scale, 2000)
    op = Emitter()
    (grad,), all_finite = scaling.unscale(op, [op.input("grad", "float16", (1,))])
    op.output(grad, "unscaled")
    op.output(all_finite, "finite")
    session = onnx.reference.ReferenceEvaluator(to_proto(op.graph))
    with np.errstate(over="ignore"):
        found = session.run(None, {"grad": np.array([scaled_grad], np.float16)})
    assert found[0].dtype == np.float16
    assert (float(found[0][0]), bool(found[1])) == (expected, finite)


@pytest.mark.parametrize("inner", ["sgd", "adam"])
def test_a_scale_changes_no_finite_step(inner):
    """Powers of two cancel exactly, and float32 does not overflow."""
    set_dtype_policy("float32")
    found = []
    for optimizer in (optimizers.get(inner), scaled(2.0**20, inner=inner)):
        keras.set_random_seed(1)
        model = mlp()
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.fit(X, Y, batch_size=16, verbose=0)
        found.append(model.get_weights())
    for plain, with_scale in zip(*found, strict=True):
        np.testing.assert_allclose(plain, with_scale, rtol=1e-6, atol=1e-8)


def test_skipped_steps_do_not_count_for_bias_correction():
    set_dtype_policy("mixed_float16")
    found = []
    for skips in (0, 3):
        keras.set_random_seed(1)
        model = mlp()
        model.compile(scaled(2.0**8), "sparse_categorical_crossentropy")
        for _ in range(skips):
            model.optimizer.dynamic_scale.assign(np.inf)
            model.train_on_batch(X[:16], Y[:16])
        assert counters(model)[2] == skips
        model.optimizer.dynamic_scale.assign(2.0**8)
        model.train_on_batch(X[:16], Y[:16])
        found.append(model.get_weights())
    for first, later in zip(*found, strict=True):
        np.testing.assert_array_equal(first, later)


def test_small_gradients_survive_by_the_scale(monkeypatch):
    """2^-26 is 0 in float16; times 2^15 it is not.

    By the standard's evaluator: ONNX Runtime's CPU provider leaves out some of the rounding.
    """
    moved = []
    for optimizer in (optimizers.SGD(1.0), scaled(2.0**15, inner=optimizers.SGD(1.0))):
        set_dtype_policy("mixed_float16")
        layer = layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((1,)), layer, layers.Rescaling(2.0**-13)])
        model.compile(optimizer, "mse", auto_scale_loss=False)
        x, y = np.ones((1, 1), np.float32), np.full((1, 1), -(2.0**-14), np.float32)
        proto, built = step_model(model, monkeypatch, x, y)
        given = {name: np.zeros_like(v._stored()) for v, name in built.reads.items()}
        given |= {"input": x, "y_true": y, "learning_rate": np.float32(1), "step": np.float32(1)}
        if optimizer._scaling is not None:
            given[built.reads[optimizer.dynamic_scale]] = np.array(2.0**15, np.float32)
        written = built.writes[layer.kernel]
        found = onnx.reference.ReferenceEvaluator(proto).run([written], given)[0]
        moved.append(found.item())
    assert moved == [0.0, -(2.0**-26)]


def test_a_second_compile_starts_with_the_first_scale():
    model, _ = trained(mlp, "mixed_float16", steps=6, optimizer=scaled(16.0, growth=2))
    assert counters(model)[0] > 16.0
    model.compile(model.optimizer, "sparse_categorical_crossentropy")
    assert counters(model) == (16.0, 0.0, 0.0)


def test_the_learning_rate_is_that_of_the_inner_optimizer():
    inner = optimizers.SGD(0.5)
    outer = LossScaleOptimizer(inner)
    assert outer.learning_rate == 0.5
    outer.learning_rate = 0.25
    assert inner.learning_rate == 0.25
    arrays = [np.array([1.0, 2.0], np.float32)]
    np.testing.assert_array_equal(outer.apply(arrays, arrays)[0], [0.75, 1.5])


def test_a_step_on_arrays_goes_on_in_the_schedule():
    rates = [0.5, 0.25, 0.125]
    outer = LossScaleOptimizer(optimizers.SGD(lambda step: rates[step]))
    value, grad = [np.array([1.0], np.float32)], [np.array([1.0], np.float32)]
    seen = []
    for _ in range(2):
        seen.append(outer.learning_rate)
        value = outer.apply(grad, value)
    assert (*seen, outer.learning_rate, outer.iterations) == (0.5, 0.25, 0.125, 2)
    np.testing.assert_array_equal(value[0], [0.25])
    outer._restart()
    assert outer.apply(grad, value)[0].tolist() == [-0.25]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"inner_optimizer": "sgd"}, TypeError, "`inner_optimizer` must be an Optimizer"),
        ({"initial_scale": 0.0}, ValueError, "`initial_scale` must be positive"),
        ({"initial_scale": 1e-60}, ValueError, r"from 2\^-120 to 2\^120. Received: .*=1e-60"),
        ({"initial_scale": np.inf}, ValueError, r"from 2\^-120 to 2\^120. Received: .*=inf"),
        ({"learning_rate": 0.5}, ValueError, r"\['learning_rate'\]: give them to the inner opti"),
        ({"dynamic_growth_steps": 0}, ValueError, "must be a positive integer"),
        ({"clipnorm": 1.0}, ValueError, r"\['clipnorm'\]: give them to the inner optimizer"),
    ],
)
def test_arguments_of_a_loss_scale_are_checked(arguments, error, text):
    with pytest.raises(error, match=text):
        LossScaleOptimizer(**{"inner_optimizer": optimizers.SGD(), **arguments})


def test_a_configuration_of_keras_is_understood():
    inner = {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": 0.25}}
    config = {
        "name": "loss_scale_optimizer",
        "weight_decay": None,
        "clipnorm": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "loss_scale_factor": None,
        "inner_optimizer": inner,
        "initial_scale": 512.0,
        "dynamic_growth_steps": 10,
    }
    found = optimizers.get({"class_name": "LossScaleOptimizer", "config": config})
    assert isinstance(found.inner_optimizer, optimizers.Adam)
    assert (found.learning_rate, float(found.dynamic_scale.numpy())) == (0.25, 512.0)
    again = optimizers.get(optimizers.serialize(found))
    assert again.get_config() == found.get_config()


def test_a_class_reads_its_own_configuration():
    optimizer = LossScaleOptimizer(optimizers.Adam(0.25, beta_1=0.8), 512.0, 10, name="given")
    again = LossScaleOptimizer.from_config(json.loads(json.dumps(optimizer.get_config())))
    assert isinstance(again.inner_optimizer, optimizers.Adam)
    assert again.get_config() == optimizer.get_config()
    inner = optimizers.SGD(0.5)
    assert LossScaleOptimizer.from_config({"inner_optimizer": inner}).inner_optimizer is inner
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier: None"):
        LossScaleOptimizer.from_config({"name": "given"})
