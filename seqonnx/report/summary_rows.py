"""Input of `render_summary`: one record per layer of a model, and the totals."""

from __future__ import annotations

from dataclasses import dataclass

from seqonnx.report.format import takes_boxes

LayerShape = tuple[int | None, ...]
"""An output shape as Keras shows it: None for the batch and other free dimensions."""


@dataclass(frozen=True)
class LayerRow:
    """One layer in a summary.

    Args:
        name: name of the layer.
        class_name: its class, shown in parentheses.
        output_shape: shape with the batch dimension; a list of shapes for several outputs; None
            if the layer has not been called.
        params: numbers in its weights, trainable or not.
        built: False shows `0 (unbuilt)`.
        trainable: shown as Y or N in the Trainable column; None, for a layer without weights,
            as `-`.
        connected_to: where its inputs come from, as `dense[0][0]`. One row that has them turns
            the table into the four-column form for graphs that are not a chain.
        depth: 0 for a layer of the model, 1 for a layer inside a layer, and so on; inner rows
            follow their outer one.
    """

    name: str
    class_name: str
    output_shape: LayerShape | list[LayerShape] | None
    params: int
    built: bool
    trainable: bool | None
    connected_to: tuple[str, ...] = ()
    depth: int = 0


@dataclass(frozen=True)
class SummaryTotals:
    """Numbers and bytes below the table.

    Args:
        trainable: numbers that training updates.
        non_trainable: numbers that it does not.
        trainable_bytes: bytes of the former, in their own dtypes.
        non_trainable_bytes: bytes of the latter.
        optimizer: numbers in the state of the optimizer; None, no line, until it is built.
        optimizer_bytes: bytes of that state.
    """

    trainable: int
    non_trainable: int
    trainable_bytes: int
    non_trainable_bytes: int
    optimizer: int | None = None
    optimizer_bytes: int = 0

    @property
    def total(self) -> int:
        """All numbers, with the state of the optimizer once it is built, as Keras 3 has it."""
        return self.trainable + self.non_trainable + (self.optimizer or 0)

    @property
    def total_bytes(self) -> int:
        """Bytes of all numbers, with the state of the optimizer."""
        return self.trainable_bytes + self.non_trainable_bytes + self.optimizer_bytes


def row_title(row: LayerRow, encoding: str) -> str:
    """Return the name of a layer, an inner one indented below its outer one."""
    corner = "└" if takes_boxes(encoding) else "+"
    return f"{'   ' * row.depth}{corner} {row.name}" if row.depth else row.name
