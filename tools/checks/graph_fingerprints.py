"""Hash every graph that the models of `models/` and some test networks become.

Two runs of this program, before and after a change that is not meant to change graphs, print the
same lines: exported files, saved files, and whatever a session of ONNX Runtime is made from while a
network predicts, trains and measures.

    python tools/checks/graph_fingerprints.py > before.txt
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import seqonnx as keras
from seqonnx import layers

MADE: list[str] = []
"""Hashes of what sessions were made from, in their order."""


class Recorded(onnxruntime.InferenceSession):
    """A session that notes what it was made from."""

    def __init__(self, model: Any, *args: Any, **options: Any) -> None:
        data = model if isinstance(model, bytes) else Path(model).read_bytes()
        MADE.append(short(data))
        super().__init__(model, *args, **options)


def short(data: bytes) -> str:
    """The first digits of a hash."""
    return hashlib.sha256(data).hexdigest()[:16]


def perceptron(optimizer: Any = "adam", **options: Any) -> keras.Model:
    """A small dense network."""
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(16, activation="relu", **options), layers.Dense(3)]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def regularized() -> keras.Model:
    """Penalties, constraints, dropout and a clipped, decayed optimizer."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(8, kernel_regularizer="l2", kernel_constraint="max_norm"),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax", activity_regularizer="l1"),
        ]
    )
    model.compile(
        keras.optimizers.AdamW(1e-3, global_clipnorm=1.0), "categorical_crossentropy", ["accuracy"]
    )
    return model


def convnet(optimizer: Any = "sgd", final: Any = None) -> keras.Model:
    """Convolutions, pools and a normalization."""
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, strides=2),
            layers.LeakyReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation=final),
        ]
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=final is None))
    return model


def separable() -> keras.Model:
    """Depthwise and separable convolutions with average pools."""
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.SeparableConv2D(8, 3, padding="same"),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(3, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    model.compile(keras.optimizers.RMSprop(1e-3, momentum=0.9), "mse", metrics=["accuracy"])
    return model


def residual() -> keras.Model:
    """A functional model with two ways and a shared layer."""
    x = keras.Input((8,), name="x")
    shared = layers.Dense(8, activation="gelu")
    y = layers.Add()([shared(x), x])
    y = layers.Concatenate()([shared(y), layers.Dense(4, activation="swish")(x)])
    model = keras.Model(x, layers.Dense(3, activation="softmax")(y))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True), "kld", ["mae"])
    return model


def binary() -> keras.Model:
    """A binary classifier with curves."""
    model = keras.Sequential([keras.Input((8,)), layers.Dense(1, activation="sigmoid")])
    model.compile("nadam", "binary_crossentropy", metrics=["accuracy", "AUC", "Precision"])
    return model


def sequence() -> keras.Model:
    """Convolutions over time."""
    model = keras.Sequential(
        [
            keras.Input((16, 4)),
            layers.Conv1D(8, 3, padding="causal", activation="tanh"),
            layers.MaxPooling1D(2),
            layers.GlobalMaxPooling1D(),
            layers.Dense(3),
        ]
    )
    model.compile("adagrad", "huber")
    return model


def recomputed() -> keras.Model:
    """Less memory, several steps in one run."""
    model = perceptron()
    model.compile("lion", "mse", recompute=True, steps_per_execution=2)
    return model


def mixed() -> keras.Model:
    """Half precision with a scaled loss."""
    model = perceptron(dtype="mixed_float16")
    return model


def frozen() -> keras.Model:
    """A frozen base in a nested model."""
    base = convnet()
    base.trainable = False
    model = keras.Sequential([base, layers.Dense(2)])
    model.compile("adamax", "mse")
    return model


NETWORKS: dict[str, tuple[Callable[[], keras.Model], tuple[int, ...], str]] = {
    "perceptron": (perceptron, (8,), "rows"),
    "regularized": (regularized, (8,), "one hot"),
    "convnet": (convnet, (12, 12, 3), "labels"),
    "convnet with softmax": (lambda: convnet("ftrl", "softmax"), (12, 12, 3), "labels"),
    "separable": (separable, (12, 12, 3), "rows"),
    "residual": (residual, (8,), "one hot"),
    "binary": (binary, (8,), "bits"),
    "sequence": (sequence, (16, 4), "rows"),
    "recomputed": (recomputed, (8,), "rows"),
    "mixed": (mixed, (8,), "rows"),
    "frozen": (frozen, (12, 12, 3), "pairs"),
}
TARGETS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "rows": lambda rng: rng.random((40, 3), np.float32),
    "pairs": lambda rng: rng.random((40, 2), np.float32),
    "one hot": lambda rng: np.eye(3, dtype=np.float32)[rng.integers(0, 3, 40)],
    "labels": lambda rng: rng.integers(0, 3, 40),
    "bits": lambda rng: rng.integers(0, 2, (40, 1)).astype(np.float32),
}


@contextmanager
def recorded() -> Iterator[None]:
    """Note the sessions that are made inside."""
    original = onnxruntime.InferenceSession
    onnxruntime.InferenceSession = Recorded
    try:
        yield
    finally:
        onnxruntime.InferenceSession = original


def lines(name: str, model: keras.Model, folder: Path) -> Iterator[str]:
    """The fingerprints of a model as a ModelProto and in files."""
    yield f"{name}: to_onnx {short(model.to_onnx().SerializeToString(deterministic=True))}"
    model.export(folder / "exported.onnx")
    model.save(folder / "saved.onnx")
    for file in ("exported.onnx", "saved.onnx"):
        yield f"{name}: {file} {short((folder / file).read_bytes())}"


def network_lines(name: str, folder: Path) -> Iterator[str]:
    """Train a test network, measure and predict; every graph on the way."""
    build, shape, targets = NETWORKS[name]
    keras.clear_session()
    keras.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = build()
    yield from lines(f"{name} (new)", model, folder)
    MADE.clear()
    x, y = rng.random((40, *shape), np.float32), TARGETS[targets](rng)
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    model.evaluate(x, y, verbose=0)
    model.predict(x[:4], verbose=0)
    model(x[:4], training=True)
    model.layers[-1](np.ones((2, *model.layers[-1].input.shape[1:]), np.float32))
    for number, made in enumerate(MADE):
        yield f"{name}: session {number} {made}"
    yield from lines(f"{name} (trained)", model, folder)


def main() -> None:
    """Print a line for each graph."""
    keras.set_device("cpu")
    root = Path(__file__).resolve().parents[2]
    for path in sorted((root / "models").glob("*.onnx")):
        print(f"models/{path.name}: {short(path.read_bytes())}", flush=True)
    with recorded(), tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            for line in network_lines(name, Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
