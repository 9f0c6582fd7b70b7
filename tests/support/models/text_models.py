"""A text that follows a small grammar, and how the models of `models/` that write train on it.

Works on a model of seqonnx and of Keras alike, so that both see the same numbers.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

WHO = ("the miller", "the old fox", "a young queen", "the fisherman", "a grey goose")
DOES = ("found a key", "carried a lamp", "sold two apples", "painted the gate", "forgot his hat")
WHERE = ("by the river", "under the bridge", "in the snow", "on the hill", "at the market")

LENGTH, BATCH = 32, 8  # of a part of the text, in characters; of a batch, in parts
SIZES = {"transformer": {"length": LENGTH}, "character_lstm": {}}  # arguments of `build`
RATES = {"transformer": 0.005, "character_lstm": 0.015}  # of Adam
EPOCHS = {"transformer": 8, "character_lstm": 7}


def text(sentences: int = 150) -> str:
    """Sentences that are all of the form "the miller found a key by the river."."""
    choose = random.Random(0).choice
    return "".join(f"{choose(WHO)} {choose(DOES)} {choose(WHERE)}.\n" for _ in range(sentences))


def parts() -> tuple[np.ndarray, np.ndarray]:
    """ASCII codes of parts of the text, and of the characters that follow each of theirs."""
    codes = np.frombuffer(text().encode("ascii"), np.uint8).astype(np.int32)
    windows = np.lib.stride_tricks.sliding_window_view(codes, LENGTH + 1)[::LENGTH]
    return windows[:, :-1], windows[:, 1:]


def first_weights(model: Any) -> list[np.ndarray]:
    """Weights to begin with: drawn where an initializer draws, else those that the model has."""
    rng = np.random.default_rng(0)
    return [
        rng.normal(0, weight.shape[0] ** -0.5, weight.shape).astype(np.float32)
        if len(np.unique(weight)) > 2  # biases of 0, 1 or (LSTM) both, gammas of 1
        else np.asarray(weight)
        for weight in model.get_weights()
    ]


def train(keras: Any, model: Any, name: str) -> list[float]:
    """Train from these weights, batches in order; returns the mean loss of each epoch."""
    model.set_weights(first_weights(model))
    model.compile(keras.optimizers.Adam(RATES[name]), "sparse_categorical_crossentropy")
    x, y = parts()
    history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS[name], shuffle=False, verbose=0)
    return [float(loss) for loss in history.history["loss"]]
