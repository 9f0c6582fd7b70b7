"""The variables of a model's optimizer as arrays, in Keras's order and layout, and back."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqonnx.graph import Variable, assign_together, read_together
from seqonnx.runtime.forking import making
from seqonnx.training.checkpoint_state import ArraysByVariable
from seqonnx.training.sessions import Sessions


class Snapshot(NamedTuple):
    """A model at one moment.

    Args:
        weights: its weights, in the ONNX layout.
        optimizer: the variables of its optimizer, in Keras's order and layout; None: none.
    """

    weights: ArraysByVariable
    optimizer: list[npt.NDArray[Any]] | None


def snapshot(sessions: Sessions, *, include_optimizer: bool) -> Snapshot:
    """Return weights and optimizer of a model, between two training steps."""
    weights = sessions.network.weights
    compilation = sessions.compilation
    if compilation is None or not compilation.trains or not include_optimizer:
        return Snapshot(dict(zip(weights, read_together(weights)[1], strict=True)), None)
    trainer = sessions.trainer()
    with contextlib.ExitStack() as stack:
        stack.enter_context(making())
        stack.enter_context(trainer.at_rest())
        arrays = dict(zip(weights, read_together(weights)[1], strict=True))
        optimizer = [_array(variable) for variable in compilation.optimizer.variables]
    return Snapshot(arrays, optimizer)


def restore_optimizer(sessions: Sessions, arrays: Sequence[npt.NDArray[Any]]) -> None:
    """Give the optimizer of a compiled model its variables.

    Args:
        sessions: of a model that is compiled as it was, with its weights.
        arrays: the variables, in Keras's order and layout.

    An optimizer that had not been trained has no slots in Keras's files: its number of steps and
    its learning rate are taken. Warns, as Keras does, where the numbers differ otherwise.
    """
    sessions.trainer()
    optimizer = sessions.compiled().optimizer
    variables = optimizer.variables
    numbers = len(list(takewhile(lambda each: not isinstance(each, Variable), variables)))
    if len(arrays) == numbers:
        variables = variables[:numbers]
    fits = [tuple(np.shape(v)) if not isinstance(v, Variable) else v.shape for v in variables]
    if fits != [array.shape for array in arrays]:
        warnings.warn(
            f"Skipping variable loading for optimizer '{optimizer.name}', because it has "
            f"{len(variables)} variables of the shapes {fits} whereas the saved optimizer has "
            f"{len(arrays)} variables of the shapes {[array.shape for array in arrays]}.",
            stacklevel=4,
        )
        return
    pairs = list(zip(variables, arrays, strict=True))
    for variable, array in pairs:
        if not isinstance(variable, Variable):
            variable.assign(array.item())
    assign_together((v, v._fitted(array)) for v, array in pairs if isinstance(v, Variable))


def _array(variable: Any) -> npt.NDArray[Any]:
    """A variable of an optimizer as Keras writes it: counters have 32 bits."""
    array: npt.NDArray[Any] = np.asarray(variable.numpy())
    return array.astype(np.int32) if array.dtype == np.int64 else array
