"""The equation of an EinsumDense: which axes its kernel and its bias have, and their sizes."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from seqonnx.symbolic import Shape

_FORMS: Final[dict[Literal["", "left", "right"], str]] = {
    "": r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)",
    "left": r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)",
    "right": r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\.",
}


@dataclass(frozen=True)
class Kernel:
    """Shape of a kernel, and which of its axes are a unit's inputs and outputs."""

    shape: tuple[int | None, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Equation:
    """Letters of input, kernel and output, and on which side an ellipsis stands.

    Args:
        text: the equation as it was given.
        input: letters of the input.
        kernel: letters of the kernel.
        output: letters of the output.
        ellipsis: side of the axes that stay as they are; empty if there are none.
    """

    text: str
    input: str
    kernel: str
    output: str
    ellipsis: Literal["", "left", "right"]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an equation.

        Raises:
            ValueError: if it has none of the legal forms.

        Example:
            >>> Equation.parse("...x,xy->...y").ellipsis
            'left'
        """
        for side, form in _FORMS.items():
            found = re.fullmatch(form, text.replace(" ", ""))
            if found is not None:
                before, kernel, after = found.groups()
                return cls(text, before, kernel, after, side)
        raise ValueError(
            f"Invalid einsum equation '{text}'. Equations must be in the form "
            "[X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
        )

    def hidden(self, rank: int) -> int:
        """Return how many axes the ellipsis stands for.

        Raises:
            ValueError: if the input has not as many axes as letters.
        """
        count = rank - len(self.input)
        if count < 0 or (count > 0 and self.ellipsis == ""):
            wanted = "at least" if self.ellipsis else "exactly"
            raise ValueError(
                f"The equation '{self.text}' needs an input of {wanted} {len(self.input)} axes. "
                f"Received one of {rank}."
            )
        return count

    def spelled(self, rank: int) -> str:
        """Return the equation with letters in place of the ellipsis."""
        spare = [letter for letter in string.ascii_letters if letter not in self.text]
        more = "".join(spare[: self.hidden(rank)])
        left, right = (more, "") if self.ellipsis == "left" else ("", more)
        return f"{left}{self.input}{right},{self.kernel}->{left}{self.output}{right}"

    def output_sizes(self, shape: Shape, partial: Sequence[int | None]) -> dict[str, int | None]:
        """Return the size of each letter of the output.

        Args:
            shape: shape of the input, batch first.
            partial: sizes of the output without the batch and the axes of the ellipsis.

        Raises:
            ValueError: if these are too many or too few, or contradict the input.
        """
        elided = self.hidden(len(shape)) > 0 and self.ellipsis == "left"
        sizes = [*partial] if elided else [shape[0], *partial]
        if len(sizes) != len(self.output):
            raise ValueError(
                f"`output_shape` must hold {len(self.output) - (not elided)} size(s) for the "
                f"equation '{self.text}' and an input of shape {shape}. Received: "
                f"output_shape={tuple(partial)}"
            )
        found = dict(zip(self.output, sizes, strict=True))
        for letter, size in self.input_sizes(shape).items():
            if found.get(letter) not in {None, size}:
                raise ValueError(
                    f"Input shape and output shape do not match at shared dimension '{letter}'. "
                    f"Input shape is {size}, and output shape is {found[letter]}."
                )
        return found

    def input_sizes(self, shape: Shape) -> dict[str, int | None]:
        """Return the size of each letter of the input."""
        first = self.hidden(len(shape)) if self.ellipsis == "left" else 0
        return dict(zip(self.input, shape[first:], strict=False))

    def kernel_of(self, shape: Shape, partial: Sequence[int | None]) -> Kernel:
        """Return the kernel's shape for an input; see `output_sizes`.

        Raises:
            ValueError: if a letter stands alone.
        """
        before, after = self.input_sizes(shape), self.output_sizes(shape, partial)
        for letter in self.output:
            if letter not in self.input and letter not in self.kernel:
                raise ValueError(
                    f"Dimension '{letter}' was specified in the output '{self.output}' but has no "
                    f"corresponding dim in the input spec '{self.input}' or weight spec "
                    f"'{self.kernel}'"
                )
        for letter in self.kernel:
            if letter not in after and letter not in before:
                raise ValueError(
                    f"Weight dimension '{letter}' did not have a match in either the input spec "
                    f"'{self.input}' or the output spec '{self.output}'. For this layer, the "
                    "weight must be fully specified."
                )
        sizes = before | after
        return Kernel(
            tuple(sizes[letter] for letter in self.kernel),
            tuple(i for i, letter in enumerate(self.kernel) if letter not in after),
            tuple(i for i, letter in enumerate(self.kernel) if letter in after),
        )

    def bias_shape(
        self, shape: Shape, partial: Sequence[int | None], axes: str
    ) -> tuple[int | None, ...]:
        """Return the bias's shape: from its first letter on, 1 where it is the same everywhere.

        Raises:
            ValueError: if a letter is not one of the output's.
        """
        for letter in axes:
            if letter not in self.output:
                raise ValueError(
                    f"Bias dimension '{letter}' was requested, but is not part of the output spec "
                    f"'{self.output}'"
                )
        sizes = self.output_sizes(shape, partial)
        first = min(self.output.index(letter) for letter in axes)
        own = [sizes[letter] if letter in axes else 1 for letter in self.output[first:]]
        behind = self.hidden(len(shape)) if self.ellipsis == "right" else 0
        return (*own, *[1] * behind)
