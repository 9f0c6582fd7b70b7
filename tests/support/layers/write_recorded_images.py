"""Records what Keras 3.15.1 makes of images: values, drawn numbers and configurations.

    KERAS_BACKEND=torch python tests/support/layers/write_recorded_images.py

Writes `recorded_images.json` (class, arguments, configuration) and `recorded_images.npz` (uniform
numbers in the order in which the layer draws them, results). Keras's generator is replaced by one
that gives the numbers written here, so that the same numbers can be given to another library.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import torch

HERE = Path(__file__).parent
RANDOM = np.random.default_rng(15)
IMAGES = np.round(RANDOM.uniform(0, 255, (3, 6, 7, 3)), 2).astype(np.float32)

GEOMETRY = [
    ("RandomFlip", {}),
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomFlip", {"mode": "vertical", "data_format": "channels_first"}),
    *(("RandomRotation", {"factor": 0.3, "fill_mode": m}) for m in ("reflect", "wrap", "nearest")),
    ("RandomRotation", {"factor": (-0.1, 0.6), "fill_mode": "constant", "fill_value": 7.0}),
    ("RandomRotation", {"factor": 0.3, "interpolation": "nearest", "fill_mode": "wrap"}),
    ("RandomRotation", {"factor": 0.3, "data_format": "channels_first"}),
    ("RandomZoom", {"height_factor": (-0.4, 0.6)}),
    ("RandomZoom", {"height_factor": 0.5, "width_factor": (0.2, 0.9), "fill_mode": "constant"}),
    ("RandomTranslation", {"height_factor": 0.6, "width_factor": (-0.9, 0.2)}),
    (
        "RandomTranslation",
        {
            "height_factor": 0.6,
            "width_factor": 0.5,
            "fill_mode": "wrap",
            "data_format": "channels_first",
        },
    ),
    ("RandomShear", {"x_factor": 0.5, "y_factor": (0.1, 0.4)}),
    ("RandomShear", {"x_factor": 0.9, "fill_mode": "constant", "fill_value": -3.0}),
    ("RandomCrop", {"height": 8, "width": 4}),
    ("RandomCrop", {"height": 4, "width": 8}),
    ("CenterCrop", {"height": 3, "width": 4}),
    ("CenterCrop", {"height": 8, "width": 5}),
    ("CenterCrop", {"height": 3, "width": 2, "data_format": "channels_first"}),
    ("Resizing", {"height": 9, "width": 5}),
    ("Resizing", {"height": 4, "width": 15, "interpolation": "nearest"}),
    ("Resizing", {"height": 4, "width": 3, "antialias": True}),
    ("Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 4, "width": 9, "pad_to_aspect_ratio": True, "fill_value": 5.0}),
    ("Resizing", {"height": 9, "width": 4, "pad_to_aspect_ratio": True}),
    ("Resizing", {"height": 2, "width": 2, "data_format": "channels_first"}),
]
CASES = GEOMETRY


class Numbers:
    """A generator that remembers the uniform numbers it gave."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def uniform(self, shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
        u = RANDOM.random(tuple(shape), dtype=np.float32)
        self.given.append(u)
        return torch.tensor(minval + (maxval - minval) * u)


def plain(value):
    """A configuration as JSON."""
    return json.loads(json.dumps(value))


def main() -> None:
    entries, arrays = [], {"images": IMAGES}
    for number, (name, arguments) in enumerate(CASES):
        layer = getattr(keras.layers, name)(**arguments, name="a")
        numbers = Numbers()
        layer.backend.random.uniform = numbers.uniform
        first = arguments.get("data_format") == "channels_first"
        images = IMAGES.transpose(0, 3, 1, 2) if first else IMAGES
        result = np.asarray(layer(images.copy(), training=True))
        config = plain(keras.layers.serialize(layer))
        entries.append({"arguments": plain(arguments), "draws": len(numbers.given), **config})
        arrays |= {f"{number}.{i}": u for i, u in enumerate(numbers.given)}
        arrays[f"{number}.result"] = result.astype(np.float32)
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (HERE / "recorded_images.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    np.savez_compressed(HERE / "recorded_images.npz", **arrays)


if __name__ == "__main__":
    main()
