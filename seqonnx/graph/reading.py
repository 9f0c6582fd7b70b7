"""Reading a graph: the one vocabulary for asking nodes and values.

A graph is read as `onnx_ir` objects or, where a file is looked at as it is, as the protos of
onnx (`NodeProto`); their operator, domain and name are asked for with the same words.

`onnx_ir` is imported where an object of it is asked: it takes longer to load than most files to
read, and who looks at protos has no use for it.

Nodes are named `<layer>/<operator>`, gradient nodes `grad/<layer>/<operator>`; what differentiates
those has the scope `grad2`, and so on.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import onnx

if TYPE_CHECKING:
    import onnx_ir as ir

    Node = ir.Node | onnx.NodeProto

Dim = int | str | None

STANDARD_DOMAINS: Final = frozenset({"", "ai.onnx"})
"""The two spellings of the domain of the standard's operators."""
STOP_GRADIENT: Final = "stop_gradient"
"""The scope of copies that no gradient passes."""
_UNKNOWN_SIZE: Final = 1024
"""The count for an unknown size: it is that of the batch, the same in all layers."""
_GRADIENT_SCOPE: Final = re.compile(r"grad(\d*)(?:/|$)")


def canonical_domain(domain: str) -> str:
    """Return a domain in one spelling: the standard's is the empty string.

    Example:
        >>> canonical_domain("ai.onnx"), canonical_domain("com.microsoft")
        ('', 'com.microsoft')
    """
    return "" if domain in STANDARD_DOMAINS else domain


def is_standard(node: Node) -> bool:
    """Whether a node is an operator of the standard (domain ai.onnx)."""
    return node.domain in STANDARD_DOMAINS


def is_op(node: Node | None, *op_types: str) -> bool:
    """Whether there is a node and it is one of these operators of the standard.

    Example:
        >>> is_op(ir.node("Relu", []), "Relu", "Elu"), is_op(None, "Relu")
        (True, False)
    """
    return node is not None and node.op_type in op_types and node.domain in STANDARD_DOMAINS


def scope_of(node: Node | str) -> str:
    """Return the scope that a node, or the node of this name, stands in; empty if in none.

    Example:
        >>> scope_of("grad/dense/MatMul")
        'grad/dense'
    """
    name = node if isinstance(node, str) else node.name
    return (name or "").rpartition("/")[0]


def layer_of(node: Node | str) -> str:
    """Name the layer that emitted a node: empty for a node that stands in no layer's scope.

    Example:
        >>> layer_of("grad/dense/MatMul")
        'dense'
    """
    scope = scope_of(node)
    turn = _GRADIENT_SCOPE.match(scope)
    return scope if turn is None else scope[turn.end() :]


def is_in(node: Node | str, *scopes: str) -> bool:
    """Whether the outermost scope of a node is one of these, such as `"loss"`.

    Example:
        >>> is_in("loss/Mul", "loss", "metrics"), is_in("loss", "loss")
        (True, False)
    """
    outermost, slash, _ = (node if isinstance(node, str) else node.name or "").partition("/")
    return slash != "" and outermost in scopes


def stops_gradient(node: ir.Node) -> bool:
    """Whether a node is the copy that `seqonnx.ops.stop_gradient` makes: no gradient passes it.

    The standard has no operator for it: what tells is the scope of an Identity.
    """
    return is_op(node, "Identity") and scope_of(node).rpartition("/")[2] == STOP_GRADIENT


def is_gradient(node: Node | str) -> bool:
    """Whether a node computes a gradient, of whatever order.

    Example:
        >>> is_gradient("grad2/dense/MatMul"), is_gradient("gradient/MatMul")
        (True, False)
    """
    return is_gradient_scope(scope_of(node))


def is_gradient_scope(scope: str) -> bool:
    """Whether nodes in a scope compute gradients."""
    return _GRADIENT_SCOPE.match(scope) is not None


