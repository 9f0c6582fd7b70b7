"""Calls of the functions of tensors, many in one graph."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from seqonnx import ops
from seqonnx.graph import Trace, TracedTensor
from seqonnx.graph.tracing import tracing
from seqonnx.runtime.program import run_emission
from seqonnx.structures import put_back, take_out

_FILE = Path(__file__).resolve().parents[1] / "ops" / "cases.py"
_spec = importlib.util.spec_from_file_location("ops_cases", _FILE)
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["ops_cases"] = _module
_spec.loader.exec_module(_module)
CASES: list[Any] = _module.CASES
Case = Any
_INDEX = {case.id: index for index, case in enumerate(CASES)}
GROUP = 60
"""Cases in one graph: a session for each would take half a minute."""


def find(name: str) -> Any:
    """Return the function of a name, such as `image.resize`."""
    function = ops
    for part in name.split("."):
        function = getattr(function, part)
    return function


def call(case: Case, arrays: Sequence[Any]) -> Any:
    """Call the function of a case on other arrays, or on tensors, in the place of its own."""
    pattern = take_out([case.args, case.kwargs], is_array, [])
    args, kwargs = put_back(pattern, arrays)
    return find(case.name)(*args, **kwargs)


def arrays_of(case: Case) -> list[Any]:
    """Return the arrays among the arguments of a case."""
    found: list[Any] = []
    take_out([case.args, case.kwargs], is_array, found)
    return found


def is_array(part: Any) -> bool:
    """Whether a part of the arguments is an array."""
    return isinstance(part, np.ndarray)


def compute_together(cases: Sequence[Case]) -> dict[str, Any]:
    """Return what cases give in a trace, by their ids; an error where one is refused."""
    arrays = [array for case in cases for array in arrays_of(case)]
    found: dict[str, Any] = {}

    def emit(op: Any, values: Any) -> Any:
        trace, at, results = Trace(op, training=False), 0, {}
        with tracing(trace):
            for case in cases:
                count = len(arrays_of(case))
                tensors = [TracedTensor(value) for value in values[at : at + count]]
                at += count
                try:
                    results[case.id] = trace.values(call(case, tensors))
                except Exception as error:
                    found[case.id] = error
        return results

    try:
        found |= run_emission(emit, [], key=("cases", id(cases), cases[0].id), fixed=arrays)
    except Exception:
        if len(cases) == 1:
            raise
        for case in cases:
            try:
                found |= compute_together([case])
            except Exception as error:
                found[case.id] = error
    return found


@cache
def _together(group: int) -> dict[str, Any]:
    return compute_together(CASES[group * GROUP : (group + 1) * GROUP])


def result_of(index: int) -> Any:
    """Return what the case of a number gives in a trace; an error where it is refused."""
    return _together(index // GROUP)[CASES[index].id]


def results_of(cases: Sequence[Case]) -> dict[str, Any]:
    """Return what cases of the table give in a trace, by their ids."""
    return {case.id: result_of(_INDEX[case.id]) for case in cases}


def flat(result: Any) -> list[Any]:
    """Return the tensors that a call gave as one list."""
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in flat(part)]
    return [result]
