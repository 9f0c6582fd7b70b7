"""Fine-tuning a network from an ONNX file: cut its last layer, put a new head on, train.

    python models/onnx_finetune.py [NETWORK [DATA [FILE]]]

takes an MNIST classifier trained elsewhere (operator set 8, made for a batch of one), measures
it, cuts its last layer off, trains a new head with the rest frozen and then everything, writes
FILE, and runs that with nothing but ONNX Runtime.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

import seqonnx as keras
from seqonnx import layers

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
NETWORK = SHARED / "onnx" / "mnist.onnx"
DATA = SHARED / "mnist10k.npz"
CUT = "Pooling160_Output_0_reshape0"
"""The input of the last layer: 256 features."""

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


def build(network: str | Path = NETWORK) -> keras.Sequential:
    """Return the network without its last layer, frozen, with a new head for ten classes."""
    base = layers.ONNXModel(network, outputs=CUT, trainable=False, name="base")
    return keras.Sequential(
        [
            keras.Input((28, 28)),
            layers.Reshape((1, 28, 28), name="channels_first"),
            base,
            layers.Rescaling(1 / 1000, name="rescaling"),
            layers.Dense(10, activation="softmax", name="head"),
        ],
        name="onnx_finetune",
    )


def load(path: str | Path = DATA) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Return training and test images, with values from 0 to 255 as the network takes them."""
    with np.load(path) as file:
        x_train, x_test = (file[name].astype(np.float32) for name in ("x_train", "x_test"))
        return (x_train, file["y_train"]), (x_test, file["y_test"])


def accuracy(outputs: npt.NDArray[np.float32], labels: Labels) -> float:
    """Return the fraction of rows whose largest output is the label."""
    return float(np.mean(outputs.argmax(axis=1) == labels))


def train(
    model: keras.Sequential, x: Images, y: Labels, *, rate: float, epochs: int, verbose: int
) -> None:
    """Train what is not frozen."""
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=verbose)


def main(
    network: str | Path = NETWORK, data: str | Path = DATA, path: str | Path = "finetuned.onnx"
) -> None:
    """Measure, cut, train the head, train everything, export, check."""
    if not (Path(network).is_file() and Path(data).is_file()):
        print(f"skipped: {network} and {data} are needed")
        return
    keras.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = load(data)

    original = keras.load_model(network)
    outputs = original.predict(x_test[:, np.newaxis], verbose=0)
    print(f"the network as it comes: accuracy {accuracy(outputs, y_test):.4f}")

    model = build(network)
    model.summary()
    print(f"new head, not trained: {accuracy(model.predict(x_test, verbose=0), y_test):.4f}")
    train(model, x_train, y_train, rate=1e-2, epochs=3, verbose=2)
    print(f"head trained: {accuracy(model.predict(x_test, verbose=0), y_test):.4f}")
    model.get_layer("base").trainable = True
    train(model, x_train, y_train, rate=1e-4, epochs=3, verbose=2)
    print(f"everything trained: {accuracy(model.predict(x_test, verbose=0), y_test):.4f}")

    model.export(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"input": x_test})
    difference = np.abs(outputs - model.predict(x_test, verbose=0)).max()
    print(f"{path} under plain onnxruntime: {accuracy(outputs, y_test):.4f}")
    print(f"it differs from model.predict by at most {difference:.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
