"""Python's operators on tensors: each is a function of the catalogue, found when it is used."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final, Protocol

from seqonnx import catalogue


class Assigns(Protocol):
    """The side of a trace that a variable needs."""

    def assign(self, variable: Any, value: Any) -> None:
        """Note that a step replaces the value of a variable."""


TRACE: Final[ContextVar[Assigns | None]] = ContextVar("TRACE", default=None)
"""The trace of a user's function that is being made; None outside."""


class Operable:
    """Operators of tensors: `a + b`, `x[:, -1]`, `x > 0`.

    Each calls the function of the same meaning in `seqonnx.ops`.
    """

    # NumPy's arrays leave the operators to objects of a higher priority.
    __array_priority__ = 1000.0

    def __add__(self, other: Any) -> Any:
        return apply_op("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return apply_op("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return apply_op("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return apply_op("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return apply_op("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return apply_op("multiply", other, self)

    def __matmul__(self, other: Any) -> Any:
        return apply_op("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return apply_op("matmul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return apply_op("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return apply_op("divide", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return apply_op("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return apply_op("floor_divide", other, self)

    def __mod__(self, other: Any) -> Any:
        return apply_op("mod", self, other)

    def __rmod__(self, other: Any) -> Any:
        return apply_op("mod", other, self)

    def __pow__(self, other: Any) -> Any:
        return apply_op("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        return apply_op("power", other, self)

    def __neg__(self) -> Any:
        return apply_op("negative", self)

    def __abs__(self) -> Any:
        return apply_op("absolute", self)

    def __round__(self, ndigits: int | None = None) -> Any:
        return apply_op("round", self, 0 if ndigits is None else ndigits)

    def __lt__(self, other: Any) -> Any:
        return apply_op("less", self, other)

    def __le__(self, other: Any) -> Any:
        return apply_op("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return apply_op("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return apply_op("greater_equal", self, other)

    def __and__(self, other: Any) -> Any:
        return apply_op("logical_and", self, other)

    def __rand__(self, other: Any) -> Any:
        return apply_op("logical_and", other, self)

    def __or__(self, other: Any) -> Any:
        return apply_op("logical_or", self, other)

    def __ror__(self, other: Any) -> Any:
        return apply_op("logical_or", other, self)

    def __xor__(self, other: Any) -> Any:
        return apply_op("logical_xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return apply_op("logical_xor", other, self)

    def __invert__(self) -> Any:
        return apply_op("logical_not", self)

    def __getitem__(self, key: Any) -> Any:
        return apply_op("get_item", self, key)


class Valueless(Operable):
    """A tensor that stands for values which are not there yet."""

    shape: tuple[int | None, ...]

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} has no value yet: the graph is being made, so a Python `if`, `while`, "
            "`and`, `or`, `not` or `assert` cannot depend on it. Use `seqonnx.ops.cond` for a "
            "choice between two computations, `seqonnx.ops.where` for one by element, and "
            "`seqonnx.ops.while_loop` for a loop."
        )

    def __float__(self) -> float:
        raise TypeError(self._no_value("`float`"))

    def __int__(self) -> int:
        raise TypeError(self._no_value("`int`"))

    def __index__(self) -> int:
        raise TypeError(self._no_value("`range` or a place in a Python list"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError(self._no_value("NumPy"))

    def __len__(self) -> int:
        size = self.shape[0] if len(self.shape) > 0 else None
        if size is None:
            raise TypeError(
                f"{self!r} has no length that is known while the graph is made. Use "
                "`seqonnx.ops.shape(x)[0]`."
            )
        return size

    def __iter__(self) -> Any:
        raise TypeError(
            f"{self!r} cannot be iterated over while the graph is made. Use "
            "`seqonnx.ops.unstack`, `seqonnx.ops.scan` or `seqonnx.ops.vectorized_map`."
        )

    def _no_value(self, wanted: str) -> str:
        return (
            f"{self!r} has no value yet: the graph is being made, so {wanted} cannot read it. Use "
            "the functions of `seqonnx.ops`, and `seqonnx.ops.cond` where a computation depends "
            "on a value."
        )


def apply_op(name: str, *arguments: Any) -> Any:
    """Call a function of `seqonnx.ops`."""
    return catalogue.find("op", name)(*arguments)
