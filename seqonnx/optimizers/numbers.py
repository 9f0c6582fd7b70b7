"""The numbers of an optimizer: plain numbers that can be assigned, as Keras's variables are."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self

import numpy as np


class Owner(Protocol):
    """Whose numbers these are."""

    name: str
    iterations: Any
    learning_rate: Any


class _Assignable:
    """A number of an optimizer, as it was when it was asked for; a copy is a plain number."""

    name: ClassVar[str]
    dtype: ClassVar[str]
    shape: ClassVar[tuple[int, ...]] = ()
    _plain: ClassVar[type[int] | type[float]]
    _owner: Owner

    @property
    def path(self) -> str:
        """Name with that of the optimizer before it."""
        return f"{self._owner.name}/{self.name}"

    def numpy(self) -> Any:
        """Return the number as NumPy's."""
        return np.array(self.value, self.dtype)

    @property
    def value(self) -> int | float:
        """The number alone."""
        number: Any = self
        return self._plain(number)

    def __reduce__(self) -> Any:
        return type(self.value), (self.value,)

    def __copy__(self) -> Any:
        return self.value

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.value


class _Owned:
    """A number in the list of what an optimizer keeps that is no variable of a graph.

    Args:
        owner: the optimizer.
    """

    name: ClassVar[str]
    dtype: ClassVar[str]
    shape: ClassVar[tuple[int, ...]] = ()

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    @property
    def path(self) -> str:
        """Name with that of the optimizer before it."""
        return f"{self._owner.name}/{self.name}"

    @property
    def value(self) -> Any:
        """The number."""
        raise NotImplementedError

    def numpy(self) -> Any:
        """Return the number as NumPy's."""
        return np.array(self.value, self.dtype)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} path={self.path}, value={self.value}>"


class StepNumber(_Owned):
    """The number of steps that an optimizer has taken."""

    name = "iteration"
    dtype = "int64"

    @property
    def value(self) -> int:
        """The number of steps."""
        return int(self._owner._steps_taken)

    def assign(self, value: Any) -> None:
        """Set the number of steps."""
        self._owner._steps_taken = int(value)


class Fixed(_Owned):
    """A number that has a place in the list and says nothing.

    Args:
        owner: the optimizer.
        name: its name.
        value: the number.
        dtype: its dtype.
    """

    def __init__(self, owner: Any, name: str, value: float, dtype: str) -> None:
        super().__init__(owner)
        self.name, self.dtype, self._number = name, dtype, value  # type: ignore[misc]  # its own

    @property
    def value(self) -> float:
        """The number."""
        return self._number

    def assign(self, value: Any) -> None:
        """Leave the number as it is: it follows from others, or nothing depends on it."""


class LearningRate(_Assignable, float):
    """A learning rate: a float with `assign`.

    Args:
        value: the number.
        owner: the optimizer.
    """

    name = "learning_rate"
    dtype = "float32"
    _plain = float

    def __new__(cls, value: float, owner: Owner) -> Self:
        """Make the number."""
        made = super().__new__(cls, value)
        made._owner = owner
        return made

    def assign(self, value: Any) -> None:
        """Set the learning rate of the optimizer."""
        self._owner.learning_rate = value


class Iterations(_Assignable, int):
    """A number of steps: an int with `assign`.

    Args:
        value: the number.
        owner: the optimizer.
    """

    name = "iteration"
    dtype = "int64"
    _plain = int

    def __new__(cls, value: int, owner: Owner) -> Self:
        """Make the number."""
        made = super().__new__(cls, value)
        made._owner = owner
        return made

    def assign(self, value: Any) -> None:
        """Set the number of steps that the optimizer has taken."""
        self._owner.iterations = value
