"""The formats of model files by their names, and what to do about those that are not read."""

from __future__ import annotations

from pathlib import Path

from seqonnx.errors import ModelFileError

_REMEDIES = {
    "saved_model.pb": (
        "a SavedModel of TensorFlow's, which holds a program and no layers. Convert it to ONNX "
        "with `python -m tf2onnx.convert --saved-model {path} --output model.onnx` and load that; "
        "or load it with the Keras that made it, and save it as `.keras`"
    ),
    "config.json": (
        "a `.keras` file that has been unpacked. Zip its members (`config.json`, "
        "`metadata.json`, `model.weights.h5`, `assets`) into one `.keras` file and load that"
    ),
    "pytorch_model.bin": (
        "a checkpoint of PyTorch's. Export the model to ONNX with `torch.onnx.export` and load that"
    ),
}
"""Kinds of directories by a file in them, and the remedy."""

_OTHERS = {
    ".pb": "a graph of TensorFlow's. Convert it to ONNX with tf2onnx",
    ".tflite": "a model for TensorFlow Lite. Convert it to ONNX with tf2onnx (`--tflite`)",
    ".pt": "a file of PyTorch's. Export the model to ONNX with `torch.onnx.export`",
    ".pth": "a file of PyTorch's. Export the model to ONNX with `torch.onnx.export`",
    ".npz": "weights alone. Build the model and call `model.load_weights`",
    ".safetensors": "weights alone. Build the model and call `model.load_weights`",
    ".json": (
        "an architecture without weights. Read it with `seqonnx.models.model_from_json`, then "
        "call `model.load_weights`"
    ),
}
"""Kinds of files by their ending, and the remedy."""


def refuse_other_formats(path: Path) -> None:
    """Raise a ModelFileError for what `load_model` cannot load, that says what to do.

    Args:
        path: a file or a directory.
    """
    if path.is_dir():
        known = next((text for name, text in _REMEDIES.items() if (path / name).exists()), None)
        text = "no model file" if known is None else known.format(path=path)
        raise ModelFileError(
            f"File not found: {path} is a directory: {text}. `load_model` reads `.onnx`, `.keras` "
            "and legacy `.h5` files."
        )
    if path.name.endswith((".weights.h5", ".weights.json")):
        known = _OTHERS[".npz"]
    else:
        known = _OTHERS.get(path.suffix)
    if known is not None and path.exists():
        raise ModelFileError(
            f"File format not supported: filepath={path} is {known}. `load_model` reads `.onnx`, "
            "`.keras` and legacy `.h5` files."
        )
