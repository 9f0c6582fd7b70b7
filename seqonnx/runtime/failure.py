"""ONNX Runtime's failures in the user's terms: which layer, which input, what was expected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seqonnx.errors import ExecutionError
from seqonnx.runtime.arrays import TensorSpec
from seqonnx.runtime.nodes import emitted_name

Fed = Mapping[str, tuple[str, tuple[int, ...]]]
"""Dtype and shape of what was fed, by input name."""

# In the order of trust; each finds `node`, and `op` where the message has it.
_LOCATIONS = (
    re.compile(r"running (?P<op>\S+) node\. Name:'(?P<node>[^']*)' Status Message: "),
    re.compile(r"Node \((?P<node>[^)]*)\) Op \((?P<op>[^)]*)\) "),
    re.compile(r"operator \((?P<op>[^)]*)\) in node \((?P<node>[^)]*)\)"),
    re.compile(r"implementation for (?P<op>\w+)\(\d+\) node with name '(?P<node>[^']*)'"),
)
_STATUS = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Error in execution: ")
# A path, a line and the signature of a C++ function.
_SOURCE = re.compile(r"/\S+:\d+ [^()]*\([^()]*\)(?: const)?(?: \[with [^\]]*\])? ")
_SHOWN_INPUTS = 8
_NO_BFLOAT16 = (
    "The graph computes in bfloat16, for which ONNX Runtime has kernels on GPUs only (and not for "
    "every operator): run it on one (`set_device('cuda')`), or give the layers the dtype policy "
    "'mixed_float16' or 'float32'."
)


class Location(NamedTuple):
    """Where a message points: empty strings where it does not say."""

    node: str
    op: str
    reason: str


def locate(message: str) -> Location:
    """Find the innermost node that a message of ONNX Runtime names, and its reason."""
    for pattern in _LOCATIONS:
        # A failure in a Scan, Loop or If names the outer node first, then the one in its body.
        matches = list(pattern.finditer(message))
        if matches:
            match = matches[-1]
            is_prefix = match.group().endswith(" ")
            reason = message[match.end() :] if is_prefix else message
            return Location(emitted_name(match["node"]), match["op"], _tidy(reason))
    return Location("", "", _tidy(message))


def load_error(error: Exception, graph: str, *, bfloat16: bool = False) -> ExecutionError:
    """Describe a graph that ONNX Runtime refuses to load.

    Args:
        error: what it raised.
        graph: what to call the graph in the text.
        bfloat16: whether kernels for it are what is missing.
    """
    location = locate(str(error))
    advice = f" {_NO_BFLOAT16}" if bfloat16 else ""
    return ExecutionError(
        f"ONNX Runtime cannot load {graph}{_place(location)}: {location.reason}{advice}"
    )


def run_error(
    error: Exception, graph: str, inputs: Sequence[TensorSpec], fed: Fed
) -> ExecutionError:
    """Describe a failed run: what was wrongly fed, else the node that failed.

    Args:
        error: what ONNX Runtime raised.
        graph: what to call the graph in the text.
        inputs: what the graph expects.
        fed: what it got.
    """
    location = locate(str(error))
    mismatches = _mismatches(inputs, fed)
    if mismatches:
        return ExecutionError(f"Wrong inputs for {graph}: {'; '.join(mismatches)}.")
    return ExecutionError(
        f"ONNX Runtime failed while running {graph}{_place(location)}: {location.reason} "
        f"Inputs of the run: {_list_inputs(fed)}."
    )


def _tidy(reason: str) -> str:
    """A reason in one line, without C++ source positions, ending in a full stop."""
    text = " ".join(_SOURCE.sub("", _STATUS.sub("", reason)).split())
    return text if text.endswith(".") else f"{text}."


def _place(location: Location) -> str:
    """` at node ... of layer ...`, as far as known."""
    if not location.node:
        return f" at an unnamed {location.op} node" if location.op else ""
    from seqonnx.graph.reading import is_gradient, layer_of  # needs onnx_ir, this room does not

    operator = f" (operator {location.op})" if location.op else ""
    layer = layer_of(location.node)
    if not layer:
        return f" at node '{location.node}'{operator}"
    role = "the gradient of layer" if is_gradient(location.node) else "layer"
    return f" at node '{location.node}'{operator} of {role} '{layer}'"


def _mismatches(inputs: Sequence[TensorSpec], fed: Fed) -> list[str]:
    """One sentence per input that is missing, unknown, or of the wrong type or shape."""
    found = []
    for spec in inputs:
        if spec.name not in fed:
            found.append(f"input '{spec.name}' is missing, expected {_describe_spec(spec)}")
        elif not spec.accepts(*fed[spec.name]):
            received = _describe(*fed[spec.name])
            found.append(
                f"input '{spec.name}' received {received}, expected {_describe_spec(spec)}"
            )
    names = [spec.name for spec in inputs]
    found += [f"there is no input '{name}'; there are {names}" for name in fed if name not in names]
    return found


def _describe(dtype: str, shape: Sequence[int | str | None]) -> str:
    """`float32 of shape (32, 10)`."""
    axes = ", ".join("None" if axis is None else str(axis) for axis in shape)
    return f"{dtype} of shape ({axes}{',' if len(shape) == 1 else ''})"


def _describe_spec(spec: TensorSpec) -> str:
    """The expected dtype and shape of an input; ONNX Runtime reports an unknown rank as no axes."""
    return _describe(spec.dtype, spec.shape) if spec.shape else spec.dtype


def _list_inputs(fed: Fed) -> str:
    """The first few inputs with type and shape."""
    shown = [f"{name}: {_describe(*value)}" for name, value in list(fed.items())[:_SHOWN_INPUTS]]
    if len(fed) > _SHOWN_INPUTS:
        shown.append(f"and {len(fed) - _SHOWN_INPUTS} more")
    return "; ".join(shown) or "none"
