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
