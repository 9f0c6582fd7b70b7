"""The models of the matrix of readers: every kind of network that is deployed, by default settings.

    from models import write_cases

writes each as `NAME.onnx`, with inputs and what `predict` gives for them beside it.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import seqonnx as keras
from seqonnx import layers

MODELS = Path(__file__).resolve().parents[3] / "models"
EXACT, HALF, INTEGERS = 1e-4, 1e-2, 5e-2
"""How far results may be apart, in parts of the largest number: float32, float16, int8."""


@dataclass(frozen=True)
class Example:
    """A model of the matrix.

    Args:
        make: makes it, untrained.
        tolerance: how far a reader may be off.
        integers: a bound of its inputs, where these are integers.
        export: arguments of `export` beside the defaults; `calibration_data` is added for int8.
        batch: samples to run.
        learns: whether it learns the digits that come with seqonnx first: what a random network
            gives is so close together that int8 is far from it.
    """

    make: Callable[[], keras.Model]
    tolerance: float = EXACT
    integers: int | None = None
    export: tuple[tuple[str, Any], ...] = ()
    batch: int = 2
    learns: bool = False


def of_models(name: str) -> Callable[[], keras.Model]:
    """The model of a file of `models/`."""
    return runpy.run_path(str(MODELS / f"{name}.py"))["build"]


def sentences() -> keras.Model:
    """Embedding and LSTM, to classify sentences."""
    return keras.Sequential(
        [
            keras.Input((12,), dtype="int32"),
            layers.Embedding(50, 16),
            layers.Bidirectional(layers.LSTM(8)),
            layers.Dense(3, activation="softmax"),
        ]
    )


def detector() -> keras.Model:
    """A head that gives boxes and classes of every cell of two maps of features."""
    image = keras.Input((64, 64, 3), name="image")
    x, boxes, scores = image, [], []
    for level, width in enumerate((8, 16, 24, 32)):
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.Activation("silu")(layers.BatchNormalization()(x))
        if level < 2:
            continue
        cells = (64 >> (level + 1)) ** 2
        boxes.append(layers.Reshape((cells * 3, 4))(layers.Conv2D(12, 1)(x)))
        scores.append(layers.Reshape((cells * 3, 5))(layers.Conv2D(15, 1)(x)))
    found = layers.Concatenate(axis=1, name="boxes")(boxes)
    kinds = layers.Activation("sigmoid", name="classes")(layers.Concatenate(axis=1)(scores))
    return keras.Model(image, [found, kinds])


def mobile() -> keras.Model:
    """MobileNetV2, small."""
    return keras.applications.MobileNetV2(
        input_shape=(96, 96, 3), alpha=0.35, weights=None, classes=10
    )


def taught(model: keras.Model) -> np.ndarray:
    """Teach a network for images of 28 x 28 the digits of 8 x 8; returns them, enlarged."""
    (x, y), _ = keras.datasets.load_digits()
    images = np.pad(np.kron(x, np.ones((1, 3, 3))), ((0, 0), (2, 2), (2, 2)))
    images = (images[..., np.newaxis] / x.max()).astype(np.float32)
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(images, y, batch_size=64, epochs=6, verbose=0)
    return images


EXAMPLES = {
    "guide_dense": Example(of_models("guide_dense")),
    "guide_convnet": Example(of_models("guide_convnet")),
    "digits_cnn": Example(of_models("digits_cnn")),
    "mnist_cnn": Example(of_models("mnist_cnn")),
    "feature_extractor": Example(of_models("feature_extractor")),
    "transformer": Example(of_models("transformer"), integers=90),
    "character_lstm": Example(of_models("character_lstm"), integers=90),
    "sentences_lstm": Example(sentences, integers=50),
    "mobilenet_v2": Example(mobile),
    "detector": Example(detector),
    "mnist_int8": Example(
        of_models("mnist_cnn"), INTEGERS, export=(("quantize", "int8"),), learns=True
    ),
    "mnist_float16": Example(of_models("mnist_cnn"), HALF, export=(("dtype", "float16"),)),
}


def write_cases(folder: Path, names: tuple[str, ...] = tuple(EXAMPLES)) -> None:
    """Export models to a folder, with arrays for the readers in Python and in JavaScript."""
    cases = []
    for name in names:
        example = EXAMPLES[name]
        keras.clear_session()
        keras.set_random_seed(0)
        model = example.make()
        images = taught(model) if example.learns else None
        if images is None:
            values = [_data(tensor, example) for tensor in model.inputs]
        else:
            values = [images[: example.batch]]
        found = model.predict(values[0] if len(values) == 1 else values, verbose=0)
        more = dict(example.export)
        if more.get("quantize") == "int8":
            more["calibration_data"] = images[:100]
        model.export(folder / f"{name}.onnx", verbose=False, **more)
        graph = onnx.load(folder / f"{name}.onnx").graph
        inputs = {v.name: array for v, array in zip(graph.input, values, strict=True)}
        results = found if isinstance(found, list) else [found]
        outputs = {v.name: array for v, array in zip(graph.output, results, strict=True)}
        arrays = {f"input/{key}": value for key, value in inputs.items()}
        arrays |= {f"output/{key}": value for key, value in outputs.items()}
        np.savez(folder / f"{name}.npz", **arrays)
        cases.append({"name": name, "inputs": _plain(inputs), "outputs": _plain(outputs)})
    (folder / "cases.json").write_text(json.dumps(cases))


def _data(tensor: Any, example: Example) -> np.ndarray:
    rng = np.random.default_rng(0)
    shape = [example.batch, *(size or 16 for size in tensor.shape[1:])]
    if example.integers is not None:
        return rng.integers(0, example.integers, shape).astype(tensor.dtype)
    return rng.random(shape, dtype=np.float32)


def _plain(arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    return [
        {"name": key, "type": str(a.dtype), "dims": list(a.shape), "data": a.ravel().tolist()}
        for key, a in arrays.items()
    ]
