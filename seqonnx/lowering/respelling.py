"""Nodes said otherwise, so that ONNX Runtime has a CUDA kernel for them.

Gelu is from operator set 20 and GridSample renamed its modes there, while most CUDA kernels are
registered for what set 18 means; a transposed convolution runs on CUDA if both ends of an axis are
padded alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import is_op, known_rank, numpy_dtype
from seqonnx.lowering.replacing import replace_node

_OLD_MODES: Final = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}
"""The modes of GridSample below operator set 20."""


def has_older_spelling(node: ir.Node) -> bool:
    """Whether `spell_older` can say a node in operator set 18 that is from 20."""
    if is_op(node, "Gelu"):
        return True
    # Sampling in volumes came with the new names.
    x = node.inputs[0] if is_op(node, "GridSample") else None
    return x is not None and known_rank(x) == 4


def is_spelled_older(node: ir.Node) -> bool:
    """Whether a node has been given a name that operator sets from 20 on do not know."""
    mode = node.attributes.get_string("mode", "")
    return is_op(node, "GridSample") and mode in _OLD_MODES.values() and has_older_spelling(node)


def spell_older(graph: ir.Graph) -> None:
    """Replace every node that `has_older_spelling`, also in bodies, by what set 18 has.

    Example:
        >>> op = Emitter()
        >>> _ = op.output(op.Gelu(op.input("x", "float32", ("batch", 2))), "y")
        >>> spell_older(op.graph)
        >>> [node.op_type for node in op.graph]
        ['Div', 'Erf', 'Add', 'Mul', 'Mul']
    """
    op = Emitter(graph)
    for node in [node for node in graph.all_nodes() if has_older_spelling(node)]:
        if is_op(node, "Gelu"):
            replace_node(op, node, spelled_gelu)
        else:
            mode = _OLD_MODES[node.attributes.get_string("mode", "linear")]
            node.attributes["mode"] = ir.AttrString("mode", mode)


def spelled_gelu(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    """Half x times one plus the error function; ONNX Runtime finds its own Gelu in it."""
    x = node.inputs[0]
    assert x is not None
    half, one = _number(op, 0.5, x), _number(op, 1.0, x)
    if node.attributes.get_string("approximate", "none") == "none":
        inner = op.Erf(op.Div(x, _number(op, math.sqrt(2.0), x)))
        return [op.Mul(op.Mul(x, op.Add(inner, one)), half)]
    cube = op.Mul(op.Mul(x, x), x)
    argument = op.Add(x, op.Mul(cube, _number(op, 0.044715, x)))
    inner = op.Tanh(op.Mul(argument, _number(op, math.sqrt(2.0 / math.pi), x)))
    return [op.Mul(op.Mul(x, half), op.Add(inner, one))]


def _number(op: Emitter, value: float, like: ir.Value) -> ir.Value:
    """A constant scalar of the dtype of another value."""
    return op.constant(np.array(value, numpy_dtype(like)))


def pad_alike(graph: ir.Graph) -> None:
    """Give transposed convolutions the same padding at both ends, and cut off what is too much.

    Padding takes elements away from the result of a transposed convolution. cuDNN takes as many
    from both ends, and ONNX Runtime leaves the node to the CPU where they differ.

    Example:
        >>> op = Emitter()
        >>> x = op.input("x", "float32", (1, 1, 4))
        >>> _ = op.output(op.ConvTranspose(x, np.ones((1, 1, 2), np.float32), pads=[0, 1]), "y")
        >>> pad_alike(op.graph)
        >>> [node.op_type for node in op.graph]
        ['ConvTranspose', 'Slice']
    """
    op = Emitter(graph)
    for node in [node for node in graph.all_nodes() if _differs(node)]:
        replace_node(op, node, _cut)


def _differs(node: ir.Node) -> bool:
    """Whether a node is a transposed convolution whose explicit padding differs between ends."""
    if not is_op(node, "ConvTranspose") or "output_shape" in node.attributes:
        return False
    pads = list(node.attributes.get_ints("pads", ()))
    return pads[: len(pads) // 2] != pads[len(pads) // 2 :]


def _cut(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    """The transposed convolution with the smaller padding of each axis, and a Slice."""
    pads = list(node.attributes.get_ints("pads", ()))
    count = len(pads) // 2
    least = [min(pads[i], pads[count + i]) for i in range(count)]
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    wide = op.ConvTranspose(*node.inputs, **{**attributes, "pads": [*least, *least]})
    starts = [pads[i] - least[i] for i in range(count)]
    ends = [least[i] - pads[count + i] for i in range(count)]
    last = np.iinfo(np.int64).max
    cut = [
        np.array(starts, np.int64),
        np.array([end if end < 0 else last for end in ends], np.int64),
        np.arange(2, 2 + count, dtype=np.int64),
    ]
    return [op.Slice(wide, *cut)]
