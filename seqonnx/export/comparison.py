"""Running a model that was rewritten against the one that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from seqonnx.errors import ExecutionError
from seqonnx.graph.external import stored_bytes
from seqonnx.graph.files import EXTERNAL_FROM
from seqonnx.runtime import Session, TensorSpec, select_device

Arrays = Mapping[str, npt.NDArray[Any]]

_BATCH: Final = 2
_OPEN_SIZES: Final = (8, 32)
"""Sizes to try where a file leaves them open."""
_DRAWING: Final = frozenset(
    {
        *("Bernoulli", "Multinomial"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    }
)
_TOLERANCE: Final = {"float64": 1e-6, "float32": 1e-4}
_COARSE: Final = 2e-2
"""How far results may lie apart, in parts of the largest of them; the second for 16 bits."""
_ROUNDING: Final = frozenset({"QuantizeLinear", "DynamicQuantizeLinear"})
_HALVES: Final = frozenset({onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16})


@dataclass(frozen=True)
class Difference:
    """How far the results of two models lie apart.

    Args:
        largest: the largest difference between two numbers; infinite where kinds differ.
        output: the output that it is in.
        alike: whether all outputs are as near as rounding explains.
    """

    largest: float
    output: str
    alike: bool


def compare(before: onnx.ModelProto, after: onnx.ModelProto) -> Difference | None:
    """Run two models in the installed ONNX Runtime on inputs that are made up.

    Args:
        before: the model that is right.
        after: a model with the same inputs and outputs.

    Returns:
        How far apart they are; None if no input could be made up that the first one takes, the
        models are too large to be run from memory, or they draw random numbers.

    Raises:
        ExecutionError: if the second one cannot be loaded, or does not take what the first takes.
    """
    if stored_bytes(before) >= EXTERNAL_FROM or _draws(before):
        return None
    try:
        first = _session(before)
    except ExecutionError:
        return None
    for feeds in made_up_inputs(first.inputs):
        try:
            wanted = first.run(feeds)
        except (ExecutionError, ValueError):
            continue
        found = _session(after).run(feeds)
        named = dict(zip(first.output_names, wanted, strict=True))
        return difference(named, found, coarse=is_coarse(before))
    return None


def is_coarse(model: onnx.ModelProto) -> bool:
    """Whether a model computes in 16 bits or fewer: then an order of operations shows."""
    return any(node.op_type in _ROUNDING for node in model.graph.node) or any(
        tensor.data_type in _HALVES for tensor in model.graph.initializer
    )


def difference(
    wanted: Arrays, found: list[npt.NDArray[Any]], *, coarse: bool = False
) -> Difference:
    """Compare results.

    Args:
        wanted: the right arrays, by name.
        found: the arrays to judge, in the same order.
        coarse: whether they were computed in few bits.
    """
    worst = Difference(0.0, next(iter(wanted), ""), alike=True)
    for (name, right), array in zip(wanted.items(), found, strict=True):
        largest, alike = _apart(right, array, coarse)
        if not alike or largest > worst.largest:
            worst = Difference(max(largest, worst.largest), name, alike and worst.alike)
    return worst


def made_up_inputs(inputs: tuple[TensorSpec, ...]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Make up inputs: small random numbers, and the integers 0 and 1.

    Args:
        inputs: what a model takes.

    Returns:
        Arrays by name, for several sizes of what the model leaves open.
    """
    for size in _OPEN_SIZES:
        rng = np.random.default_rng(0)
        yield {spec.name: _made_up(spec, size, rng) for spec in inputs}


def _draws(model: onnx.ModelProto) -> bool:
    return any(node.op_type in _DRAWING for node in model.graph.node)


def _session(model: onnx.ModelProto) -> Session:
    return Session(model.SerializeToString(), select_device("cpu"), name="exported model")


def _made_up(spec: TensorSpec, open_size: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    shape = [
        size if isinstance(size, int) else (_BATCH if axis == 0 else open_size)
        for axis, size in enumerate(spec.shape or ())
    ]
    if spec.dtype == "string":
        return np.full(shape, "a", object)
    if spec.dtype == "bool":
        return rng.random(shape) < 0.5
    if spec.dtype.startswith(("int", "uint")):
        return rng.integers(0, 2, shape).astype(spec.dtype)
    made: npt.NDArray[Any] = rng.normal(size=shape).astype(np.float32)
    return made if spec.dtype == "bfloat16" else made.astype(spec.dtype)


def _apart(right: npt.NDArray[Any], found: npt.NDArray[Any], coarse: bool) -> tuple[float, bool]:
    """The largest difference of two arrays, and whether rounding explains it."""
    if right.shape != found.shape or right.dtype != found.dtype:
        return float("inf"), False
    if right.dtype.kind in "OUSb":
        same = bool(np.array_equal(right, found))
        return (0.0 if same else 1.0), same
    a, b = right.astype(np.float64), found.astype(np.float64)
    apart = np.abs(np.where(a == b, 0.0, a - b))
    apart = np.where(np.isnan(a) & np.isnan(b), 0.0, apart)
    largest = float(np.max(apart, initial=0.0))
    scale = max(1.0, float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a))))
    exact = right.dtype.kind in "iu"
    fine = _COARSE if coarse else _TOLERANCE.get(right.dtype.name, _COARSE)
    allowed = 0.0 if exact else fine * scale
    return largest, bool(largest <= allowed)
