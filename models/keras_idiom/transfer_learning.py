"""A new head on a frozen network, for images in a directory, with augmentation.

python models/keras_idiom/transfer_learning.py DIRECTORY

DIRECTORY holds a directory of images for each class.
"""

import sys

import seqonnx as keras
from seqonnx import layers

IMAGE_SIZE = (32, 32)


def make_datasets(directory: str) -> tuple:
    """Return the images to train on and those to validate with."""
    options = {
        "validation_split": 0.25,
        "seed": 1337,
        "label_mode": "categorical",
        "image_size": IMAGE_SIZE,
        "batch_size": 16,
    }
    dataset = keras.utils.image_dataset_from_directory
    train_ds = dataset(directory, subset="training", **options)
    val_ds = dataset(directory, subset="validation", **options)
    return train_ds, val_ds


def build(classes: int, weights: str | None = "imagenet") -> keras.Model:
    """Return the model, of which only the head trains."""
    base_model = keras.applications.MobileNet(
        alpha=0.25, weights=weights, input_shape=(*IMAGE_SIZE, 3), include_top=False
    )
    # Small and simple images: what a middle layer sees of them is enough.
    base_model = keras.Model(base_model.input, base_model.get_layer("conv_pw_3_relu").output)
    base_model.trainable = False
    inputs = keras.Input(shape=(*IMAGE_SIZE, 3))
    x = layers.RandomFlip("horizontal")(inputs)
    x = layers.RandomRotation(0.1)(x)
    x = layers.Rescaling(scale=1 / 127.5, offset=-1)(x)
    x = base_model(x, training=False)
    x = layers.Conv2D(32, 3, activation="relu")(x)
    x = layers.GlobalMaxPooling2D()(x)
    x = layers.Dropout(0.2)(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    return keras.Model(inputs, outputs)


def train(model: keras.Model, train_ds, val_ds, epochs: int = 8) -> dict[str, float]:
    """Train the head; returns the accuracy on the images to validate with."""
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.CategoricalCrossentropy(),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    model.fit(train_ds, epochs=epochs, validation_data=val_ds, verbose=0)
    _, accuracy = model.evaluate(val_ds, verbose=0)
    return {"accuracy": accuracy}


if __name__ == "__main__":
    data_train, data_val = make_datasets(sys.argv[1])
    print(train(build(len(data_train.class_names)), data_train, data_val))
