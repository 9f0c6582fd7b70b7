"""Models from files that another program wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from seqonnx.layers.core.input import Input
from seqonnx.layers.onnx.onnx_model import ONNXModel
from seqonnx.symbolic import SymbolicTensor

if TYPE_CHECKING:
    from seqonnx.models.model import Model


def load_foreign_model(path: Path) -> Model:
    """Return a model of one layer, an `ONNXModel`, with the inputs of the file.

    Args:
        path: an ONNX file.

    Returns:
        A `Sequential` where the network has one input and one output, which can be saved and
        loaded; else a `Model`.

    Raises:
        ModelFileError: if the file cannot be read or converted.
        ValueError: if its batch cannot be made free.
    """
    from seqonnx.models.model import Model
    from seqonnx.models.sequential import Sequential

    layer = ONNXModel(path, trainable=False)
    layer.trainable = True  # from now on: who only predicts need not hear that nothing trains
    inputs = [
        Input(batch_shape=shape, dtype=dtype, name=_plain(name))
        for name, (shape, dtype) in layer.signature.items()
    ]
    outputs = layer(inputs if layer._takes_list else inputs[0])
    if len(inputs) == 1 and isinstance(outputs, SymbolicTensor):
        return Sequential([inputs[0], layer], name=_plain(path.stem))
    return Model(inputs, outputs, name=_plain(path.stem))


def _plain(name: str) -> str:
    """A foreign name as one that a layer may have."""
    return re.sub(r"/+", "_", name.strip("/")) or "input"
