"""Write the sample files: models of real Keras with what they predict.

    KERAS_BACKEND=numpy python tests/importers/write_samples.py

Needs keras, jax and scipy. The tests read the files; they do not need Keras.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

FOLDER = Path(__file__).with_name("samples")


def functional() -> keras.Model:
    """Branches, a shared layer, nested models, normalization, every kind of convolution."""
    entry = keras.Input((8, 8, 3), name="image")
    shared = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    left = shared(entry)
    right = shared(layers.MaxPooling2D(3, 1)(layers.ZeroPadding2D(1)(entry)))
    right = layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=2, use_bias=False)(right)
    x = layers.Add()([right, left])
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-4)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.DepthwiseConv2D(3, 2, "same", depth_multiplier=2),
            layers.BatchNormalization(scale=False),
            layers.Activation("relu"),
            layers.Dropout(0.3),
        ],
        name="inner",
    )
    x = inner(x)
    small = keras.Input((4, 4, 8))
    twice = keras.Model(
        small, [layers.Conv2D(3, 1)(small), layers.AveragePooling2D(2, 1, "same")(small)]
    )
    x = layers.Concatenate()(twice(x))
    x = layers.PReLU(shared_axes=[1, 2])(layers.MaxPooling2D(3, 2, "same")(x))
    x = layers.Flatten()(x)
    x = layers.Dense(6, "gelu", kernel_regularizer=keras.regularizers.L2(1e-3))(x)
    return keras.Model(entry, layers.Dense(3, "softmax", name="scores")(x), name="sample")


def sequential() -> keras.Sequential:
    """A chain without a declared input, built on data."""
    model = keras.Sequential(
        [
            layers.Rescaling(0.5, 1.0),
            layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="tanh"),
            layers.Dense(5, "hard_sigmoid", bias_constraint="max_norm"),
            layers.Reshape((-1, 10)),
            layers.GlobalMaxPooling1D(),
            layers.Dense(2),
        ],
        name="chain",
    )
    model(np.ones((1, 6, 3), "float32"))
    return model


def plain() -> keras.Model:
    """Layers of one tensor: what is cut off, moved, repeated, normalized and made noisy."""
    image = keras.Input((5, 6, 4), name="image")
    x = layers.Cropping2D(((1, 0), (0, 2)))(image)
    x = layers.GaussianNoise(0.1)(layers.SpatialDropout2D(0.3)(x))
    x = layers.GroupNormalization(2, epsilon=1e-2)(x)
    x = layers.Permute((3, 1, 2))(x)
    x = layers.LayerNormalization([2, 3], beta_regularizer="l1")(x)
    x = layers.Reshape((4, 4, 4, 1))(x)
    x = layers.SpatialDropout3D(0.2)(layers.Cropping3D((1, 0, 1))(x))
    x = layers.GaussianDropout(0.2)(layers.Flatten()(x))
    x = layers.RMSNormalization()(layers.AlphaDropout(0.1)(x))
    x = layers.RepeatVector(4)(layers.ActivityRegularization(0.1, 0.2)(x))
    x = layers.SpatialDropout1D(0.3)(layers.Cropping1D((2, 0))(x))
    return keras.Model(image, layers.UnitNormalization(axis=[1, 2])(x), name="plain")


def write_bfloat16() -> None:
    """Weights in bfloat16, for which HDF5 has no dtype: (0 ... 5) / 7 - 0.4 and (0.1, -0.2)."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype="bfloat16")])
    model.set_weights([np.arange(6).reshape(3, 2) / 7 - 0.4, np.array([0.1, -0.2])])
    model.save_weights(FOLDER / "bfloat16.weights.h5")


def write_plain() -> None:
    """The model of plain layers, with what it predicts."""
    model = plain()
    randomize(model)
    x = np.random.default_rng(1).normal(size=(4, 5, 6, 4)).astype("float32")
    model.save(FOLDER / "plain.keras")
    np.savez(FOLDER / "plain.npz", x=x, y=model.predict(x, verbose=0))


def randomize(model: keras.Model) -> None:
    """Give every weight a value that no initializer gives."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.2, 1.0, weight.shape) * rng.choice([-1, 1], weight.shape))
        if "variance" in weight.path:
            weight.assign(np.abs(weight))


def main() -> None:
    """Write both models in every format."""
    FOLDER.mkdir(exist_ok=True)
    arrays = {}
    for model, shape in ((functional(), (4, 8, 8, 3)), (sequential(), (4, 6, 3))):
        randomize(model)
        x = np.random.default_rng(1).normal(size=shape).astype("float32")
        arrays[f"{model.name}_x"] = x
        arrays[f"{model.name}_y"] = model.predict(x, verbose=0)
        model.save(FOLDER / f"{model.name}.keras")
        model.save(FOLDER / f"{model.name}.h5")
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        model.save_weights(FOLDER / f"{model.name}.weights.h5")
    np.savez(FOLDER / "predictions.npz", **arrays)
    write_plain()
    write_bfloat16()


if __name__ == "__main__":
    main()
