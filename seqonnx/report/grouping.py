"""Group node rows by the layers that emitted them, as recorded in a file that seqonnx wrote.

The file carries `metadata_props["seqonnx.layers"]`, a JSON list of
`{"name", "class_name", "trainable", "output_shape"}` in model order; nodes are named
`<layer name>/<OpType>`, also in nested models (`outer/inner/Conv`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seqonnx.report.measure import known_sum
from seqonnx.report.polynomial import GraphShape, Polynomial
from seqonnx.report.records import Row

LAYERS_KEY = "seqonnx.layers"


@dataclass(frozen=True)
class LayerEntry:
    """One layer as the file records it; `output_shape` as the user sees it, where recorded."""

    name: str
    class_name: str
    trainable: bool | None
    output_shape: GraphShape


def read_layers(metadata: Mapping[str, str]) -> tuple[LayerEntry, ...]:
    """Return the recorded layers, or none if the file has no record.

    Raises:
        ValueError: if the record is not what seqonnx writes.
    """
    text = metadata.get(LAYERS_KEY)
    if text is None:
        return ()
    try:
        return tuple(_entry(item) for item in json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Metadata {LAYERS_KEY!r} is not a list of layers: {error!r}") from None


def group_rows(rows: Sequence[Row], layers: Sequence[LayerEntry]) -> tuple[Row, ...]:
    """Return one row per layer, then the rows outside of layers that hold weights or MACs.

    A layer without nodes (dropped, or folded into its neighbour) keeps a row of zeros.
    """
    names = {layer.name for layer in layers}
    members: dict[str, list[Row]] = {layer.name: [] for layer in layers}
    strangers = []
    for row in rows:
        owner = _owner(row.name, names)
        if owner is not None:
            members[owner].append(row)
        elif row.params > 0 or row.macs != Polynomial.of(0):
            strangers.append(row)
    grouped = (_layer_row(layer, members[layer.name]) for layer in layers)
    return (*grouped, *strangers)


def sum_rows(rows: Sequence[Row]) -> tuple[Polynomial | None, int | None, bool]:
    """Add up `(macs, macs_at, complete)` of rows.

    The symbolic sum is None where a row is known only at given sizes, as it would be too small.
    """
    at = known_sum([None if r.macs_at is None else Polynomial.of(r.macs_at) for r in rows])
    hidden = any(row.macs is None and row.macs_at is not None for row in rows)
    macs = None if hidden else known_sum([row.macs for row in rows])
    return macs, None if at is None else at.constant, all(row.complete for row in rows)


def _entry(item: Mapping[str, Any]) -> LayerEntry:
    """Read one element of the record."""
    name, class_name = str(item["name"]), str(item["class_name"])
    shape, trainable = item.get("output_shape"), item.get("trainable")
    return LayerEntry(
        name=name,
        class_name=class_name,
        trainable=None if trainable is None else bool(trainable),
        output_shape=None if shape is None else tuple(shape),
    )


def _owner(node_name: str, names: set[str]) -> str | None:
    """Return the longest layer name that is a path prefix of `node_name`."""
    parts = node_name.split("/")
    prefixes = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in names), None)


def _layer_row(layer: LayerEntry, members: Sequence[Row]) -> Row:
    """Add up the nodes of one layer."""
    macs, macs_at, complete = sum_rows(members)
    last = members[-1] if members else None
    row = Row(
        name=layer.name,
        op_type=layer.class_name,
        layer=layer.name,
        output_shape=last.output_shape if last else None,
        dtype=last.dtype if last else "?",
        params=sum(member.params for member in members),
        weight_bytes=sum(member.weight_bytes for member in members),
        macs=macs,
        macs_at=macs_at,
        complete=complete,
        members=tuple(name for member in members for name in member.members),
        trainable=layer.trainable,
    )
    return row if layer.output_shape is None else replace(row, output_shape=layer.output_shape)