def gradient_scope(scope: str) -> str:
    """Return the scope of the gradients of nodes that stand in a scope.

    Example:
        >>> gradient_scope("dense"), gradient_scope("grad/dense"), gradient_scope("")
        ('grad/dense', 'grad2/dense', 'grad')
    """
    turn = _GRADIENT_SCOPE.match(scope)
    if turn is None:
        return f"grad/{scope}" if scope else "grad"
    order, layer = int(turn[1] or 1) + 1, scope[turn.end() :]
    return f"grad{order}/{layer}" if layer else f"grad{order}"


def input_at(node: ir.Node, index: int) -> ir.Value | None:
    """Return an input, or None where the node leaves it out."""
    return node.inputs[index] if index < len(node.inputs) else None


def subgraphs_of(node: ir.Node) -> list[ir.Graph]:
    """Return the graphs among a node's attributes: the bodies of If, Loop, Scan and the like."""
    from onnx_ir import AttributeType

    return [
        attribute.as_graph()
        for attribute in node.attributes.values()
        if attribute.type == AttributeType.GRAPH
    ]


def float_attribute(node: ir.Node, name: str, default: float) -> float:
    """Return an attribute with the precision that the file format keeps (float32)."""
    return float(np.float32(node.attributes.get_float(name, default)))


def constant_of(value: ir.Value | None) -> npt.NDArray[Any] | None:
    """Return the array behind a value that no run of the graph can change, or None."""
    if value is None or value.is_graph_input():
        return None
    from onnx_ir import convenience

    tensor = convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def constant_ints(value: ir.Value | None) -> list[int] | None:
    """Return a constant vector of integers, or None."""
    array = constant_of(value)
    return None if array is None else [int(i) for i in array.reshape(-1)]


def constant_number(value: ir.Value | None) -> float | None:
    """Return a constant with one element as a number, or None."""
    array = constant_of(value)
    return None if array is None or array.size != 1 else float(array.reshape(()))


def numpy_dtype(value: ir.Value) -> np.dtype[Any]:
    """Return the dtype of a value as NumPy's; float32 where it is not known."""
    return np.dtype(np.float32 if value.dtype is None else value.dtype.numpy())


def dtype_name(value: ir.Value) -> str:
    """Return the standard name of a value's dtype, such as `"float32"`.

    Raises:
        ValueError: if it is unknown.
    """
    from onnx_ir import DataType

    if value.dtype is None or value.dtype is DataType.UNDEFINED:
        raise ValueError(f"The dtype of '{value.name}' is unknown.")
    return "string" if value.dtype is DataType.STRING else str(value.dtype.numpy().name)


class UnknownRankError(ValueError):
    """The number of axes of a value is needed and not known.

    Args:
        name: the value's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"The rank of '{name}' is unknown.")
        self.name = name


def static_shape(value: ir.Value) -> tuple[Dim, ...]:
    """Return a value's shape: an int where known, a name or None where it is not.

    Raises:
        UnknownRankError: if not even the rank is known.
    """
    if value.shape is None:
        raise UnknownRankError(str(value.name))
    return tuple(d if isinstance(d, int) else d.value for d in value.shape)


def known_rank(value: ir.Value | None) -> int | None:
    """Return the number of axes, or None if it is not known."""
    return None if value is None or value.shape is None else len(value.shape)


def known_sizes(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return the sizes of a value, or None if one of them is not known.

    Example:
        >>> known_sizes(ir.Value(shape=ir.Shape([2, 3]))), known_sizes(ir.Value())
        ((2, 3), None)
    """
    if value is None or value.shape is None:
        return None
    sizes = tuple(d for d in value.shape if isinstance(d, int))
    return sizes if len(sizes) == len(value.shape) else None


def bytes_of(value: ir.Value) -> int:
    """Return the bytes of a value; a guess where a size or the dtype is not known.

    Example:
        >>> bytes_of(ir.Value(shape=ir.Shape([2, 3]), type=ir.TensorType(ir.DataType.FLOAT16)))
        12
    """
    if value.shape is None:
        return _UNKNOWN_SIZE
    bits = 32 if value.dtype is None else value.dtype.bitwidth
    sizes = (d if isinstance(d, int) else _UNKNOWN_SIZE for d in value.shape)
    return math.prod(sizes) * bits // 8
