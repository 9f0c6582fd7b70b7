"""Runs on nothing of graphs with operators that end the process there.

ONNX Runtime's LSTM, GRU and Attention divide by the number of sequences (1.32: `terminate called
without an active exception`), so a run with an input of no elements never reaches them: the
results, which have no elements either, are known without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from seqonnx.errors import ExecutionError
from seqonnx.runtime.arrays import TensorSpec

_OPERATORS: Final = (b"LSTM", b"GRU", b"Attention")


def fails_on_nothing(model: object) -> bool:
    """Whether a graph may hold an operator that ends the process on inputs without elements.

    Args:
        model: the bytes of its file; a path is not looked into.
    """
    return isinstance(model, bytes) and any(name in model for name in _OPERATORS)


def results_of_nothing(
    wanted: Sequence[str],
    outputs: Sequence[TensorSpec],
    inputs: Sequence[TensorSpec],
    shapes: Mapping[str, Sequence[int]],
    graph: str,
) -> list[np.ndarray]:
    """Return the results of a run, all without elements.

    Args:
        wanted: names of the outputs.
        outputs: all outputs of the graph.
        inputs: all inputs of the graph.
        shapes: shapes of what is fed, by the name of the input.
        graph: what errors call the graph.

    Raises:
        ExecutionError: if an output has elements, or its shape is not known without a run.
    """
    sizes: dict[str, int] = {}
    for spec in inputs:
        for dim, size in zip(spec.shape or (), shapes.get(spec.name, ()), strict=False):
            if isinstance(dim, str):
                sizes[dim] = size
    specs = {spec.name: spec for spec in outputs}
    found = []
    for name in wanted:
        shape = [sizes.get(d) if isinstance(d, str) else d for d in specs[name].shape or ()]
        known = [size for size in shape if size is not None]
        if len(known) < len(shape) or 0 not in known:
            raise ExecutionError(
                f"{graph} has recurrent operators or attention, which ONNX Runtime cannot run on "
                f"an input without elements. Received shapes: {dict(shapes)}; output '{name}' of "
                f"shape {specs[name].shape} is wanted. Leave empty batches and sequences out."
            )
        found.append(np.zeros(known, specs[name].dtype))
    return found
