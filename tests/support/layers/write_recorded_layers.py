"""Record layers of real Keras: configuration, weights, an input and what comes out.

    KERAS_BACKEND=torch python tests/support/layers/write_recorded_layers.py

Needs keras and torch. The tests read the files; they do not need Keras. Recorded with Keras 3.15.1.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

IMAGE, SEQUENCE, VECTOR = (4, 3, 6), (4, 6), (6,)
LAYERS = {
    "permute": (layers.Permute((3, 1, 2)), IMAGE),
    "repeat_vector": (layers.RepeatVector(3), VECTOR),
    "cropping1d": (layers.Cropping1D((1, 2)), SEQUENCE),
    "cropping2d": (layers.Cropping2D(((1, 0), (0, 2))), IMAGE),
    "cropping3d": (layers.Cropping3D((1, 0, 1), "channels_first"), (2, 3, 2, 4)),
    "spatial_dropout1d": (layers.SpatialDropout1D(0.5), SEQUENCE),
    "spatial_dropout2d": (layers.SpatialDropout2D(0.5, "channels_first", seed=3), IMAGE),
    "spatial_dropout3d": (layers.SpatialDropout3D(0.5), (2, 3, 2, 4)),
    "gaussian_noise": (layers.GaussianNoise(0.5, seed=3), SEQUENCE),
    "gaussian_dropout": (layers.GaussianDropout(0.5), SEQUENCE),
    "alpha_dropout": (layers.AlphaDropout(0.5, (None, 1, None), seed=3), SEQUENCE),
    "activity_regularization": (layers.ActivityRegularization(0.1, 0.2), SEQUENCE),
    "layer": (layers.LayerNormalization(), IMAGE),
    "layer_of_axes": (layers.LayerNormalization([2, 3], epsilon=0.1), IMAGE),
    "layer_of_others": (layers.LayerNormalization((1, 3)), IMAGE),
    "layer_bare": (layers.LayerNormalization(center=False, scale=False), IMAGE),
    "layer_centred": (layers.LayerNormalization(scale=False, gamma_constraint="non_neg"), IMAGE),
    "layer_scaled": (layers.LayerNormalization(center=False, beta_regularizer="l2"), IMAGE),
    "layer_rms": (layers.LayerNormalization([1, 3], rms_scaling=True), IMAGE),
    "group": (layers.GroupNormalization(3), IMAGE),
    "group_of_all": (layers.GroupNormalization(1, epsilon=0.1), IMAGE),
    "group_of_one": (layers.GroupNormalization(-1), IMAGE),
    "group_first": (layers.GroupNormalization(2, axis=1), IMAGE),
    "group_middle": (layers.GroupNormalization(3, axis=2, scale=False), IMAGE),
    "group_vector": (layers.GroupNormalization(2, center=False), VECTOR),
    "rms": (layers.RMSNormalization(), IMAGE),
    "rms_of_axes": (layers.RMSNormalization([2, 3], epsilon=0.1), IMAGE),
    "unit": (layers.UnitNormalization(), IMAGE),
    "unit_of_axes": (layers.UnitNormalization([1, 3]), IMAGE),
}


def record(layers: dict[str, tuple[layers.Layer, tuple[int, ...]]], name: str) -> None:
    """Write what layers give to `{name}.npz`, and their configurations to `{name}.json`.

    Args:
        layers: layers and the shapes of their inputs, without the batch.
        name: name of both files.
    """
    rng = np.random.default_rng(0)
    arrays, configs = {}, {}
    for label, (layer, shape) in layers.items():
        x = rng.normal(1.0, 2.0, (2, *shape)).astype("float32")
        entry = keras.saving.serialize_keras_object(layer)
        layer(x)
        weights = [rng.uniform(0.5, 1.5, w.shape).astype("float32") for w in layer.weights]
        layer.set_weights(weights)
        arrays |= {f"{label}/x": x, f"{label}/y": keras.ops.convert_to_numpy(layer(x))}
        arrays |= {f"{label}/{w.name}": v for w, v in zip(layer.weights, weights, strict=True)}
        configs[label] = {"layer": entry, "weights": [w.name for w in layer.weights]}
    folder = Path(__file__).parent
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in configs.items())
    (folder / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    record(LAYERS, "recorded_layers")
