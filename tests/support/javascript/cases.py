"""Cases: models, data and 50 steps of training here, as files that JavaScript repeats."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import seqonnx as keras
from seqonnx import datasets, layers, optimizers
from seqonnx.optimizers import schedules

STEPS = 50
Data = dict[str, Any]
"""Arrays by `x.`, `y.` or `w.` and the name of an input; the first axis counts batches."""


@dataclass(frozen=True)
class Case:
    """A trained model, and where its files are."""

    folder: Path
    model: Any
    build: Callable[[], Any]
    logs: list[dict[str, float]]
    evaluated: dict[str, float]
    predicted: dict[str, Any]


def digits(size: int) -> tuple[Any, Any]:
    """Real digits, of 8 by 8 or 28 by 28 points, and their labels; batches of 16."""
    (pictures, labels), _ = datasets.load_digits()
    pictures = pictures.reshape(-1, 8, 8).astype(np.float32) / np.max(pictures)
    if size == 28:
        pictures = np.pad(np.kron(pictures, np.ones((3, 3), np.float32)), ((0, 0), (2, 2), (2, 2)))
    chosen = np.arange(STEPS * 16) % len(pictures)
    shape = (STEPS, 16, size, size, 1)
    return pictures[chosen].reshape(shape), labels[chosen].reshape(STEPS, 16).astype(np.int32)


def mnist() -> tuple[Any, Data]:
    """The MNIST convnet of models/, with one-hot targets."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "models"))
    try:
        import mnist_cnn
    finally:
        sys.path.pop(0)
    model = mnist_cnn.build()
    model.compile(optimizers.Adam(0.004), "categorical_crossentropy", metrics=["accuracy"])
    x, labels = digits(28)
    return model, {"x.input": x, "y.only": np.eye(10, dtype=np.float32)[labels]}


def normal() -> tuple[Any, Data]:
    """Batch statistics, integer labels, sample weights, a schedule."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    rate = schedules.CosineDecay(0.01, 40, warmup_target=0.05, warmup_steps=10)
    model.compile(
        optimizers.SGD(rate, momentum=0.9),
        "sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
    )
    x, labels = digits(8)
    weights = np.tile(np.linspace(0.5, 1.5, 16, dtype=np.float32), (STEPS, 1))
    return model, {"x.input": x, "y.only": labels, "w.only": weights}


def words() -> tuple[Any, Data]:
    """An embedding, a mask, an LSTM with dropout; does word 7 occur?"""
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(30, 8, mask_zero=True),
            layers.LSTM(12, dropout=0.1),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = np.random.default_rng(2).integers(0, 30, (STEPS, 16, 9)).astype(np.int32)
    return model, {"x.input": x, "y.only": np.any(x == 7, axis=-1).astype(np.int32)}


def frozen() -> tuple[Any, Data]:
    """A base that does not train, in a file that the graphs share."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(100, activation="relu", trainable=False),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, labels = digits(8)
    return model, {"x.input": x, "y.only": labels}


def heads() -> tuple[Any, Data]:
    """Two inputs, outputs and losses, noise of a seed, gradients gathered over two steps."""
    first, second = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    hidden = layers.Dense(8, activation="gelu")(layers.Concatenate()([first, second]))
    noise = layers.GaussianDropout(0.2, seed=2**40 + 3)
    kind = layers.Dense(3, activation="softmax", name="kind")(noise(hidden))
    size = layers.Dense(1, name="size", kernel_regularizer="l2")(hidden)
    model = keras.Model({"first": first, "second": second}, {"kind": kind, "size": size})
    model.compile(
        optimizers.AdamW(0.01, gradient_accumulation_steps=2),
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": ["accuracy"], "size": [keras.metrics.RootMeanSquaredError(name="rmse")]},
    )
    generator = np.random.default_rng(3)
    x = {f"x.{n}": generator.random((STEPS, 16, k), np.float32) for n, k in
         (("first", 4), ("second", 3))}  # fmt: skip
    total = x["x.first"].sum(-1, keepdims=True)
    labels = np.digitize(total[..., 0], [1.5, 2.5]).astype(np.int32)
    return model, {**x, "y.y_true/kind": labels, "y.y_true/size": total}


CASES: dict[str, Callable[[], tuple[Any, Data]]] = {
    "mnist": mnist,
    "normal": normal,
    "words": words,
    "frozen": frozen,
    "heads": heads,
}


def built(name: str) -> Any:
    """The model of a case as it is at the start, and its data."""
    keras.set_random_seed(11)
    return CASES[name]()


def make_case(name: str, folder: Path) -> Case:
    """Export a model with its data, and train it."""
    model, data = built(name)
    model.export_training(
        folder, sample_weight=any(key.startswith("w.") for key in data), target_dtype=None
    )
    kinds = []
    for key, array in data.items():
        target = folder / f"{key}.bin"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(np.ascontiguousarray(array).tobytes())
        kinds.append({"name": key, "dtype": array.dtype.name, "shape": array.shape})
    (folder / "case.json").write_text(json.dumps({"steps": STEPS, "data": kinds}))
    batches = [_batch(data, i) for i in range(STEPS)]
    logs = [model.train_on_batch(*batch, return_dict=True) for batch in batches]
    evaluated = model.evaluate(_pairs(batches[:2]), verbose=0, return_dict=True)
    predicted = model.predict(batches[0][0], verbose=0)
    named = predicted if isinstance(predicted, dict) else {"only": predicted}
    return Case(folder, model, lambda: built(name)[0], logs, evaluated, named)


def _batch(data: Data, number: int) -> list[Any]:
    """Inputs, targets and weights of a batch."""
    batch: list[Any] = []
    for prefix in ("x.", "y.", "w."):
        parts = {
            key[2:].removeprefix("y_true/"): array[number]
            for key, array in data.items()
            if key.startswith(prefix)
        }
        if len(parts) > 0:
            batch.append(parts if len(parts) > 1 else next(iter(parts.values())))
    return batch


def _pairs(batches: list[list[Any]]) -> Any:
    """Batches as a data set."""

    class Pairs(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, index: int) -> Any:
            return tuple(batches[index])

    return Pairs()
