"""Helper: emit into a graph and run it, in ONNX Runtime or in ONNX's reference evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_bytes, to_proto

Feeds = Mapping[str, np.ndarray]


def emit(function: Callable[..., Any], *arrays: np.ndarray) -> Emitter:
    """Graph of `function(op, value, …)`, one input of fixed shape for each array."""
    op = Emitter()
    values = [op.input(f"x{i}", a.dtype.name, a.shape) for i, a in enumerate(arrays)]
    op.output(function(op, *values), "y")
    return op


def reference(op: Emitter, feeds: Feeds) -> list[np.ndarray]:
    """Outputs of the reference evaluator."""
    return ReferenceEvaluator(to_proto(op.graph)).run(None, dict(feeds))


def runtime(op: Emitter, feeds: Feeds) -> list[np.ndarray]:
    """Outputs of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        to_bytes(op.graph), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(feeds))


def evaluate(function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """Compute `function(op, value, …)` by the reference evaluator."""
    feeds = {f"x{i}": a for i, a in enumerate(arrays)}
    return reference(emit(function, *arrays), feeds)[0]
