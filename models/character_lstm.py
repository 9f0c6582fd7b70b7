"""An LSTM that learns to write on from a text, character by character.

python models/character_lstm.py TEXT
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

import seqonnx as keras
from seqonnx import layers


def build(width: int = 16, units: int = 64) -> keras.Sequential:
    """Return the model: from ASCII codes to the probabilities of the one after each of them."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="codes"),
            layers.Embedding(128, width, name="embedding"),
            layers.LSTM(units, return_sequences=True, name="lstm"),
            layers.Dense(128, activation="softmax", name="next"),
        ],
        name="character_lstm",
    )


def codes_of(text: str) -> np.ndarray:
    """Return the ASCII codes of the characters of `text`."""
    return np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int32)


def write(path: str, text: str, count: int) -> str:
    """Add to `text` the `count` characters that the exported model finds most likely."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for _ in range(count):
        (probabilities,) = session.run(None, {"codes": codes_of(text)[np.newaxis]})
        text += chr(probabilities[0, -1].argmax())
    return text


def main(path: str) -> None:
    """Train on the text in the file at `path`, export, and let the exported file write."""
    text, model = Path(path).read_text("ascii"), build()
    parts = np.lib.stride_tricks.sliding_window_view(codes_of(text), 65)[::16]
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(parts[:, :-1], parts[:, 1:], batch_size=64, epochs=10)
    model.export("character_lstm.onnx")
    print(write("character_lstm.onnx", text[:32], 200))


if __name__ == "__main__":
    main(sys.argv[1])
