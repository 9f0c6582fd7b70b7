"""Two trainings in which Keras's backends differ, for the tests and for recording.

    KERAS_BACKEND=torch python tests/support/optimizers/keras_backends.py
    KERAS_BACKEND=tensorflow python tests/support/optimizers/keras_backends.py

Each prints the losses of five steps, which stand in `RECORDED` (Keras 3.15.1, PyTorch 2.13,
TensorFlow 2.21).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

RATE: Final = 0.1
STEPS: Final = 5
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(6, 2)).astype("float32")
WORDS = np.array([[1, 1, 2], [2, 1, 3]], "int32")
VECTORS = RNG.normal(size=(2, 3, 2)).astype("float32")
KERNEL = RNG.normal(size=(3, 2)).astype("float32")
X = RNG.normal(size=(4, 3)).astype("float32")
Y = RNG.normal(size=(4, 2)).astype("float32")


def embedding(kit: Any) -> list[float]:
    """Losses of Adam on an embedding whose batch has words more than once."""
    model = kit.Sequential([kit.Input((3,), dtype="int32"), kit.layers.Embedding(6, 2)])
    return _losses(model, kit.optimizers.Adam(RATE), TABLE, WORDS, VECTORS)


def schedule_free(kit: Any) -> list[float]:
    """Losses of ScheduleFreeAdamW on one kernel."""
    model = kit.Sequential([kit.Input((3,)), kit.layers.Dense(2, use_bias=False)])
    return _losses(model, kit.optimizers.ScheduleFreeAdamW(RATE), KERNEL, X, Y)


def _losses(model: Any, optimizer: Any, weight: Any, x: Any, y: Any) -> list[float]:
    model.set_weights([weight])
    model.compile(optimizer, "mse")
    return [float(model.train_on_batch(x, y)) for _ in range(STEPS)]


def adam_on_rows(*, squares_of_sums: bool) -> list[float]:
    """Those of Adam (Kingma and Ba, 2014) in float64, by NumPy.

    Args:
        squares_of_sums: whether the gradient of a row, the sum of those of its occurrences, is
            squared; else each of them is, and the squares are added.
    """
    w = TABLE.astype("float64")
    mean, square, losses = np.zeros_like(w), np.zeros_like(w), []
    for step in range(1, STEPS + 1):
        error = w[WORDS] - VECTORS
        losses.append(float(np.mean(error**2)))
        each = 2 * error / error.size
        gradient, squared = np.zeros_like(w), np.zeros_like(w)
        np.add.at(gradient, WORDS, each)
        np.add.at(squared, WORDS, each**2)
        mean += 0.1 * (gradient - mean)
        square += 0.001 * ((gradient**2 if squares_of_sums else squared) - square)
        rate = RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        w -= rate * mean / (np.sqrt(square) + 1e-7)
    return losses


def averaged_ways(*, old: bool, from_weight: bool) -> list[float]:
    """Those of schedule-free AdamW (Defazio et al., 2024) in float64, by NumPy.

    Args:
        old: whether the mean x is recovered with the z of before the step; else with the new one.
        from_weight: whether z starts as the weight; else at 0.
    """
    y = KERNEL.astype("float64")
    z, square, losses = y if from_weight else np.zeros_like(y), np.zeros_like(y), []
    for step in range(1, STEPS + 1):
        error = X @ y - Y
        losses.append(float(np.mean(error**2)))
        gradient = 2 * X.T @ error / error.size
        square = square + 0.001 * (gradient**2 - square)
        before, z = z, z - RATE * gradient / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        x = (y - 0.1 * (before if old else z)) / 0.9
        y = 0.1 * z + 0.9 * ((1 - 1 / step) * x + z / step)
    return losses


RECORDED: Final[dict[str, dict[str, list[float]]]] = {
    "torch": {
        "embedding": [1.782809, 1.638991, 1.50243, 1.380472, 1.27132],
        "schedule_free": [1.64804, 1.432391, 1.333817, 1.242032, 1.15555],
    },
    "tensorflow": {
        "embedding": [1.782809, 1.587513, 1.413135, 1.259094, 1.124566],
        "schedule_free": [1.64804, 1.414719, 1.241852, 1.103402, 0.987611],
    },
}

if __name__ == "__main__":
    import keras

    print({"embedding": embedding(keras), "schedule_free": schedule_free(keras)})
