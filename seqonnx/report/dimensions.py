"""Names of dimensions: which of them mean a size, and what an expression of them comes to.

By the standard two dimensions of the same name have the same size, and a name is an identifier.
Files also hold names that say nothing (`?`, `-1`, an empty text, `None`), names that no program
reads as one (`x.batch`), and expressions that exporters and ONNX Runtime's symbolic shape inference
write (`2*batch`, `past + 1`, `floor(height/2)`). An expression means a size if all its names do.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Any

from onnx import TensorShapeProto, TypeProto

_TOKENS = re.compile(r"(?:\s*(?:[^\W\d]\w*|\d{1,18}(?!\w)|//|[-+*/%(),]))+\s*")
_LONGEST = 200
_NO_NAMES = frozenset({"None", "True", "False"})

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: lambda a, b: a % b,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "floor": lambda a: Fraction(floor(a)),
    "ceil": lambda a: Fraction(ceil(a)),
    "ceiling": lambda a: Fraction(ceil(a)),
    "Max": max,
    "Min": min,
    "max": max,
    "min": min,
    "Mod": lambda a, b: a % b,
    "FloorDiv": lambda a, b: Fraction(a // b),
}


def is_name(text: str) -> bool:
    """Whether a text names a dimension: an identifier, as the standard has it."""
    return text.isidentifier() and text not in _NO_NAMES


def names_in(text: str) -> frozenset[str]:
    """Return the dimension names of a name or an expression; none if it is neither."""
    if is_name(text):
        return frozenset({text})
    tree = _parsed(text)
    if tree is None:
        return frozenset()
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return frozenset(node.id for node in names if id(node) not in called)


def means_a_size(text: str, names: Collection[str]) -> bool:
    """Whether a name, or an expression of `names`, stands for one size wherever it is written."""
    used = names_in(text)
    return bool(used) and (is_name(text) or used <= set(names))


def evaluate(text: str, sizes: Mapping[str, int]) -> int | None:
    """Return the size that a name or an expression comes to; None if that is not known.

    Example:
        >>> evaluate("2*batch + 1", {"batch": 3})
        7
    """
    if text in sizes:
        return sizes[text]
    tree = _parsed(text)
    if tree is None or not names_in(text) <= sizes.keys():
        return None
    try:
        value = _value(tree, sizes)
    except (TypeError, ZeroDivisionError):
        return None
    return int(value) if value >= 0 and value.denominator == 1 else None


def shapes_in(type_: TypeProto) -> Iterator[TensorShapeProto]:
    """Yield the shapes that a type states: of a tensor, or of the elements of a container."""
    kind = type_.WhichOneof("value")
    while kind in {"sequence_type", "optional_type", "map_type"}:
        inner = getattr(type_, kind)
        type_ = inner.value_type if kind == "map_type" else inner.elem_type
        kind = type_.WhichOneof("value")
    if kind in {"tensor_type", "sparse_tensor_type"}:
        tensor = getattr(type_, kind)
        if tensor.HasField("shape"):
            yield tensor.shape


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.expr | None:
    """Parse an expression of sums, products, quotients and a few functions; None if it is none."""
    if len(text) > _LONGEST or not _TOKENS.fullmatch(text):
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if all(_is_arithmetic(node) for node in ast.walk(tree)) else None


def _is_arithmetic(node: ast.AST) -> bool:
    """Whether a part of a parsed expression is one that can be evaluated."""
    match node:
        case ast.BinOp(op=operator):
            return type(operator) in _OPERATORS
        case ast.UnaryOp(op=operator):
            return isinstance(operator, ast.USub)
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            return name in _FUNCTIONS
        case ast.Constant(value=value):
            return type(value) is int
        case _:
            return isinstance(node, ast.Name | ast.operator | ast.unaryop | ast.expr_context)


def _value(node: ast.expr, sizes: Mapping[str, int]) -> Fraction:
    """Evaluate a parsed expression, which is at most 200 characters deep."""
    match node:
        case ast.BinOp(left=left, op=operator, right=right):
            value = _OPERATORS[type(operator)](_value(left, sizes), _value(right, sizes))
        case ast.UnaryOp(operand=operand):
            value = -_value(operand, sizes)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            value = _FUNCTIONS[name](*(_value(argument, sizes) for argument in arguments))
        case ast.Name(id=name):
            value = Fraction(sizes[name])
        case ast.Constant(value=int(number)):
            value = Fraction(number)
        case _:
            raise TypeError(f"no part of an expression: {ast.dump(node)}")
    return Fraction(value)
