"""ONNX's own recurrent operators: which activations they know, and their emission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import onnx_ir as ir

from seqonnx import activations
from seqonnx.graph import Emitter

_KNOWN: Final[Mapping[Any, tuple[str, list[float], list[float]]]] = {
    activations.tanh: ("Tanh", [], []),
    activations.sigmoid: ("Sigmoid", [], []),
    activations.relu: ("Relu", [], []),
    activations.softsign: ("Softsign", [], []),
    activations.softplus: ("Softplus", [], []),
    activations.elu: ("Elu", [1.0], []),
    activations.linear: ("Affine", [1.0], [0.0]),
    activations.hard_sigmoid: ("HardSigmoid", [1.0 / 6.0], [0.5]),
}
"""Name, alpha and beta of the activations that the operators know."""


@dataclass(frozen=True)
class Native:
    """A cell as one of ONNX's recurrent operators.

    Args:
        op_type: "LSTM", "GRU" or "RNN".
        hidden: size of the state.
        functions: activations, as the operator takes them.
        kernel: weights of the input, (1, gates * hidden, input).
        recurrent_kernel: weights of the state, (1, gates * hidden, hidden).
        bias: both biases, (1, 2 * gates * hidden), or None.
        attributes: further attributes.
    """

    op_type: str
    hidden: int
    functions: Sequence[Any]
    kernel: ir.Value
    recurrent_kernel: ir.Value
    bias: ir.Value | None
    attributes: Mapping[str, Any]


def knows(functions: Sequence[Any]) -> bool:
    """Whether ONNX's recurrent operators know all of these activations."""
    return all(_hashable(function) and function in _KNOWN for function in functions)


def emit_native(
    op: Emitter,
    native: Native,
    x: ir.Value,
    initial: Sequence[ir.Value] | None,
    lengths: ir.Value | None,
    *,
    backwards: bool,
    keep: bool,
) -> tuple[ir.Value, list[ir.Value]]:
    """Emit the operator.

    Args:
        op: emitter.
        native: the cell.
        x: input, (time, batch, features).
        initial: first states, (batch, hidden) each; None for zeros.
        lengths: int32 number of steps of each sequence, or None for all.
        backwards: whether it starts at the end.
        keep: whether the outputs of all steps are wanted: else they are not written.

    Returns:
        The outputs in the order of time, (time, 1, batch, hidden), and the last states. Of a
        sequence without steps both are zeros.
    """
    states = [None] if initial is None else [op.Unsqueeze(state, [0]) for state in initial]
    count = 3 if native.op_type == "LSTM" else 2
    outputs, *last = op.emit(
        native.op_type,
        [x, native.kernel, native.recurrent_kernel, native.bias, lengths, *states],
        {
            "hidden_size": native.hidden,
            "direction": "reverse" if backwards else "forward",
            **_function_attributes(native.functions),
            **native.attributes,
            "_outputs": count,
        },
    )
    if not keep:
        outputs.name = ""  # so ONNX leaves an output out
    return outputs, [op.Squeeze(state, [0]) for state in last]


def _function_attributes(functions: Sequence[Any]) -> dict[str, Any]:
    """The attributes that name the activations; none where they are the operators' own."""
    found = [_KNOWN[function] for function in functions]
    alphas = [alpha for _, numbers, _ in found for alpha in numbers]
    betas = [beta for _, _, numbers in found for beta in numbers]
    return {
        "activations": [name for name, _, _ in found],
        **({"activation_alpha": alphas} if alphas else {}),
        **({"activation_beta": betas} if betas else {}),
    }


def _hashable(function: Any) -> bool:
    return type(function).__hash__ is not None
