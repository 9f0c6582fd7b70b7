"""Networks that are compared with real Keras, and the weights and images that both get.

Run with Keras (and jax and scipy) to record them anew:

    KERAS_BACKEND=numpy python tests/support/applications/recorded.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

LAYERS = Path(__file__).with_name("keras_layers.json")
FEATURES = Path(__file__).with_name("keras_features.npz")

# Network, arguments, layers whose outputs are compared besides the last (none: no outputs are).
NETWORKS = {
    "VGG16": ({"include_top": False, "pooling": "max"}, ["block2_pool", "block4_conv3"]),
    "VGG19": ({"include_top": True, "classes": 4, "classifier_activation": None}, []),
    "Xception": ({"include_top": False, "pooling": "avg"}, ["add", "block4_pool", "add_6"]),
    "ResNet50": ({"include_top": True, "classes": 7}, ["pool1_pool", "conv3_block2_out"]),
    "MobileNetV2": ({"include_top": True, "classes": 5}, ["block_3_pad", "block_8_add"]),
}
SIZES = {"VGG16": 33, "VGG19": 32, "Xception": 72, "ResNet50": 45, "MobileNetV2": 67}


def shape_of(network: str) -> tuple[int, int, int]:
    return (SIZES[network], SIZES[network] + 2, 3)


def images(network: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (2, *shape_of(network)))
    x[0, :, ::2] *= 0.2
    return x.astype("float32")


def weights(variables) -> list[np.ndarray]:
    """Values that keep the size of what passes through, and let every image stay different."""
    rng = np.random.default_rng(1)
    arrays = []
    for variable in variables:
        shape = tuple(variable.shape)
        if variable.name == "gamma":
            array = rng.uniform(0.6, 1.0, shape)
        elif variable.name in {"moving_variance", "variance"}:
            array = rng.uniform(0.8, 1.2, shape)
        elif variable.name == "count":
            array = np.zeros(shape)
        elif len(shape) == 1:
            array = rng.normal(0.0, 0.1, shape)
        else:
            depthwise = len(shape) == 4 and shape[-1] == 1
            limit = np.sqrt(5 / np.prod(shape[:2] if depthwise else shape[:-1]))
            array = rng.uniform(-limit, limit, shape)
        arrays.append(array.astype("float32"))
    return arrays


def thinned(feature: np.ndarray) -> np.ndarray:
    """A part of a feature that is small enough to be kept."""
    return feature[:, :64] if feature.ndim == 2 else feature[:, ::5, ::5, :16]


def main() -> None:
    import keras

    described, features = {}, {}
    for network, (arguments, inner) in NETWORKS.items():
        keras.backend.clear_session()
        make = getattr(keras.applications, network)
        model = make(weights=None, input_shape=shape_of(network), **arguments)
        described[network] = [
            [layer.name, type(layer).__name__, [list(v.shape) for v in layer.weights]]
            for layer in model.layers
        ]
        model.set_weights(weights(model.weights))
        if len(inner) == 0:
            continue
        outputs = [*(model.get_layer(name).output for name in inner), model.output]
        found = keras.Model(model.input, outputs).predict(images(network), verbose=0)
        for name, feature in zip([*inner, "output"], found, strict=True):
            features[f"{network}/{name}"] = thinned(feature)
    rows = {
        network: "[\n  " + ",\n  ".join(json.dumps(layer) for layer in layers) + "\n ]"
        for network, layers in described.items()
    }
    text = ",\n ".join(f'"{network}": {layers}' for network, layers in rows.items())
    LAYERS.write_text(f"{{\n {text}\n}}\n", "utf-8")
    np.savez_compressed(FEATURES, **features)


if __name__ == "__main__":
    main()
