"""How the programs of `models/keras_idiom` are run on small data, by seqonnx and by Keras alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

COLORS = {"cross": (215, 80, 80), "disc": (80, 215, 80), "stripes": (80, 80, 215)}


def first_weights(model: Any) -> list[np.ndarray]:
    """Weights to begin with: drawn where an initializer draws, else those that the model has."""
    rng = np.random.default_rng(0)
    return [
        rng.normal(0, _deviation(weight.shape), weight.shape).astype(np.float32)
        if weight.dtype == np.float32 and len(np.unique(weight)) > 2
        else np.asarray(weight)
        for weight in model.get_weights()
    ]


def _deviation(shape: tuple[int, ...]) -> float:
    """That of He; a kernel (height, width, channels, 1) is of each channel alone."""
    inputs = shape[:2] if len(shape) == 4 and shape[-1] == 1 else shape[:-1]
    return float((2 / np.prod(inputs)) ** 0.5)


def draw_images(directory: Path, count: int = 32) -> None:
    """Write small images, `count` of each class, each class into a directory of its own."""
    from PIL import Image

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for name, mean in COLORS.items():
        (directory / name).mkdir(parents=True)
        for number in range(count):
            row, column = rng.integers(12, 20, 2)
            size = rng.integers(5, 9)
            down, right = abs(rows - row), abs(columns - column)
            shown = {
                "cross": ((down < 3) | (right < 3)) & (down < size) & (right < size),
                "disc": down**2 + right**2 < size**2,
                "stripes": ((rows + row) // 4 % 2 == 0) & (right < size + 4),
            }[name]
            color = mean + rng.integers(-40, 40, 3)
            pixels = np.where(shown[..., np.newaxis], color, rng.integers(0, 60, 3))
            pixels = np.clip(pixels + rng.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(directory / name / f"{number:02}.png")


def _tabular(program: Any, folder: Path) -> tuple[Any, ...]:
    frames = program.load_data()
    return program.build(frames[0]), *frames


def _multi_label(program: Any, folder: Path) -> tuple[Any, ...]:
    vectorizer = program.make_vectorizer(program.load_data(600, seed=0)[0])
    return program.build(vectorizer), vectorizer


def _autoencoder(program: Any, folder: Path) -> tuple[Any, ...]:
    return program.build(), *program.load_data()


def _series(program: Any, folder: Path) -> tuple[Any, ...]:
    datasets = program.make_datasets(program.load_data())
    return program.build(datasets[0]), *datasets, str(folder / "best.keras")


def _transfer(program: Any, folder: Path) -> tuple[Any, ...]:
    draw_images(folder / "images")
    datasets = program.make_datasets(str(folder / "images"))
    return program.build(len(datasets[0].class_names), weights=None), *datasets


def _gan(program: Any, folder: Path) -> tuple[Any, ...]:
    return program.build(), program.load_data()


# Each returns the model of a program and the further arguments of its `train`.
PREPARED: dict[str, Callable[[Any, Path], tuple[Any, ...]]] = {
    "gan": _gan,
    "multi_label": _multi_label,
    "tabular_regression": _tabular,
    "time_series": _series,
    "transfer_learning": _transfer,
    "variational_autoencoder": _autoencoder,
}


def run(name: str, program: Any, folder: Path) -> dict[str, float]:
    """Run a program from the same first weights on both sides; returns its scores."""
    model, *arguments = PREPARED[name](program, folder)
    model.set_weights(first_weights(model))
    return {key: float(value) for key, value in program.train(model, *arguments).items()}
