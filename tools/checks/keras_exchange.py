"""Keras and seqonnx exchange `.keras` files in both directions, and train on alike.

    KERAS_BACKEND=torch python tools/checks/keras_exchange.py FOLDER

Runs each kit in a process of its own (`--kit`), as FOLDER/ours and FOLDER/theirs: a model is built,
trained for three steps and saved by one kit, loaded by both, and trained on for five steps by each.
Loss after each step, and the outputs before, must agree. Where Keras's interpreter has seqonnx,
too, a live model goes through `from_keras`, as well. Needs Keras 3.15 and seqonnx; `--python` names
the interpreters if they are not in one environment (`theirs,ours`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

LIMIT = 1e-5
# Without ScheduleFreeAdamW: with PyTorch and TensorFlow, Keras reads a value of it after it was
# overwritten, and with TensorFlow starts another one at 0. With TensorFlow, embeddings train with
# SGD here: Keras squares the gradient of each occurrence of a row there, not their sum. Both causes
# are tested (tests/optimizers/test_keras_backends.py).
OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "amsgrad": ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    "adamw": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.01}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True}),
    "adagrad": ("Adagrad", {"learning_rate": 0.05}),
    "adadelta": ("Adadelta", {"learning_rate": 0.5}),
    "adamax": ("Adamax", {"learning_rate": 0.01}),
    "nadam": ("Nadam", {"learning_rate": 0.01}),
    "lion": ("Lion", {"learning_rate": 0.001}),
    "ftrl": ("Ftrl", {"learning_rate": 0.05}),
    "clipped": ("Adam", {"learning_rate": 0.01, "global_clipnorm": 0.5}),
    "adafactor": ("Adafactor", {"learning_rate": 0.01}),
    "lamb": ("Lamb", {"learning_rate": 0.01, "weight_decay": 0.01}),
    "muon": ("Muon", {"learning_rate": 0.01}),
    "averaged": ("Adam", {"learning_rate": 0.01, "use_ema": True, "ema_momentum": 0.9}),
    "overwritten": (
        "SGD",
        {"learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 2},
    ),
    "accumulated": ("Adam", {"learning_rate": 0.01, "gradient_accumulation_steps": 2}),
    "scaled": ("Adam", {"learning_rate": 0.01, "loss_scale_factor": 8.0}),
    "dynamic": ("LossScaleOptimizer", {"initial_scale": 4.0, "dynamic_growth_steps": 2}),
}
MODELS = ("mlp", "functional", "convnet", "lstm", "embedding", "attention", "nested", "wrapped")


def build(kit: Any, name: str) -> Any:
    """One of `MODELS` in either kit."""
    layers, entry = kit.layers, kit.Input
    if name == "mlp":
        return kit.Sequential(
            [
                entry((6,)),
                layers.Dense(8, activation="tanh", kernel_regularizer="l2"),
                layers.LayerNormalization(),
                layers.Dense(3),
            ]
        )
    if name == "functional":
        x = entry((6,), name="a")
        y = layers.Dense(4, "gelu")(x)
        z = kit.ops.tanh(y) * 2.0 + kit.ops.sum(x, axis=1, keepdims=True)
        joined = layers.Concatenate()([y, z[:, 0:2]])
        return kit.Model(x, layers.Dense(3)(joined))
    if name == "convnet":
        return kit.Sequential(
            [
                entry((8, 8, 2)),
                layers.Conv2D(4, 3, padding="same", use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.MaxPooling2D(),
                layers.SeparableConv2D(4, 3),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3),
            ]
        )
    if name == "lstm":
        x = entry((5, 3))
        y = layers.LSTM(4, return_sequences=True)(x)
        return kit.Model(x, layers.Dense(3)(layers.GRU(4)(y)))
    if name == "embedding":
        x = entry((5,), dtype="int32")
        y = layers.Embedding(10, 4, mask_zero=True)(x)
        return kit.Model(x, layers.Dense(3)(layers.LSTM(4)(y)))
    if name == "attention":
        x = entry((5, 4))
        y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x))
        return kit.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(y)))
    if name == "nested":
        inner = kit.Sequential([entry((6,)), layers.Dense(4, "relu"), layers.BatchNormalization()])
        shared = layers.Dense(6)
        x = entry((6,))
        y = inner(shared(shared(x)))
        return kit.Model(x, layers.Dense(3)(y))
    x = entry((5, 3))
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    y = layers.TimeDistributed(layers.Dense(4))(y)
    return kit.Model(x, layers.Dense(3)(layers.Flatten()(y)))


def data(name: str) -> tuple[Any, Any]:
    """Inputs and targets."""
    rng = np.random.default_rng(0)
    shapes = {"mlp": (6,), "functional": (6,), "nested": (6,), "convnet": (8, 8, 2)}
    if name == "embedding":
        x = rng.integers(0, 10, (8, 5)).astype("int32")
        x[:, 0] = np.maximum(x[:, 0], 1)
    else:
        shape = shapes.get(name, (5, 4) if name == "attention" else (5, 3))
        x = rng.normal(size=(8, *shape)).astype("float32")
    return x, rng.normal(size=(8, 3)).astype("float32")


def optimizer(kit: Any, name: str) -> Any:
    """One of `OPTIMIZERS` in either kit."""
    cls, arguments = OPTIMIZERS[name]
    if cls == "LossScaleOptimizer":
        arguments = {"inner_optimizer": kit.optimizers.Adam(0.01)} | arguments
    return getattr(kit.optimizers, cls)(**arguments)


def trained(kit: Any, model_name: str, optimizer_name: str) -> Any:
    """A model of either kit after three steps."""
    kit.utils.set_random_seed(1)
    model = build(kit, model_name)
    model.compile(optimizer(kit, optimizer_name), loss="mse", metrics=["mae"])
    steps(model, *data(model_name), 3)
    return model


def steps(model: Any, x: Any, y: Any, count: int) -> list[float]:
    """Losses of training steps."""
    return [float(model.train_on_batch(x, y, return_dict=True)["loss"]) for _ in range(count)]


def work(kit: Any, folder: Path, own: str, cases: list[tuple[str, str]], part: str) -> None:
    """Build, train and save (`part` is `save`); or load what `part` saved, and train on."""
    found = {}
    for model_name, optimizer_name in cases:
        case = f"{model_name}-{optimizer_name}"
        x, y = data(model_name)
        if part == "save":
            model = trained(kit, model_name, optimizer_name)
            model.save(folder / f"{case}.{own}.keras")
            continue
        model = kit.saving.load_model(folder / f"{case}.{part}.keras")
        outputs = np.asarray(model.predict(x, verbose=0)).tolist()
        found[case] = {"outputs": outputs, "losses": steps(model, x, y, 5)}
    if part != "save":
        (folder / f"{part}.{own}.json").write_text(json.dumps(found))


def worst(folder: Path, writer: str) -> float:
    """Greatest difference between what the two kits made of the files of one of them."""
    theirs, ours = (
        json.loads((folder / f"{writer}.{kit}.json").read_text()) for kit in ("theirs", "ours")
    )
    greatest = 0.0
    for case, one in theirs.items():
        for what in ("outputs", "losses"):
            a, b = np.array(one[what]), np.array(ours[case][what])
            difference = float(np.max(np.abs(a - b) / (1 + np.abs(a))))
            greatest = max(greatest, difference)
            if difference > LIMIT:
                print(f"{writer} {case} {what}: {difference:.2e}", a[:5].tolist(), b[:5].tolist())
    return greatest


def live(folder: Path, cases: list[tuple[str, str]]) -> None:
    """Train models of Keras, take them over with `from_keras`, and train both on."""
    import keras

    import seqonnx

    found: dict[str, dict[str, Any]] = {"theirs": {}, "ours": {}}
    for model_name, optimizer_name in cases:
        x, y = data(model_name)
        model = trained(keras, model_name, optimizer_name)
        taken = seqonnx.from_keras(model)
        for kit, each in (("theirs", model), ("ours", taken)):
            outputs = np.asarray(each.predict(x, verbose=0)).tolist()
            entry = {"outputs": outputs, "losses": steps(each, x, y, 5)}
            found[kit][f"{model_name}-{optimizer_name}"] = entry
    for kit, entries in found.items():
        (folder / f"live.{kit}.json").write_text(json.dumps(entries))


def main() -> int:
    """Run all cases; 1 if one of them differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kit", choices=("theirs", "ours", "both"))
    parser.add_argument("--part", default="save")
    parser.add_argument("--python", default=f"{sys.executable},{sys.executable}")
    options = parser.parse_args()
    plain = {"embedding"} if os.environ.get("KERAS_BACKEND") == "tensorflow" else set()
    cases = [("mlp", name) for name in OPTIMIZERS]
    cases += [(name, "sgd" if name in plain else "adam") for name in MODELS[1:]]
    if options.kit == "both":
        live(options.folder, cases)
        return 0
    if options.kit is not None:
        if options.kit == "theirs":
            import keras as kit
        else:
            import seqonnx as kit
        work(kit, options.folder, options.kit, cases, options.part)
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    pythons = dict(zip(("theirs", "ours"), options.python.split(","), strict=True))
    for part in ("save", "theirs", "ours"):
        for kit, python in pythons.items():
            command = [python, __file__, str(options.folder), "--kit", kit, "--part", part]
            subprocess.run(command, check=True, env=os.environ)
    writers = ["theirs", "ours"]
    # From the folder: the one that this runs in may hold seqonnx, which a script does not see.
    look = [pythons["theirs"], "-c", "import seqonnx"]
    if subprocess.run(look, check=False, cwd=options.folder).returncode == 0:
        command = [pythons["theirs"], __file__, str(options.folder), "--kit", "both"]
        subprocess.run(command, check=True, env=os.environ)
        writers.append("live")
    differences = {writer: worst(options.folder, writer) for writer in writers}
    print(f"{len(cases)} models; greatest relative differences: {differences}")
    return int(max(differences.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
