"""Symbolic tensors: what a layer was called on and what it gave, without data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import onnx_ir as ir

from seqonnx.graph import Emitter

Shape = tuple[int | None, ...]


class Emits(Protocol):
    """What the layer graph needs to know of a layer."""

    name: str

    def emit(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the layer's nodes and return its output."""


class SymbolicTensor:
    """A tensor of the layer graph: a shape, an element type and the call that made it.

    Args:
        shape: sizes with the batch first; None where a size is not fixed.
        dtype: name of the element type.
        name: name shown to the user; also the name of a graph input.
        call: the layer call that gives this tensor; None for a model input.

    Example:
        >>> SymbolicTensor((None, 4), "float32", "x")
        <KerasTensor shape=(None, 4), dtype=float32, sparse=False, ragged=False, name=x>
    """

    def __init__(
        self, shape: Sequence[int | None], dtype: str, name: str, call: LayerCall | None = None
    ) -> None:
        self.shape: Shape = tuple(shape)
        self.dtype = dtype
        self.name = name
        self.call = call

    @property
    def ndim(self) -> int:
        """Rank."""
        return len(self.shape)

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse=False, ragged=False, "
            f"name={self.name}>"
        )


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer on symbolic tensors."""

    layer: Emits
    inputs: tuple[SymbolicTensor, ...]
    index: int
    """How many times the layer had been called before."""
