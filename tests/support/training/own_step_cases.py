"""Optimizers of every kind in a training step of one's own, for Keras and for seqonnx."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_RNG = np.random.default_rng(5)
X: Final = _RNG.normal(size=(7, 4, 3)).astype("float32")
"""Seven batches."""
Y: Final = _RNG.normal(size=(7, 4, 1)).astype("float32")
START: Final = [_RNG.normal(size=size).astype("float32") for size in ((3, 2), (2,), (2, 1), (1,))]
OVERFLOWING: Final = 3
"""The batch whose targets are so large, where a case asks for it, that no gradient is finite."""

CASES: Final[dict[str, tuple[Any, bool]]] = {
    "loss scale": (
        lambda k: k.optimizers.LossScaleOptimizer(
            k.optimizers.SGD(0.1, momentum=0.9), initial_scale=64.0, dynamic_growth_steps=2
        ),
        True,
    ),
    "loss scale, Adam": (
        lambda k: k.optimizers.LossScaleOptimizer(
            k.optimizers.Adam(0.05), initial_scale=2.0**15, dynamic_growth_steps=3
        ),
        False,
    ),
    "loss scale, accumulation": (
        lambda k: k.optimizers.LossScaleOptimizer(
            k.optimizers.Adam(0.05, gradient_accumulation_steps=2), initial_scale=16.0
        ),
        False,
    ),
    "fixed factor": (lambda k: k.optimizers.Adam(0.05, loss_scale_factor=256.0), False),
    "accumulation": (lambda k: k.optimizers.Adam(0.05, gradient_accumulation_steps=3), False),
    "accumulation, clipped": (
        lambda k: k.optimizers.SGD(0.1, gradient_accumulation_steps=2, global_clipnorm=0.5),
        False,
    ),
    "average": (lambda k: k.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8), False),
    "average that overwrites": (
        lambda k: k.optimizers.RMSprop(
            0.05, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3
        ),
        False,
    ),
    "average and accumulation": (
        lambda k: k.optimizers.AdamW(
            0.05, use_ema=True, ema_momentum=0.7, gradient_accumulation_steps=2
        ),
        False,
    ),
}
"""The optimizer of each case, and whether one batch overflows."""


def run(keras: Any, tape: Any, name: str) -> dict[str, Any]:
    """Train seven steps; returns loss and weights after each, and the state of the optimizer.

    Args:
        keras: Keras or seqonnx.
        tape: class of the tape.
        name: of the case.
    """
    make, overflows = CASES[name]
    x, y = X, Y.copy()
    if overflows:
        y[OVERFLOWING] *= np.float32(1e38)
    model = _model(keras, tape)
    model.set_weights(START)
    optimizer = make(keras)
    model.compile(optimizer=optimizer, loss="mse")
    logs, weights = [], []
    for batch, target in zip(x, y, strict=True):
        logs.append(float(model.train_on_batch(batch, target)))
        weights.append([np.asarray(part).tolist() for part in model.get_weights()])
    found = {"loss": [None if not np.isfinite(each) else each for each in logs], "weights": weights}
    if "scale" in name and "factor" not in name:
        found["scale"] = [float(np.asarray(optimizer.dynamic_scale))]
        found["counter"] = [float(np.asarray(optimizer.step_counter))]
        optimizer = optimizer.inner_optimizer
    found["iterations"] = int(np.asarray(optimizer.iterations))
    optimizer.finalize_variable_values(model.trainable_variables)
    found["final"] = [np.asarray(part).tolist() for part in model.get_weights()]
    return found


def _model(keras: Any, tape: Any) -> Any:
    """A small network whose step is written out."""

    class Own(keras.Model):
        def train_step(self, data: Any) -> Any:
            x, y, *_ = data
            with tape() as seen:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
                scaled = self.optimizer.scale_loss(loss)
            variables = self.trainable_variables
            self.optimizer.apply(seen.gradient(scaled, variables), variables)
            return {"loss": loss}

    x = keras.Input((3,))
    hidden = keras.layers.Dense(2, activation="tanh")(x)
    return Own(x, keras.layers.Dense(1)(hidden))
