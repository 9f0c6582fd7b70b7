"""Records what Keras 3.15.1 makes of images: values, drawn numbers and configurations.

    KERAS_BACKEND=torch python tests/support/layers/write_recorded_images.py

Writes `recorded_images.json` (class, arguments, configuration) and `recorded_images.npz` (uniform
numbers in the order in which the layer draws them, results). Keras's generator is replaced by one
that gives the numbers written here, so that the same numbers can be given to another library.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import keras
import numpy as np
import torch

HERE = Path(__file__).parent
RANDOM = np.random.default_rng(15)
IMAGES = np.round(RANDOM.uniform(0, 255, (3, 6, 7, 3)), 2).astype(np.float32)
LABELS = np.eye(3, 4, dtype=np.float32)

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
FIRST = {"data_format": "channels_first"}
COLOR = [
    ("RandomContrast", {"factor": 0.6}),
    ("RandomContrast", {"factor": (0.2, 0.9), "value_range": (20, 200), **FIRST}),
    ("RandomBrightness", {"factor": 0.5}),
    ("RandomBrightness", {"factor": (-0.2, 0.7), "value_range": [250, 10], **FIRST}),
    ("RandomHue", {"factor": (0.2, 0.8)}),
    ("RandomHue", {"factor": 0.7, **FIRST}),
    ("RandomSaturation", {"factor": (0.3, 0.8)}),
    ("RandomSaturation", {"factor": 0.4, "value_range": (0, 1), **FIRST}),
    ("RandomGrayscale", {"factor": 0.5}),
    ("RandomGrayscale", {"factor": 0.7, **FIRST}),
    ("RandomSharpness", {"factor": 0.9}),
    ("RandomSharpness", {"factor": (0.4, 1.0), **FIRST}),
    ("RandomErasing", {"fill_value": 9.0}),
    ("RandomErasing", {"factor": (0.8, 1.0), "scale": 0.8, "fill_value": (1.0, 300.0, 7.0)}),
    ("RandomErasing", {"factor": (1.0, 1.0), **FIRST}),
    ("RandomInvert", {"factor": (0.2, 0.9)}),
    ("RandomInvert", {"value_range": (0, 300), **FIRST}),
    ("RandomPerspective", {"factor": (1.0, 1.0)}),
    ("RandomPerspective", {"scale": 0.5, "interpolation": "nearest", "fill_value": 3.0}),
    ("RandomPerspective", {"factor": (0.9, 1.0), "scale": 0.7, **FIRST}),
    ("RandomGaussianBlur", {"factor": (1.0, 1.0)}),
    ("RandomGaussianBlur", {"factor": (0.5, 1.0), "kernel_size": 5, "sigma": (0.7, 1.0), **FIRST}),
    ("RandomElasticTransform", {"factor": (1.0, 1.0), "scale": (0.9, 1.0)}),
    (
        "RandomElasticTransform",
        {"factor": (0.5, 1.0), "scale": (0.6, 1.0), "fill_mode": "mirror", **FIRST},
    ),
    ("RandomPosterization", {"factor": 3}),
    ("RandomPosterization", {"factor": (2, 7), "value_range": (0, 510), **FIRST}),
    ("RandomPosterization", {"factor": (4, 4)}),
    ("RandomColorDegeneration", {"factor": 0.7}),
    ("RandomColorDegeneration", {"factor": (0.2, 1.0), **FIRST}),
    ("AutoContrast", {}),
    ("AutoContrast", {"value_range": (0, 300)}),
    ("Equalization", {}),
    ("Equalization", {"bins": 16, "value_range": (-10, 300), **FIRST}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (2, 4)}),
    (
        "ContrastLimitedAdaptiveHistogramEqualization",
        {"tile_grid_size": (4, 2), "clip_limit": 0, "value_range": (0, 300), **FIRST},
    ),
    ("Solarization", {"addition_factor": 0.3, "threshold_factor": (0.2, 0.9)}),
    ("Solarization", {"threshold_factor": 1.0, "value_range": (0, 300), **FIRST}),
    (
        "RandomColorJitter",
        {
            "brightness_factor": 0.3,
            "contrast_factor": (0.1, 0.4),
            "saturation_factor": (0.3, 0.6),
            "hue_factor": 0.2,
        },
    ),
    ("MixUp", {}),
    ("MixUp", {"alpha": 2.0, **FIRST}),
    ("CutMix", {}),
    ("CutMix", {"factor": (0.5, 1.0), **FIRST}),
]
CHAINS = [("RandAugment", {}), ("AugMix", {"alpha": 0.5, "all_ops": False})]
"""Layers of which only the configuration is recorded: their draws differ in kind."""
CASES = GEOMETRY + COLOR + CHAINS


class Numbers:
    """A generator that remembers the uniform numbers it gave, one array for each draw here.

    What Keras draws once for a whole batch counts as drawn for every image.
    """

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def draw(self, shape) -> np.ndarray:
        u = RANDOM.random(tuple(shape), dtype=np.float32)
        pairs = len(shape) == 2 and shape[1] == 2
        self.given += [u[:, 0], u[:, 1]] if pairs else list(u) if tuple(shape) == (2,) else [u]
        return u

    def uniform(self, shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
        return torch.tensor(minval + (maxval - minval) * self.draw(shape))

    def randint(self, shape, minval, maxval, dtype=None, seed=None):
        return torch.tensor(np.floor(minval + (maxval - minval) * self.draw(shape))).to(torch.uint8)

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        # Box and Muller (1958).
        u, v = self.draw(shape), self.draw(shape)
        return torch.tensor(np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v))

    def beta(self, shape, alpha, beta, dtype=None, seed=None):
        # Devroye (1996), "Random variate generation in one line of code".
        u, v = self.draw(shape).astype(np.float64), self.draw(shape)
        w, c = u ** (1 / float(alpha)), np.cos(2 * np.pi * v)
        return torch.tensor((1 + c / np.sqrt(w / (1 - w) + c**2)) / 2).float()

    def shuffle(self, x, axis=0, seed=None):
        return x[torch.tensor(np.argsort(-self.draw((len(x),))).copy())]


def patched(layer, numbers: Numbers) -> None:
    """Lets a layer of Keras draw from `numbers`."""
    for name in ("uniform", "randint", "normal", "beta", "shuffle"):
        setattr(layer.backend.random, name, getattr(numbers, name))
    # Floats, as those of TensorFlow and JAX are: CLAHE's limit would else lose its fraction.
    layer.backend.nn.one_hot = lambda x, count: torch.nn.functional.one_hot(x.long(), count).float()
    # The elastic transform asks torch itself.
    torch.normal = lambda mean, std, size, **_: numbers.normal(size)


def plain(value):
    """A configuration as JSON."""
    return json.loads(json.dumps(value))


def main() -> None:
    entries, arrays = [], {"images": IMAGES}
    for number, (name, arguments) in enumerate(CASES):
        layer = getattr(keras.layers, name)(**arguments, name="a")
        numbers = Numbers()
        patched(layer, numbers)
        first = arguments.get("data_format") == "channels_first"
        images = IMAGES.transpose(0, 3, 1, 2) if first else IMAGES
        if (name, arguments) in CHAINS:
            entries.append({"arguments": plain(arguments), **plain(keras.layers.serialize(layer))})
            continue
        mixes = name in {"MixUp", "CutMix"}
        data = {"images": images.copy(), "labels": LABELS.copy()} if mixes else images.copy()
        result = layer(data, training=True)
        config = plain(keras.layers.serialize(layer))
        entries.append({"arguments": plain(arguments), "draws": len(numbers.given), **config})
        arrays |= {f"{number}.{i}": u for i, u in enumerate(numbers.given)}
        images = np.asarray(result["images"] if mixes else result)
        arrays[f"{number}.result"] = images.astype(np.float32)
        if mixes:
            arrays[f"{number}.labels"] = np.asarray(result["labels"], np.float32)
    for method, antialias in itertools.product(("cubic", "lanczos3", "lanczos5"), (False, True)):
        for size in ((9, 4), (3, 15)):
            scale = np.array(size, np.float32) / IMAGES.shape[1:3]
            key = f"{method}.{antialias}.{size[0]}.{size[1]}"
            arrays[key] = np.asarray(
                keras.ops.image.scale_and_translate(
                    *(IMAGES, (3, *size, 3), scale, np.zeros(2, np.float32), (1, 2), method),
                    antialias=antialias,
                ),
                np.float32,
            )
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (HERE / "recorded_images.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    np.savez_compressed(HERE / "recorded_images.npz", **arrays)


if __name__ == "__main__":
    main()
