"""Data on which losses are compared with their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto


def softmax(x):
    """Rows of probabilities."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.fixture
def emit64():
    """Emits a loss into a float64 graph and evaluates it with ONNX's own definitions."""

    def run(emit, y_true, y_pred):
        op = Emitter()
        arrays = [np.asarray(y_true), np.asarray(y_pred, np.float64)]
        values = [
            op.input(name, array.dtype.name, ("batch", *array.shape[1:]))
            for name, array in zip(("y_true", "y_pred"), arrays, strict=True)
        ]
        op.output(emit(op, *values), "loss")
        feeds = {"y_true": arrays[0], "y_pred": arrays[1]}
        return ReferenceEvaluator(to_proto(op.graph)).run(None, feeds)[0]

    return run
