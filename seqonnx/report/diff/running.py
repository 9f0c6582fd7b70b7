"""Run two models on the same inputs, and compare value by value until they part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from seqonnx.errors import ExecutionError, ModelFileError
from seqonnx.graph.files import EXTERNAL_FROM, read_model
from seqonnx.report.diff.pairs import Compared, Shapes
from seqonnx.report.diff.records import ApartValue, RunDifference
from seqonnx.report.diff.weight_changes import numbers_apart
from seqonnx.report.records import ModelReport
from seqonnx.report.shapes import inline
from seqonnx.runtime import Session, select_device
from seqonnx.runtime.trials import apart, made_up_inputs

Arrays = Mapping[str, npt.NDArray[Any]]
_AT_ONCE: Final = 16
"""Values that are fetched in one run, so that not all of a model are in memory together."""


class _Common(NamedTuple):
    """A value that both models compute: its names, and the nodes that make it."""

    names: tuple[str, str]
    nodes: tuple[str, str]
    op_type: str


class _Runs(NamedTuple):
    """Two sessions with what each of them is fed."""

    sessions: tuple[Session, Session]
    feeds: tuple[Arrays, Arrays]

    def compare(self, values: Sequence[_Common]) -> list[tuple[ApartValue, bool]]:
        """Compute values in both; say how far apart each is, and whether rounding explains it."""
        fetched = [
            session.run(dict(feeds), [value.names[side] for value in values])
            for side, (session, feeds) in enumerate(zip(self.sessions, self.feeds, strict=True))
        ]
        return [_judge(value, *pair) for value, *pair in zip(values, *fetched, strict=True)]


def run_both(compared: Compared, inputs: Arrays | None, shapes: Shapes) -> RunDifference:
    """Run two models whose nodes are paired, on the CPU.

    Args:
        compared: both files.
        inputs: an array per input of the first; None for small random numbers.
        shapes: a shape per input for these; sizes that are neither fixed nor given are small.

    Returns:
        The first value that parts by more than rounding explains, and all outputs.

    Raises:
        ModelFileError: if a model is too large to be run from memory.
        ExecutionError: if ONNX Runtime refuses one, or it does not take the inputs.
        ValueError: if the inputs of the models do not correspond.
    """
    values, ends = list(_common(compared)), _outputs(compared)
    one, two = compared.reports
    sessions = (
        _session(one, [value.names[0] for value in values]),
        _session(two, [value.names[1] for value in values]),
    )
    runs = _Runs(sessions, _feeds(sessions, inputs, shapes, ends))
    count, parted = 0, None
    while count < len(values) and parted is None:
        for found, alike in runs.compare(values[count : count + _AT_ONCE]):
            count += 1
            if not alike:
                parted = found
                break
    results = runs.compare(ends)
    return RunDifference(
        compared=count,
        total=len(values),
        parted=parted,
        outputs=tuple(found for found, _ in results),
        alike=all(alike for _, alike in results),
    )


def _common(compared: Compared) -> Iterator[_Common]:
    """Yield the tensors of the main graphs that both models compute, in the order of the first."""
    for node in compared.graphs[0].nodes:
        other = compared.pairing.other(node)
        if other is not None:
            nodes = (node.row.name, other.row.name)
            for pair in zip(node.proto.output, other.proto.output, strict=False):
                if all(pair):
                    yield _Common(pair, nodes, node.row.op_type)


def _outputs(compared: Compared) -> list[_Common]:
    """Return the outputs of the models: by name if all are called alike, else by position."""
    one, two = ([value.name for value in report.outputs] for report in compared.reports)
    others = one if set(one) == set(two) else two
    return [_Common(pair, pair, "") for pair in zip(one, others, strict=False)]


def _session(report: ModelReport, wanted: Sequence[str]) -> Session:
    """Load a model so that the values wanted are among its outputs."""
    if report.file_bytes + report.external_bytes >= EXTERNAL_FROM:
        raise ModelFileError(f"{report.file}: too large to be run value by value from memory")
    model = read_model(Path(report.file))
    inline(model)
    there = {value.name for value in model.graph.output}
    new = [name for name in dict.fromkeys(wanted) if name not in there]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in new)
    return Session(model.SerializeToString(), select_device("cpu"), name=report.file)


def _feeds(
    sessions: tuple[Session, Session], inputs: Arrays | None, shapes: Shapes, ends: list[_Common]
) -> tuple[Arrays, Arrays]:
    """Return arrays for both, given or made up; those made up are tried."""
    one, two = (session.input_names for session in sessions)
    if len(one) != len(two):
        raise ValueError(
            f"The models take different numbers of inputs, so they cannot be run on the same: "
            f"{', '.join(one) or 'none'}; {', '.join(two) or 'none'}."
        )
    names = dict(zip(one, one if set(one) == set(two) else two, strict=True))
    specs = tuple(
        replace(spec, shape=tuple(shapes[spec.name])) if spec.name in shapes else spec
        for spec in sessions[0].inputs
    )
    error: Exception | None = None
    for feeds in [inputs] if inputs is not None else made_up_inputs(specs):
        both = (feeds, {names.get(name, name): array for name, array in feeds.items()})
        try:
            _Runs(sessions, both).compare(ends)
        except (ExecutionError, ValueError) as refused:
            error = refused
        else:
            return both
    hint = "" if inputs is not None else " Give sizes with --shape, or arrays with --inputs."
    raise ExecutionError(f"A model does not take the inputs: {error}{hint}")


def _judge(value: _Common, one: Any, two: Any) -> tuple[ApartValue, bool]:
    """Compare what both models computed; sequences and the like are not looked into."""
    largest: float | None = 0.0
    relative, alike = None, True
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        alike = apart(one, two)[1]
        same_form = one.shape == two.shape and one.dtype == two.dtype
        largest, relative = numbers_apart(one, two) if same_form else (None, None)
    return ApartValue(*value.nodes, value.names[0], value.op_type, largest, relative), alike
