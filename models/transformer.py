"""A transformer of two blocks that learns to write on from a text, character by character.

python models/transformer.py TEXT
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

import seqonnx as keras
from seqonnx import layers


class _Positions(layers.Layer):
    def build(self, input_shape):
        self.vectors = self.add_weight(input_shape[1:], "uniform", name="vectors")

    def call(self, x):
        return x + self.vectors


def build(length: int = 64, width: int = 32, heads: int = 4) -> keras.Model:
    """Return the model: from ASCII codes to the probabilities of the one after each of them."""
    codes = keras.Input((length,), dtype="int32", name="codes")
    x = _Positions(name="positions")(layers.Embedding(128, width, name="embedding")(codes))
    for block in ("first", "second"):
        h = layers.LayerNormalization(name=f"{block}_norm")(x)
        attention = layers.MultiHeadAttention(heads, width // heads, name=f"{block}_attention")
        x = x + attention(h, h, use_causal_mask=True)
        h = layers.LayerNormalization(name=f"{block}_norm_1")(x)
        h = layers.Dense(4 * width, activation="gelu", name=f"{block}_dense")(h)
        x = x + layers.Dense(width, name=f"{block}_dense_1")(h)
    x = layers.LayerNormalization(name="norm")(x)
    outputs = layers.Dense(128, activation="softmax", name="next")(x)
    return keras.Model(codes, outputs, name="transformer")


def write(path: str, text: str, count: int) -> str:
    """Add to `text` the `count` characters that the exported model finds most likely."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    length = session.get_inputs()[0].shape[1]
    for _ in range(count):
        seen = text[-length:].encode("ascii")
        codes = np.frombuffer(seen.ljust(length), np.uint8).astype(np.int32)
        (probabilities,) = session.run(None, {"codes": codes[np.newaxis]})
        text += chr(probabilities[0, len(seen) - 1].argmax())
    return text


if __name__ == "__main__":
    text, model = Path(sys.argv[1]).read_text("ascii"), build()
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int32)
    parts = np.lib.stride_tricks.sliding_window_view(codes, model.input_shape[1] + 1)[::16]
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(parts[:, :-1], parts[:, 1:], batch_size=64, epochs=10)
    model.export("transformer.onnx")
    print(write("transformer.onnx", text[:32], 200))
