"""Factors and ranges of augmentations, checked: numbers or pairs of numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Pair = tuple[float, float]
Factor = float | tuple[float, float] | list[float]


def bounded_factor(low: float, high: float, name: str = "factor") -> Callable[[Any], Pair]:
    """Return a check that turns a factor into (lower, upper).

    A number f stands for (max(-f, low), f).

    Args:
        low: the least that a factor may be.
        high: the most.
        name: name of the argument.

    Returns:
        A function that returns the pair, or raises a ValueError.

    Example:
        >>> bounded_factor(-1, 1)(0.2), bounded_factor(0, 1)(0.2)
        ((-0.2, 0.2), (0, 0.2))
    """

    def check(factor: Any) -> Pair:
        message = (
            f"The `{name}` argument should be a number (or a list of two numbers) in the range "
            f"[{low}, {high}]. Received: factor={factor}"
        )
        if is_number(factor):
            if not low <= factor <= high:
                raise ValueError(message)
            return max(-abs(factor), low), abs(factor)
        if not is_pair(factor) or factor[0] > high or factor[1] < low:
            raise ValueError(message)
        lower, upper = sorted(factor)
        return lower, upper

    return check


@dataclass(frozen=True)
class Limits:
    """Limits of the numbers in a factor that has a name of its own.

    Args:
        what: the arguments, as an error names them.
        low: the least that a number may be.
        high: the most.
        shown: the range, as an error shows it.
        above: whether a number must be above `low`.
    """

    what: str
    low: float
    high: float
    shown: str
    above: bool = False

    def pair(self, factor: Any, name: str, opposite: float = -1.0) -> Pair:
        """Return a factor as (lower, upper).

        Args:
            factor: a number f, which stands for (opposite |f|, |f|), or a pair.
            name: name of the argument.
            opposite: what the lower end of a number is, in units of the upper end.

        Raises:
            ValueError: if it is neither, or a number is not within the limits.
        """
        if is_number(factor):
            self._check(factor)
            return opposite * abs(factor), abs(factor)
        if not is_pair(factor):
            raise ValueError(f"{self._head} Received: {name}={factor}")
        for number in factor:
            self._check(number)
        lower, upper = sorted(factor)
        return lower, upper

    @property
    def _head(self) -> str:
        return f"The {self.what} should be a number (or a list of two numbers) in {self.shown}."

    def _check(self, number: float) -> None:
        if not self.low <= number <= self.high or (self.above and number == self.low):
            raise ValueError(f"{self._head} Received: input_number={number}")


ZOOM: Final = Limits(
    *("`height_factor` and `width_factor` arguments", -1.0, 1.0),
    shown="the range (-1.0, 1.0]",
    above=True,
)
SHIFT: Final = Limits("`factor` argument", -1.0, 1.0, "the range [-1.0, 1.0]")
SHEAR: Final = Limits("`factor` argument", 0.0, 1.0, "the range [0, 1.0]")
SOLARIZE: Final = Limits(
    "`addition_factor` and `threshold_factor` arguments", 0.0, 1.0, "the range [0, 1]"
)


def kept_factor(limits: Limits, name: str) -> Callable[[Any], Any]:
    """Return a check of a factor that is kept as it is given; None passes.

    Args:
        limits: of its numbers.
        name: name of the argument.
    """

    def check(factor: Any) -> Any:
        if factor is not None:
            limits.pair(factor, name)
        return factor

    return check


def value_range(given: Any) -> Pair:
    """Return the range of the pixels as it was given.

    Raises:
        ValueError: if it is not two numbers.

    Example:
        >>> value_range([0, 255])
        (0, 255)
    """
    if not is_pair(given):
        raise ValueError(
            "The `value_range` argument should be a list of two numbers. "
            f"Received: value_range={given}"
        )
    return given[0], given[1]


def sorted_range(given: Any) -> Pair:
    """Return the range of the pixels, the lower end first; errors as `value_range`."""
    lower, upper = sorted(value_range(given))
    return lower, upper


def chosen(name: str, options: tuple[str, ...]) -> Callable[[Any], str]:
    """Return a check that an argument is one of several texts.

    Args:
        name: name of the argument.
        options: the texts.

    Returns:
        A function that returns the text, or raises NotImplementedError, as Keras does.
    """

    def check(given: Any) -> str:
        if given not in options:
            raise NotImplementedError(f"Unknown `{name}` {given}. Expected of one {options}.")
        return str(given)

    return check


fill_mode = chosen("fill_mode", ("reflect", "wrap", "constant", "nearest"))
interpolation = chosen("interpolation", ("nearest", "bilinear"))


def count_argument(name: str) -> Callable[[Any], int]:
    """Return a check that an argument is a positive integer.

    Args:
        name: name of the argument.
    """

    def check(given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise ValueError(
                f"Argument `{name}` must be a positive integer. Received: {name}={given}"
            )
        return given

    return check


def positive_argument(name: str) -> Callable[[Any], float]:
    """Return a check that an argument is a number above 0.

    Args:
        name: name of the argument.
    """

    def check(given: Any) -> float:
        if not is_number(given) or given <= 0:
            raise ValueError(
                f"Argument `{name}` must be a number above 0. Received: {name}={given}"
            )
        return float(given)

    return check


def is_number(value: Any) -> bool:
    """Whether a value is a number."""
    return isinstance(value, int | float | np.number)


def is_pair(value: Any) -> bool:
    """Whether a value is a list or tuple of two numbers."""
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))
