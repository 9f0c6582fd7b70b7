"""Small pieces of text that several outputs share: shapes, sizes, counts, safe names."""

from __future__ import annotations

from collections.abc import Mapping

from seqonnx.report.grouping import LAYERS_KEY
from seqonnx.report.polynomial import GraphShape
from seqonnx.report.records import Check, Latency, ModelReport, Row, Totals

_PLAIN_SIGNS = {"≥ ": ">=", "─": "-", "└": "+", "…": "~"}
_MOST_TERMS = 3
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def size_text(nbytes: float) -> str:
    """Write a number of bytes in steps of 1024, e.g. 46720 is `45.62 KB`."""
    for unit in _UNITS[:-1]:
        if nbytes < 1024:
            return f"{nbytes:.2f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.2f} {_UNITS[-1]}"


def shape_text(shape: GraphShape, free: str = "?") -> str:
    """Write a shape with dimension names, `free` for those unknown: `(batch, 26, ?, 32)`."""
    if shape is None:
        return "?"
    return "(" + ", ".join(free if dim is None else str(dim) for dim in shape) + ")"


def row_shape_text(row: Row) -> str:
    """Write the output shape of a row; of a layer as in `summary()`, with None for the batch."""
    return shape_text(row.output_shape, "?" if row.layer is None else "None")


def sizes_text(sizes: Mapping[str, int]) -> str:
    """Write sizes of dynamic dimensions: `batch = 1, time = 20`."""
    return ", ".join(f"{name} = {size:,}" for name, size in sizes.items())


def count_text(count: int | None, complete: bool) -> str:
    """Write a count; `?` if nothing is known, `≥` in front if something is left out."""
    if count is None:
        return "?"
    return f"{count:,}" if complete else f"≥ {count:,}"


def macs_text(totals: Totals, sizes: Mapping[str, int]) -> str:
    """Write the total of MACs, in dimension names and at sizes where the model is dynamic.

    A long formula is left to the JSON.
    """
    at = count_text(totals.macs_at, totals.complete)
    if totals.macs is not None and totals.macs.constant is not None:
        return at
    where = f"{at} at {sizes_text(sizes)}" if sizes else at
    if totals.macs is None or len(totals.macs.terms) > _MOST_TERMS:
        return where
    return f"{totals.macs}  ({where})"


def provider_text(provider: str | None) -> str:
    """Write execution providers without what all of their names end in: `CUDA, CPU`."""
    names = (provider or "").split(", ")
    return ", ".join(name.removesuffix("ExecutionProvider") for name in names)


def shortened(name: str, room: int) -> str:
    """Cut a name from the left at a separator: `…/self_attn/MatMul`; its last part stays whole.

    Args:
        name: names of nodes have their parts between slashes or dots.
        room: characters that there are for it.
    """
    places = [index for index, sign in enumerate(name) if sign in "/." and index > 0]
    if len(name) <= room or not places:
        return name
    fitting = (index for index in places if 1 + len(name) - index <= room)
    return f"…{name[next(fitting, places[-1]) :]}"


def printable(text: str) -> str:
    """Escape control characters, so that a name in a file cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def encodable(text: str, encoding: str) -> str:
    """Escape the characters that `encoding` lacks: "café" in ASCII is `caf\\xe9`."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def takes_boxes(encoding: str) -> bool:
    """Whether a stream of this encoding can show box characters; else they are drawn in ASCII."""
    return encoding.lower().startswith("utf")


def drawn(text: str, encoding: str) -> str:
    """Replace the signs of a report that `encoding` lacks by ASCII of the same width."""
    for sign, plain in _PLAIN_SIGNS.items():
        if encodable(sign, encoding) != sign:
            text = text.replace(sign, plain)
    return text


def counts_text(counts: Mapping[str, int]) -> str:
    """Write a histogram on one line: `Conv 53, Relu 49`."""
    return ", ".join(f"{printable(name)} {count:,}" for name, count in counts.items())


def header_items(report: ModelReport) -> list[tuple[str, str]]:
    """Return the facts about the file as `(label, text)`, those that do not apply left out."""
    size = size_text(report.file_bytes)
    if report.external_bytes:
        size += f" + {size_text(report.external_bytes)} external data"
    opsets = ", ".join(f"{domain} {version}" for domain, version in report.opsets.items())
    items = [
        ("File", f"{report.file} ({size})"),
        ("Producer", report.producer or "not stated"),
        ("IR version", str(report.ir_version)),
        ("Opsets", opsets or "none"),
    ]
    if report.functions:
        calls = (f"{name} ({count} calls)" for name, count in report.functions.items())
        items.append(("Functions", ", ".join(calls)))
    for key, value in report.metadata.items():
        if key != LAYERS_KEY or not report.grouped:  # the table shows the layers
            items.append((f"Metadata {key}", value))
    return [(printable(label), printable(text)) for label, text in items]


def total_items(report: ModelReport) -> list[tuple[str, str]]:
    """Return the totals, the histogram and what is missing as `(label, text)`."""
    totals = report.totals
    items = [
        ("Total params", f"{totals.params:,} ({size_text(totals.weight_bytes)})"),
        ("Total MACs", f"{macs_text(totals, report.sizes)}  [1 MAC = 2 FLOPs]"),
    ]
    at = f" at {sizes_text(report.sizes)}" if report.sizes else ""
    items.append(("Peak activations", f"{_peak_text(totals)}{at}"))
    items += [] if report.latency is None else [("Latency", _latency_text(report.latency))]
    items.append(("Nodes", f"{totals.nodes:,}: {counts_text(report.op_counts)}"))
    if report.not_counted:
        items.append(("MACs not counted", counts_text(report.not_counted)))
    items.extend(("Note", printable(note)) for note in report.notes)
    items.extend((f"Check {check.name}", _outcome(check)) for check in report.checks)
    return items


def _peak_text(totals: Totals) -> str:
    """Write the peak memory of activations; `≥` where the size of a value is not known."""
    if totals.peak_activation_bytes is not None:
        return size_text(totals.peak_activation_bytes)
    return f"≥ {size_text(totals.least_activation_bytes)}"


def _latency_text(latency: Latency) -> str:
    """Write the median, the quartiles and the speed."""
    low, median, high = map(milliseconds_text, latency.quartiles)
    runs = "1 run" if latency.runs == 1 else f"{latency.runs:,} runs"
    provider = latency.provider.removesuffix("ExecutionProvider")
    text = f"{median} ms (quartiles {low} and {high}; {runs} on {provider})"
    if latency.gflops is None:
        return text
    return f"{text}, {'' if latency.complete else '≥ '}{latency.gflops:,.3g} GFLOP/s"


def speed_cells(row: Row) -> tuple[str, str]:
    """Write the time of a row, and billions of floating point operations per second."""
    if row.latency_ms is None:
        return "", ""
    fast = row.macs_at and row.latency_ms > 0
    speed = f"{2e-6 * (row.macs_at or 0) / row.latency_ms:,.3g}" if fast else ""
    return milliseconds_text(row.latency_ms), speed


def milliseconds_text(milliseconds: float) -> str:
    """Write a time to three digits: `0.0123`, `1.23`, `123`."""
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


def _outcome(check: Check) -> str:
    """Write what a check said."""
    return "passed" if check.passed else f"failed: {printable(check.detail)}"
