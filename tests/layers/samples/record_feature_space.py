"""Record a feature space that Keras has adapted and saved, and what it gives.

    KERAS_BACKEND=tensorflow python tests/layers/samples/record_feature_space.py

Recorded with Keras 3.15.1 and TensorFlow 2.21.0; `check` reads a file of seqonnx's in Keras:

    KERAS_BACKEND=tensorflow python tests/layers/samples/record_feature_space.py FILE
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow

HERE = Path(__file__).parent
DATA = {
    "a": np.array([1.0, 2.0, 3.0, 4.0]),
    "b": np.array([1, 2, 3, 1]),
    "c": np.array(["x", "y", "x", "z"]),
    "d": np.array([0.1, 0.5, 0.9, 0.3]),
    "e": np.array(["p", "q", "r", "p"]),
    "f": np.array([0.0, 1.0, 2.0, 3.0]),
}


def main() -> None:
    """Write both files, or compare with a file of seqonnx's."""
    if len(sys.argv) > 1:
        found = np.asarray(keras.saving.load_model(sys.argv[1])(DATA))
        np.testing.assert_allclose(found, np.load(HERE / "feature_space.npy"), atol=1e-6)
        return
    kinds = keras.utils.FeatureSpace
    space = kinds(
        features={
            "a": "float_normalized",
            "b": kinds.integer_categorical(max_tokens=5),
            "c": kinds.string_categorical(num_oov_indices=1),
            "d": kinds.float_discretized(num_bins=3),
            "e": kinds.string_hashed(num_bins=4),
            "f": "float",
        },
        crosses=[kinds.cross(("b", "c"), crossing_dim=8)],
        name="space",
    )
    space.adapt(tensorflow.data.Dataset.from_tensor_slices(DATA))
    np.save(HERE / "feature_space.npy", np.asarray(space(DATA)))
    path = HERE / "feature_space.keras"
    space.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:  # most of it is zeros
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
