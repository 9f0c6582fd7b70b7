"""Helper: a layer's exported file, run as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import seqonnx as keras
from seqonnx.layers import Layer


def exported_outputs(layer: Layer, x: np.ndarray, folder: Path) -> np.ndarray:
    """Outputs of a model of one layer, exported for any reader and run by plain ONNX Runtime.

    Args:
        layer: the layer.
        x: data, batch first.
        folder: where the file goes.
    """
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype.name), layer])
    model.export(folder / "layer.onnx")
    file = onnx.load(folder / "layer.onnx")
    assert {node.domain for node in file.graph.node} <= {""}
    session = onnxruntime.InferenceSession(
        folder / "layer.onnx", providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})[0]
