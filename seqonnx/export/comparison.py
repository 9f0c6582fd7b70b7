"""Running a model that was rewritten against the one that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy.typing as npt
import onnx

from seqonnx.errors import ExecutionError
from seqonnx.graph.external import stored_bytes
from seqonnx.graph.files import EXTERNAL_FROM
from seqonnx.runtime import Session, select_device
from seqonnx.runtime.trials import apart, made_up_inputs

Arrays = Mapping[str, npt.NDArray[Any]]

_DRAWING: Final = frozenset(
    {
        *("Bernoulli", "Multinomial"),
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    }
)
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
        largest, alike = apart(right, array, coarse=coarse)
        if not alike or largest > worst.largest:
            worst = Difference(max(largest, worst.largest), name, alike and worst.alike)
    return worst


def _draws(model: onnx.ModelProto) -> bool:
    return any(node.op_type in _DRAWING for node in model.graph.node)


def _session(model: onnx.ModelProto) -> Session:
    return Session(model.SerializeToString(), select_device("cpu"), name="exported model")
