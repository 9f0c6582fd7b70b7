"""From an ONNX file to the frozen records that every report is rendered from.

Counts are taken twice where the model has dynamic dimensions: once in terms of their names, once
at concrete sizes, because inference resolves more when it sees numbers (a convolution over
`height` has an output height that no plain name expresses).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from seqonnx.graph.damage import reading
from seqonnx.graph.reading import is_standard
from seqonnx.importers.onnx.sizes import refuse_long_axes
from seqonnx.importers.onnx.soundness import refuse_unsound
from seqonnx.report.grouping import group_rows, read_layers, sum_rows
from seqonnx.report.inspection import Inspection
from seqonnx.report.mac_rules import MAC_RULES
from seqonnx.report.measure import GraphValue, Visit, Walk, measure
from seqonnx.report.memory import least_activation_bytes, peak_activation_bytes
from seqonnx.report.polynomial import Polynomial
from seqonnx.report.read import ModelFile, read_model, read_proto
from seqonnx.report.records import ModelReport, Row, Tensor, Totals
from seqonnx.report.shapes import bound, count_calls, feeds, infer, match_shapes, prepare
from seqonnx.report.tensors import describe_type

UNREAD = "(weights that no node reads)"


@dataclass(frozen=True)
class _Measured:
    """Both walks over one model: in dimension names, and at sizes."""

    symbolic: Walk
    sized: Walk
    sizes: dict[str, int]
    inferred: onnx.ModelProto
    notes: tuple[str, ...]


def collect(
    path: str | Path, shapes: Mapping[str, Sequence[int]] | None = None, *, by_node: bool = False
) -> Inspection:
    """Read an ONNX file and describe it.

    External data is not loaded, weights are never looked at, and shape inference that fails does
    not stop the report: what is unknown is said in `notes` and `not_counted`.

    Args:
        path: the file, of any producer and operator set.
        shapes: shape per input at which `macs_at` and the activation memory are taken; dynamic
            dimensions that are not given are taken as 1.
        by_node: one row per node even where the file records the layers.

    Returns:
        The records; numbers of the rows add up to the totals.

    Raises:
        ModelFileError: if the file is absent, truncated or no ONNX model.
        ValueError: if `shapes` does not fit the inputs.

    Example:
        >>> collect("mnist.onnx", {"x": (32, 28, 28, 1)}).totals.params
        34826
    """
    file = read_model(path)
    with reading(path, refusals=True):
        return _describe(str(path), file, shapes or {}, by_node)


def collect_proto(
    model: onnx.ModelProto,
    title: str,
    shapes: Mapping[str, Sequence[int]] | None = None,
    *,
    by_node: bool = False,
) -> Inspection:
    """Describe a ModelProto as `collect` does a file.

    Args:
        model: the ModelProto; it is not changed.
        title: what stands in place of the file's name.
        shapes: as for `collect`.
        by_node: as for `collect`.
    """
    file = read_proto(model, title)
    with reading(title, refusals=True):
        return _describe(title, file, shapes or {}, by_node)


def _describe(
    path: str, file: ModelFile, shapes: Mapping[str, Sequence[int]], by_node: bool
) -> Inspection:
    """Describe a file that was parsed."""
    model = file.model
    refuse_unsound(model, path)
    calls = count_calls(model)
    opsets = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    measured = _measure(model, shapes, path)
    visits = measured.sized.visits
    rows = _node_rows(measured)
    totals = _totals(rows, measured)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    notes = [*file.notes, *measured.notes]
    try:
        layers = read_layers(metadata)
    except ValueError as error:
        layers = ()
        notes.append(str(error))
    grouped = len(layers) > 0 and not by_node
    return Inspection(
        file=path,
        file_bytes=file.file_bytes,
        external_bytes=file.external_bytes,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        ir_version=model.ir_version,
        opsets=opsets,
        functions=calls,
        metadata=metadata,
        inputs=_tensors(feeds(model)),
        outputs=_tensors(measured.inferred.graph.output),
        rows=group_rows(rows, layers) if grouped else rows,
        totals=totals,
        op_counts=dict(Counter(_op_name(visit.node) for visit in visits).most_common()),
        not_counted=_not_counted(visits),
        sizes=measured.sizes,
        notes=tuple(notes),
        grouped=grouped,
    )


def with_providers(report: ModelReport, placement: Mapping[str, str]) -> ModelReport:
    """Return the report with the execution provider of each row.

    Args:
        report: returned by `collect`.
        placement: provider per node name; nodes that a runtime fused away may be missing.
    """
    rows = []
    for row in report.rows:
        found = dict.fromkeys(placement[name] for name in row.members if name in placement)
        rows.append(replace(row, provider=", ".join(found) or None))
    return replace(report, rows=tuple(rows))


def _measure(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]], path: str) -> _Measured:
    """Prepare the model in place, infer shapes and walk it, at names and at sizes."""
    notes = list(prepare(model))
    sizes = match_shapes(model, shapes)
    refuse_long_axes(model, path)
    inferred, failure = infer(model)
    symbolic = sized = measure(inferred)
    if sizes or shapes:
        inferred_at, failure_at = infer(bound(model, sizes, shapes))
        sized = measure(inferred_at)
        failure = failure or failure_at
    if failure:
        notes.append(f"Shape inference failed, so shapes may be unknown: {failure}")
    if any(_is_empty(visit) for visit in sized.visits):
        notes.append("Some values are empty at these sizes: give real ones with --shape.")
    notes.extend(_order_notes(sized))
    trips = sorted({name for v in sized.visits if v.macs for name in v.macs.names})
    notes.extend(f"{name} is not known before the model runs and is taken as 1." for name in trips)
    return _Measured(symbolic, sized, sizes, inferred, tuple(notes))


def _node_rows(measured: _Measured) -> tuple[Row, ...]:
    """Build one row per node of the graph; rows of bodies hang below their node."""
    pairs = list(zip(measured.symbolic.visits, measured.sized.visits, strict=True))
    rows: dict[int, Row] = {}
    for index in reversed(range(len(pairs))):
        symbolic, sized = pairs[index]
        body = tuple(rows.pop(child) for child in symbolic.children)
        rows[index] = _node_row(symbolic, sized, measured.sizes, body)
    unread = _unread_row(measured.symbolic.unread)
    return (*(rows[index] for index in sorted(rows)), *unread)


def _node_row(
    symbolic: Visit, sized: Visit, sizes: Mapping[str, int], body: tuple[Row, ...]
) -> Row:
    """Describe one node; its bodies are added to it."""
    first = symbolic.outputs[0] if symbolic.outputs else GraphValue("", "?", None)
    at = sized.macs if sized.macs is not None else symbolic.macs
    return Row(
        name=symbolic.name,
        op_type=_op_name(symbolic.node),
        layer=None,
        output_shape=first.shape,
        dtype=first.dtype,
        params=sum(w.size for w in symbolic.weights) + sum(row.params for row in body),
        weight_bytes=sum(w.nbytes for w in symbolic.weights) + sum(r.weight_bytes for r in body),
        macs=symbolic.macs,
        macs_at=None if at is None else at.evaluate(sizes),
        complete=sized.complete or symbolic.complete,
        members=(symbolic.name,),
        body=body,
    )


def _unread_row(unread: Sequence[GraphValue]) -> tuple[Row, ...]:
    """Return a row for weights that no node reads, so that rows add up to the totals."""
    if not unread:
        return ()
    return (
        Row(
            name=UNREAD,
            op_type="",
            layer=None,
            output_shape=None,
            dtype="?",
            params=sum(value.size for value in unread),
            weight_bytes=sum(value.nbytes for value in unread),
            macs=Polynomial.of(0),
            macs_at=0,
        ),
    )


def _totals(rows: Sequence[Row], measured: _Measured) -> Totals:
    """Add up the rows."""
    macs, macs_at, complete = sum_rows(rows)
    sized = measured.sized
    memory = (sized.visits, sized.main.inputs, sized.main.results)
    # A function that is not expanded hides its values; others have no place in the order of nodes.
    whole = not (measured.inferred.functions or sized.early or sized.dangling)
    return Totals(
        params=sum(row.params for row in rows),
        weight_bytes=sum(row.weight_bytes for row in rows),
        macs=macs,
        macs_at=macs_at,
        complete=complete,
        nodes=len(measured.symbolic.visits),
        peak_activation_bytes=peak_activation_bytes(*memory) if whole else None,
        least_activation_bytes=least_activation_bytes(*memory),
    )


def _order_notes(walk: Walk) -> Iterator[str]:
    """Say which values are read that no node before makes, the first of each kind by name."""
    for pairs, what in ((walk.early, "a later node makes"), (walk.dangling, "nothing makes")):
        for node, value in pairs[:1]:
            more = f", and {len(pairs) - 1:,} more such reads" if len(pairs) > 1 else ""
            yield f"Node {node!r} reads {value!r}, which {what}{more}."


def _not_counted(visits: Sequence[Visit]) -> dict[str, int]:
    """Count the nodes without MACs per operator; a node whose body is the reason is left out."""
    missing: Counter[str] = Counter()
    for visit in visits:
        inside = any(not visits[child].complete for child in visit.children)
        if visit.macs is None and not inside:
            missing[_op_name(visit.node)] += 1
    return dict(missing.most_common())


def _op_name(node: onnx.NodeProto) -> str:
    """Return the operator, with its domain unless that is the standard one."""
    return node.op_type if is_standard(node) else f"{node.domain}.{node.op_type}"


def _is_empty(visit: Visit) -> bool:
    """Whether a contraction gives nothing, as where a kernel is larger than its input."""
    shapes = [value.shape or () for value in visit.outputs]
    return visit.node.op_type in MAC_RULES and any(0 in shape for shape in shapes)


def _tensors(values: Sequence[onnx.ValueInfoProto]) -> tuple[Tensor, ...]:
    """Describe graph inputs or outputs."""
    return tuple(Tensor(value.name, *describe_type(value.type)) for value in values)
