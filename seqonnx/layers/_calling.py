"""Calls of a layer: on symbolic tensors, which extends a model, and on data, which computes.

Functions over a layer, so that a layer's own methods are what its user has given it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt

from seqonnx import config, dtypes
from seqonnx.layers.alone import CallsOnData
from seqonnx.symbolic import Emits, LayerCall, SymbolicTensor, infer_call


class Callable(Emits, Protocol):
    """The side of a layer that a call needs."""

    trainable: bool
    autocast: bool
    _data_dtype: str | None
    _calls: list[tuple[LayerCall, list[SymbolicTensor]]]
    _calls_on_data: CallsOnData

    @property
    def dtype(self) -> str:
        """Dtype of the weights."""

    @property
    def _on_host(self) -> bool:
        """Whether a call on data begins with what ONNX cannot compute."""

    def _call_on_host(self, data: Any) -> npt.NDArray[Any]:
        """Compute the output for data, where ONNX alone cannot."""

    def _separate(self, x: Any) -> list[Any]:
        """Return one entry per input."""

    def _arrange(self, values: Sequence[Any]) -> Any:
        """Return one value per output as the user wants them."""

    def _build_for(self, shape: Any) -> None:
        """Check an input shape and build the layer if it is not built."""

    def _call_symbolic(
        self, inputs: list[SymbolicTensor], training: bool | None
    ) -> list[SymbolicTensor]:
        """Note a call in the layer graph; returns what it gives."""


def call(layer: Callable, x: Any, training: bool | None) -> Any:
    """Apply a layer (see `Layer.__call__`)."""
    parts = layer._separate(x)
    symbolic = [part for part in parts if isinstance(part, SymbolicTensor)]
    if len(symbolic) == len(parts):
        return layer._arrange(layer._call_symbolic(symbolic, training))
    if len(symbolic) > 0:
        raise ValueError(
            f"Layer '{layer.name}' was called on symbolic tensors and on data at once; all "
            f"inputs must be of one kind. Received: inputs={x}"
        )
    if layer._on_host:
        return layer._call_on_host(x)
    arrays = [_to_array(layer, part) for part in parts]
    return layer._arrange(_call_on_data(layer, arrays, training is True))


def call_symbolic(
    layer: Callable, inputs: list[SymbolicTensor], training: bool | None
) -> list[SymbolicTensor]:
    """Note a call in the layer graph; returns what it gives."""
    if training:
        raise ValueError(
            f"Layer '{layer.name}' cannot be called on symbolic tensors with `training=True`: "
            "`fit` runs in training mode, `predict` does not. Leave the argument out, or pass "
            "False to keep this call in inference mode."
        )
    shapes = [tensor.shape for tensor in inputs]
    layer._build_for(shapes if layer._takes_list else shapes[0])
    number = layer._calls[-1][0].index + 1 if len(layer._calls) > 0 else 0
    made = LayerCall(layer, tuple(inputs), number, training)
    outputs = [
        SymbolicTensor(shape, dtype, layer.name, made, index=index)
        for index, (shape, dtype) in enumerate(infer_call(layer, inputs))
    ]
    layer._calls.append((made, outputs))
    return outputs


def _to_array(layer: Callable, data: Any) -> npt.NDArray[Any]:
    """Data in the layer's dtype, where it takes data of floating-point numbers.

    A layer of integers takes what it is given: its graph casts floating-point inputs. So does one
    without `autocast` take integers: float16 has no odd ones above 2,048.
    """
    if layer._data_dtype is not None:
        return dtypes.to_array(data, layer._data_dtype, "inputs")
    array = dtypes.to_array(data, None, "inputs")
    kept = array.dtype.kind in "iub" and not layer.autocast
    if kept or not dtypes.is_float(layer.dtype):
        return array
    return dtypes.to_array(array, layer.dtype, "inputs")


def _call_on_data(
    layer: Callable, arrays: list[npt.NDArray[Any]], training: bool
) -> list[npt.NDArray[Any]]:
    shapes = [array.shape for array in arrays]
    layer._build_for(shapes if layer._takes_list else shapes[0])
    return layer._calls_on_data.run(
        arrays,
        (training, layer.trainable),
        lambda op, x: layer._emit(op, x if layer._takes_list else x[0], training),
        seed=config.next_seed() if training else 0,
    )
