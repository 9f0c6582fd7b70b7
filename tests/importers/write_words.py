"""Writes samples/words.keras, with Keras 3.15.1 on TensorFlow: layers that learned from data.

    KERAS_BACKEND=tensorflow python tests/importers/write_words.py

It prints the predictions that test_keras_words.py expects.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

TEXTS = [["good film"], ["so bad"]]
WORDS = [["a", "z"], ["b", "b"]]
NUMBERS = [[3, 4], [9, 3]]
FEATURES = [[1.0, 2.0], [2.0, 5.0]]


def learned(layer: keras.layers.Layer, data: object) -> keras.layers.Layer:
    layer.adapt(data)
    return layer


keras.utils.set_random_seed(0)
text = keras.Input((1,), dtype="string", name="text")
word = keras.Input((2,), dtype="string", name="word")
number = keras.Input((2,), dtype="int64", name="number")
feature = keras.Input((2,), name="feature")
words = learned(
    layers.TextVectorization(standardize="lower", output_sequence_length=3),
    ["good film é", "bad film"],
)
features = np.array([[1.0, 2.0], [3.0, 6.0]])
parts = [
    layers.Flatten()(layers.Embedding(8, 2)(words(text))),
    layers.Activation("linear", dtype="float32")(
        learned(layers.StringLookup(output_mode="multi_hot"), ["a", "b", "a"])(word)
    ),
    layers.StringLookup(vocabulary=["a", "b"], output_mode="count")(word),
    learned(layers.IntegerLookup(output_mode="tf_idf"), np.array([[3, 4], [4, 4]]))(number),
    learned(layers.Normalization(), features)(feature),
    layers.Flatten()(
        learned(layers.Discretization(num_bins=3, output_mode="one_hot"), features)(feature)
    ),
]
model = keras.Model([text, word, number, feature], layers.Dense(2)(layers.Concatenate()(parts)))
model.save(Path(__file__).with_name("samples") / "words.keras")
data = [tf.constant(TEXTS), tf.constant(WORDS), np.array(NUMBERS), np.array(FEATURES, np.float32)]
print(model.predict(data, verbose=0).tolist())
