"""Write the sample file of functions of tensors: a model of real Keras with what it gives.

    KERAS_BACKEND=torch python tests/importers/write_function_samples.py

Needs keras and torch. The tests read the files; they do not need Keras. Written by Keras 3.15.1.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import ops

FOLDER = Path(__file__).with_name("samples")


def functions() -> keras.Model:
    """Operators, keys, and functions whose arguments Keras keeps in different places."""
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    h = keras.layers.Dense(4, name="d")(a)
    z = ops.concatenate([(h * 2.0 + b) - 1, ops.relu(b)], axis=-1)
    row = np.arange(4, dtype="float32")
    outputs = [
        ops.mean(z, axis=1, keepdims=True),
        ops.where(z > 0, z, -z) @ ops.ones((8, 1)),
        z[:, -1],
        z[..., None],
        z[:, 1:7:2],
        ops.einsum("bi,bj->bij", z, z),
        ops.stack([a, b], axis=1),
        ops.top_k(z, 2)[0],
        ops.softmax(b, axis=-1),
        ops.clip(z, -1, 1),
        2.0 / (ops.abs(a) + 1),
        ops.cast(a > 0, "int32"),
        ops.sum(a),
        ops.one_hot(ops.argmax(b, axis=-1), 4),
        ops.pad(a, ((0, 0), (1, 1))),
        ops.take(a, [0, 2], axis=1),
        ops.matmul(a, ops.transpose(b)),
        ops.norm(a, axis=1),
        a**2,
        ops.logical_and(a > 0, b > 0),
        ops.split(a, 2, axis=1)[1],
        ops.gelu(a),
        ops.tile(a, [1, 2]),
        ops.layer_normalization(a, row, row, epsilon=1e-3),
        ops.image.resize(ops.reshape(a, (-1, 2, 2, 1)), (3, 3)),
    ]
    return keras.Model([a, b], outputs, name="functions")


def main() -> None:
    """Write the files."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    model = functions()
    a, b = (rng.normal(size=(3, 4)).astype("float32") for _ in range(2))
    results = [keras.ops.convert_to_numpy(y) for y in model([a, b])]
    model.save(FOLDER / "functions.keras")
    arrays = {f"y{i}": y for i, y in enumerate(results)}
    np.savez_compressed(FOLDER / "functions.npz", a=a, b=b, **arrays)


if __name__ == "__main__":
    main()
