"""The front of a model: the layers that make numbers of text, computed before a step.

A step's graph holds no text: what is bound to it, on a GPU too, are numbers. The words of a batch
are looked up while the batch before it is computed, in the thread that prepares batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from seqonnx.graph import Variable
from seqonnx.layers.base import Layer
from seqonnx.runtime import CPU
from seqonnx.symbolic import SymbolicTensor, calls_between
from seqonnx.training.forward import Forward
from seqonnx.training.inputs import with_ranks

_TEXT = "string"


class Front:
    """The layers of a model between its text and the first numbers.

    Args:
        inputs: model inputs.
        outputs: model outputs.

    Attributes:
        tensors: the inputs of the rest of the model: numbers that are given, then numbers that
            are made of text.

    Raises:
        ValueError: if a layer that reads text has weights to train.
    """

    def __init__(self, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]) -> None:
        self._inputs = list(inputs)
        text = {id(tensor) for tensor in inputs if tensor.dtype == _TEXT}
        made: list[SymbolicTensor] = []
        weights: list[Variable] = []
        for call, tensor in calls_between(inputs, outputs) if len(text) > 0 else ():
            if not any(id(each) in text for each in call.inputs):
                continue
            assert isinstance(call.layer, Layer)
            _check_fixed(call.layer)
            weights += call.layer.weights
            if tensor.dtype == _TEXT:
                text.add(id(tensor))
            else:
                made.append(tensor)
        self._given = [index for index, each in enumerate(inputs) if each.dtype != _TEXT]
        self.tensors = [*(inputs[index] for index in self._given), *made]
        self._forward = Forward(inputs, made, weights, CPU, list) if len(made) > 0 else None

    def arrays(self, x: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Return the numbers for `tensors`, of one array per model input."""
        arrays = with_ranks(x, self._inputs)
        if self._forward is None:
            return arrays
        return [*(arrays[index] for index in self._given), *self._forward.run(arrays)]


def _check_fixed(layer: Layer) -> None:
    """Refuse to train a layer through text."""
    if len(layer.trainable_weights) > 0:
        raise ValueError(
            f"Layer '{layer.name}' reads text and has weights to train, which cannot be trained "
            "through text. Call the layers that make numbers of text outside of it, such as in "
            "the model that holds it; or set its `trainable` to False."
        )
