"""The dimension that Reshape or Flatten works out, where the input has dynamic dimensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import onnx

from seqonnx.graph.reading import is_op
from seqonnx.report.polynomial import Dim, GraphShape, Polynomial
from seqonnx.report.read import graphs_of
from seqonnx.report.tensors import describe_type


def solve_reshapes(
    model: onnx.ModelProto, made_up: Callable[[str], bool]
) -> tuple[dict[str, Dim], bool]:
    """Work out the one unknown output dimension of Reshape and Flatten nodes.

    Elements are kept, so the dimension is the size of the input divided by the dimensions known.
    Names that inference made up are the unknowns: it carries them on to what comes after, so that
    one pass in the order of the nodes solves a whole chain.

    Args:
        model: with inferred shapes; a dimension without any name is filled in, in place.
        made_up: whether a name is one that inference made up.

    Returns:
        The sizes of names that were made up, and whether a dimension was filled in.
    """
    known: dict[str, Dim] = {}
    filled = False
    for graph in graphs_of(model):
        types = {v.name: v.type for v in (*graph.input, *graph.value_info, *graph.output)}
        for node in graph.node:
            if not is_op(node, "Reshape", "Flatten"):
                continue
            if not node.input or not node.output:  # a damaged file
                continue
            source, target = types.get(node.input[0]), types.get(node.output[0])
            if source is None or target is None:
                continue
            given, shape = (_replaced(describe_type(type_)[1], known) for type_ in (source, target))
            index, dim = _asked(given, shape, made_up)
            if shape is None or dim is None:
                continue
            name = shape[index]
            if isinstance(name, str):
                known[name] = dim
            else:
                filled = True
                set_dim(target.tensor_type.shape.dim[index], dim)
    return known, filled


def _asked(
    source: GraphShape, target: GraphShape, made_up: Callable[[str], bool]
) -> tuple[int, Dim]:
    """Return which dimension of `target` is the unknown one, and its size; None if not known."""
    if source is None or target is None:
        return 0, None
    unknown = {d for d in target if isinstance(d, str) and made_up(d) and d not in source}
    left = tuple(None if dim in unknown else dim for dim in target)
    dim = missing_dim(source, left)
    return (0, None) if dim is None else (left.index(None), dim)


def set_dim(field: onnx.TensorShapeProto.Dimension, dim: Dim) -> None:
    """Write a dimension; None clears it."""
    field.Clear()
    if isinstance(dim, int):
        field.dim_value = dim
    elif dim is not None:
        field.dim_param = dim


def _replaced(shape: GraphShape, known: Mapping[str, Dim]) -> GraphShape:
    """Return a shape with the dimensions that are known by now."""
    if shape is None:
        return None
    return tuple(known.get(dim, dim) if isinstance(dim, str) else dim for dim in shape)


def missing_dim(source: GraphShape, target: GraphShape) -> Dim:
    """Return the one unknown dimension of `target`, which has as many elements as `source`.

    None if there is no unknown dimension or more than one, or if they do not divide.

    Example:
        >>> missing_dim(("batch", 13, 13, 32), (None, 5408))
        'batch'
    """
    if source is None or target is None or target.count(None) != 1:
        return None
    whole = Polynomial.product(*source)
    part = Polynomial.product(*(dim for dim in target if dim is not None))
    if whole is None or part is None or not whole.terms or not part.terms:
        return None
    (names, factor), (known_names, known_factor) = whole.terms[0], part.terms[0]
    left = Counter(names)
    left.subtract(known_names)
    if factor % known_factor or min(left.values(), default=0) < 0:
        return None
    quotient, rest = factor // known_factor, list(left.elements())
    if not rest:
        return quotient
    return "*".join(rest if quotient == 1 else [str(quotient), *rest])
