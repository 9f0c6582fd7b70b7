"""SwapEMAWeights shows the averages where Keras does, and gives the weights back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx.callbacks import EarlyStopping, SwapEMAWeights
from support.optimizers import cases

RECORDED = np.load(Path(cases.__file__).with_name("recorded_optimizers.npz"))


def flat(arrays):
    return np.concatenate([np.asarray(array, np.float32).ravel() for array in arrays])


def averaged_model(**more):
    model = cases.network(keras)
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8, **more)
    model.compile(optimizer, "mse")
    return model


def averages(model):
    return flat(v.numpy() for v in model.optimizer.variables if v.path.endswith("_average"))


@pytest.mark.parametrize("name", cases.SWAPS)
def test_a_run_measures_shows_and_leaves_what_keras_does(name):
    actual = cases.fit_with_swaps(keras, **cases.SWAPS[name])
    for part, value in zip(("val", "seen", "left"), actual, strict=True):
        np.testing.assert_allclose(value, RECORDED[f"{part}/{name}"], rtol=1e-5, atol=1e-6)


def test_evaluate_and_predict_use_the_averages_and_give_the_weights_back():
    model = averaged_model()
    cases.trained(model)
    weights, average = flat(model.get_weights()), averages(model)
    assert np.abs(weights - average).max() > 1e-3
    twin = cases.network(keras)
    twin.compile("sgd", "mse")
    sizes = np.cumsum([np.prod(shape) for shape in cases.SHAPES.values()])[:-1]
    parts = np.split(average, sizes)
    twin.set_weights([p.reshape(s) for p, s in zip(parts, cases.SHAPES.values(), strict=True)])
    swaps = SwapEMAWeights()
    loss = model.evaluate(cases.X, cases.Y, verbose=0, callbacks=[swaps])
    assert loss == pytest.approx(twin.evaluate(cases.X, cases.Y, verbose=0), rel=1e-6)
    # Keras 3.15.1 leaves the averages in the model after `predict`.
    for _ in range(2):
        shown = model.predict(cases.X, verbose=0, callbacks=[swaps])
        np.testing.assert_allclose(shown, twin.predict(cases.X, verbose=0), rtol=1e-6)
        np.testing.assert_array_equal(flat(model.get_weights()), weights)
        np.testing.assert_array_equal(averages(model), average)


def test_a_run_that_is_stopped_early_ends_with_the_averages():
    def fitted(*more):
        model = averaged_model()
        stop = EarlyStopping("loss", min_delta=1e9)  # after the second epoch
        model.fit(cases.X, cases.Y, epochs=5, shuffle=False, verbose=0, callbacks=[stop, *more])
        return flat(model.get_weights())

    np.testing.assert_array_equal(fitted(SwapEMAWeights(swap_on_epoch=True)), fitted())


def test_an_optimizer_without_averages_is_refused():
    model = cases.network(keras)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="SwapEMAWeights must be used when `use_ema=True`"):
        model.evaluate(cases.X, cases.Y, verbose=0, callbacks=[SwapEMAWeights()])
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD())
    model.compile(keras.optimizers.MultiOptimizer(chosen), "mse")
    with pytest.raises(ValueError, match="all inner optimizers having `use_ema=False`"):
        model.evaluate(cases.X, cases.Y, verbose=0, callbacks=[SwapEMAWeights()])
