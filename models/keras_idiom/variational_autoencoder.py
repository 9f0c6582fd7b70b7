"""A variational autoencoder of digits; a layer adds the divergence to the loss.

python models/keras_idiom/variational_autoencoder.py
"""

import numpy as np
from sklearn.datasets import load_digits

import seqonnx as keras
from seqonnx import layers, ops


class Sampling(layers.Layer):
    """Draws a code from the distribution that the encoder gives, and adds its KL divergence."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        """Return codes of shape (batch, latent)."""
        z_mean, z_log_var = inputs
        kl_loss = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
        self.add_loss(ops.mean(ops.sum(kl_loss, axis=1)))
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


def reconstruction_loss(images, reconstructions):
    """Return the cross-entropy of all pixels of an image."""
    return ops.sum(keras.losses.binary_crossentropy(images, reconstructions), axis=(1, 2)) * 1.0


def load_data() -> tuple[np.ndarray, np.ndarray]:
    """Return images of digits, of shape (samples, 8, 8, 1): to train on and to test on."""
    images = np.expand_dims(load_digits().images, -1).astype("float32") / 16
    return images[:1437], images[1437:]


def build(latent: int = 4) -> keras.Model:
    """Return the model, an encoder and a decoder."""
    encoder_inputs = keras.Input(shape=(8, 8, 1))
    x = layers.Conv2D(8, 3, activation="relu", strides=2, padding="same")(encoder_inputs)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="relu")(x)
    z_mean = layers.Dense(latent, name="z_mean")(x)
    z_log_var = layers.Dense(latent, name="z_log_var")(x)
    z = Sampling()([z_mean, z_log_var])
    encoder = keras.Model(encoder_inputs, [z_mean, z_log_var, z], name="encoder")

    latent_inputs = keras.Input(shape=(latent,))
    x = layers.Dense(4 * 4 * 8, activation="relu")(latent_inputs)
    x = layers.Reshape((4, 4, 8))(x)
    x = layers.Conv2DTranspose(8, 3, activation="relu", strides=2, padding="same")(x)
    outputs = layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x)
    decoder = keras.Model(latent_inputs, outputs, name="decoder")
    return keras.Model(encoder_inputs, decoder(encoder(encoder_inputs)[2]), name="vae")


def train(model: keras.Model, images: np.ndarray, test_images: np.ndarray) -> dict[str, float]:
    """Train the model; returns the loss of images that it has not seen."""
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=reconstruction_loss)
    model.fit(images, images, epochs=8, batch_size=64, shuffle=False, verbose=0)
    return {"loss": model.evaluate(test_images, test_images, verbose=0)}


if __name__ == "__main__":
    print(train(build(), *load_data()))
