"""Gradients keep the type of what they are gradients of, in half precision too.

The first and the last case of each operator are built in float16, and the first in bfloat16, where
the operator's schema allows it. The whole graph must pass the standard's strict type inference;
its values in float16 must be those of float64 up to rounding. ONNX Runtime runs it, or the
reference evaluator where it lacks a kernel. `test_gradient_rules.py` runs float32 and float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidGraph,
    NotImplemented,
    RuntimeException,
)

from seqonnx.autodiff import backward
from seqonnx.graph import OPSET, Emitter
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_cases import CASES
from support.autodiff.gradient_check import (
    Case,
    assert_close,
    gradients_of,
    run_onnxruntime,
    run_reference,
)

TYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
ROUNDING = 2e-2
FAULTY = {"MeanVarianceNormalization": "the standard's function adds a float32 to a float16"}
NO_KERNEL = (Fail, InvalidGraph, NotImplemented, RuntimeException)


def allows(case: Case, dtype: str) -> bool:
    """Whether the schema lets every float input of the case have a type."""
    schema = onnx.defs.get_schema(case.op_type, OPSET, "")
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    last = len(schema.inputs) - 1
    kinds = [
        schema.inputs[min(i, last)].type_str
        for i, array in enumerate(case.inputs)
        if array is not None and array.dtype == np.float64
    ]
    return all(f"tensor({dtype})" in allowed.get(kind, [kind]) for kind in kinds)


def chosen(dtype: str) -> list[Case]:
    """The cases to build: the first of each operator, and in float16 the last."""
    fit = [case for case in CASES if allows(case, dtype) and case.op_type not in FAULTY]
    last = {case.op_type: case for case in fit}
    first = {case.op_type: case for case in reversed(fit)}
    both = [*first.values(), *last.values()] if dtype == "float16" else list(first.values())
    return list(dict.fromkeys(both))


def build(case: Case, dtype: str) -> tuple[Any, dict[str, np.ndarray]]:
    """The model of all gradients, and what it is fed."""
    op, values, feeds = Emitter(), [], {}
    for i, array in enumerate(case.inputs):
        if array is None:
            values.append(None)
            continue
        half = array.astype(TYPES[dtype]) if array.dtype == np.float64 else array
        if i in case.constants:
            values.append(op.constant(half, f"c{i}"))
        else:
            values.append(op.input(f"x{i}", half.dtype.name, half.shape))
            feeds[f"x{i}"] = half
    made = op.emit(case.op_type, values, {**case.attributes, "_outputs": case.outputs})
    outputs = [made] if case.outputs == 1 else list(made)
    pairs = []
    for i, array in gradients_of(case)[0].items():
        feeds[f"dy{i}"] = array.astype(outputs[i].dtype.numpy())
        pairs.append((outputs[i], op.input(f"dy{i}", feeds[f"dy{i}"].dtype.name, array.shape)))
    found = backward(op, pairs, [values[i] for i in case.wanted])
    for i, gradient in zip(case.wanted, found, strict=True):
        assert gradient.dtype == values[i].dtype
        op.output(gradient, f"g{i}")
    return to_proto(op.graph), feeds


def run(model: Any, names: Sequence[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Run on ONNX Runtime, or on the reference evaluator."""
    try:
        return run_onnxruntime(model, names, feeds)
    except NO_KERNEL:
        return run_reference(model, names, feeds)


@pytest.mark.parametrize("case", chosen("float16"), ids=str)
def test_float16_is_kept_and_agrees_with_float64(case: Case) -> None:
    model, feeds = build(case, "float16")
    onnx.checker.check_model(model, full_check=True)
    names = [output.name for output in model.graph.output]
    for actual, wanted in zip(run(model, names, feeds), gradients_of(case)[1], strict=True):
        assert actual.dtype == np.float16
        assert_close(actual.astype(np.float64), wanted, ROUNDING, "float16")


@pytest.mark.parametrize("case", chosen("bfloat16"), ids=str)
def test_bfloat16_is_kept(case: Case) -> None:
    model, _ = build(case, "bfloat16")
    onnx.checker.check_model(model, full_check=True)


def test_most_operators_have_half_precision() -> None:
    for dtype in TYPES:
        assert len({case.op_type for case in chosen(dtype)}) > 100
    assert {case.op_type for case in CASES} > FAULTY.keys()
