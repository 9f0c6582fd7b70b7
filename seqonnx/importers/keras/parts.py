"""A model as Keras's weight files see it: parts with variables, and parts inside them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from seqonnx.graph import Variable, assign_together
from seqonnx.graph.names import to_snake_case

Matched = list[tuple[Variable, npt.NDArray[Any]]]
"""Variables and what a file has for them."""


@dataclass(frozen=True)
class Part:
    """A layer or a model.

    Args:
        name: its name.
        label: what errors call it.
        variables: its own variables in Keras's order: those that training may change, then the
            others.
        parts: what it holds, each at its path below this part.
    """

    name: str
    label: str
    variables: Sequence[Variable]
    parts: Sequence[tuple[str, Part]] = ()

    def walk(self) -> list[tuple[str, Part]]:
        """Return this part and all below it with their paths, each before what it holds."""
        found: list[tuple[str, Part]] = []
        stack = [("", self)]
        while stack:
            path, part = stack.pop()
            found.append((path, part))
            stack.extend((f"{path}{below}/", inner) for below, inner in reversed(part.parts))
        return found


@dataclass(frozen=True)
class Failure:
    """A part that a file does not fit."""

    label: str
    message: str


def numbered_names(class_names: Sequence[str]) -> list[str]:
    """Return the names that Keras's files give to the layers of a model.

    Layers are called by their class, numbered where a class comes again, because their own names
    differ from one process to the next.

    Example:
        >>> numbered_names(["Dense", "Conv2D", "Dense"])
        ['dense', 'conv2d', 'dense_1']
    """
    seen: Counter[str] = Counter()
    names = []
    for class_name in class_names:
        base = to_snake_case(class_name)
        names.append(base if seen[base] == 0 else f"{base}_{seen[base]}")
        seen[base] += 1
    return names


def assign(matched: Matched, failures: Sequence[Failure], path: Path, *, skip: bool) -> None:
    """Take over what fits; with failures, warn or refuse everything.

    Args:
        matched: variables and their values.
        failures: parts that do not fit.
        path: the file, for the error message.
        skip: whether to go on with what fits.

    Raises:
        ValueError: for failures, unless `skip`; then nothing has changed.
    """
    if len(failures) > 0:
        text = (
            f"A total of {len(failures)} objects could not be loaded from {path}. Example error "
            f"message for object {failures[0].label}: {failures[0].message} Objects that could "
            f"not be loaded: {', '.join(failure.label for failure in failures)}."
        )
        if not skip:
            raise ValueError(text)
        warnings.warn(text, stacklevel=5)
    assign_together((variable, variable._fitted(array)) for variable, array in matched)
