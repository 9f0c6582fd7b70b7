"""The table of `model.summary()`, in the look of Keras 3 or in the plain look of its guide.

Both looks are laid out from the same records; neither knows what a layer is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rich.console import Console

from seqonnx.report.format import encodable
from seqonnx.report.summary_plain import plain_summary
from seqonnx.report.summary_rich import rich_summary
from seqonnx.report.summary_rows import LayerRow, SummaryTotals

__all__ = ["LayerRow", "SummaryTotals", "render_summary"]


def render_summary(
    name: str,
    rows: Sequence[LayerRow],
    totals: SummaryTotals,
    *,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    show_trainable: bool = False,
    expand_nested: bool = False,
    layer_range: Sequence[str] | None = None,
    style: Literal["rich", "plain"] = "rich",
    console: Console | None = None,
    encoding: str | None = None,
) -> str:
    """Lay out the summary of a model.

    Args:
        name: name of the model.
        rows: its layers in order, inner layers (`depth` > 0) after their outer one.
        totals: numbers below the table.
        line_length: width of the table. By default 88 (108 with "Connected to", 12 more with
            "Trainable"), at most the columns of the terminal less 4; `plain` takes 65 (98, 11
            more) on any terminal. A given length is honoured even where the terminal is narrower.
        positions: where columns end, as fractions of the line length (last one 1.0) or, if the
            last one is above 1, in characters; one for each column but Trainable.
        show_trainable: whether to add the Trainable column.
        expand_nested: whether to show inner layers.
        layer_range: two regular expressions for the names of the first and the last layer shown;
            their order does not matter, and the totals stay those of the whole model.
        style: `"rich"` for the boxes of Keras 3, `"plain"` for the ruled table of its guide.
        console: where the text will be printed: gives the width, and colours if it is a terminal.
            None for a plain text of the width of the process's terminal.
        encoding: encoding of what takes the text; default: that of the console, else UTF-8. Boxes
            are drawn in ASCII for any that is not a form of UTF, and names are escaped.

    Returns:
        The text, ended by a newline. Nothing is printed.

    Raises:
        ValueError: if a column would be narrower than 4 characters, `layer_range` is not two
            strings or matches no layer, or `style` is unknown.

    Example:
        >>> row = LayerRow("dense", "Dense", (None, 2), 10, built=True, trainable=True)
        >>> text = render_summary("m", [row], SummaryTotals(10, 0, 40, 0), style="plain")
        >>> text.splitlines()[4]
        'dense (Dense)                (None, 2)                 10        '
    """
    chosen = _in_range(rows, layer_range)
    if not expand_nested:
        chosen = [row for row in chosen if row.depth == 0]
    if encoding is None:
        encoding = "utf-8" if console is None else console.encoding
    table = (
        encodable(name, encoding),
        [_encodable_row(row, encoding) for row in chosen],
        totals,
        line_length,
        positions,
        show_trainable,
    )
    if style == "plain":
        return plain_summary(*table, encoding)
    if style == "rich":
        return rich_summary(*table, console, encoding)
    raise ValueError(f"`style` must be 'rich' or 'plain'. Received: style={style!r}")


def _encodable_row(row: LayerRow, encoding: str) -> LayerRow:
    """Escape what the names in a row hold beyond `encoding`, before columns are laid out."""
    return replace(
        row,
        name=encodable(row.name, encoding),
        class_name=encodable(row.class_name, encoding),
        connected_to=tuple(encodable(source, encoding) for source in row.connected_to),
    )


def _in_range(rows: Sequence[LayerRow], layer_range: Sequence[str] | None) -> list[LayerRow]:
    """Return the rows of the layers from the first match to the last, with their inner rows."""
    if layer_range is None:
        return list(rows)
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ValueError(
            f"layer_range must be a list or tuple of length 2. Received: {layer_range}"
        )
    if not all(isinstance(pattern, str) for pattern in layer_range):
        raise ValueError(f"layer_range should contain string type only. Received: {layer_range}")
    tops = [index for index, row in enumerate(rows) if row.depth == 0]
    lower, upper = (
        [place for place, index in enumerate(tops) if re.match(pattern, rows[index].name)]
        for pattern in layer_range
    )
    if not lower or not upper:
        raise ValueError(
            f"Passed layer_names do not match the layer names in the model. Received: {layer_range}"
        )
    first, last = min(lower), max(upper)
    if first > last:
        first, last = min(upper), max(lower)
    end = tops[last + 1] if last + 1 < len(tops) else len(rows)
    return list(rows[tops[first] : end])
