"""The contract of a metric: named accumulators that every batch moves on, read on the host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, to_snake_case
from seqonnx.runtime.program import run_emission, value_key

State = Mapping[str, npt.NDArray[Any]]
Values = Mapping[str, ir.Value]
Result = float | npt.NDArray[Any]
Shape = Sequence[int | None]
Update = Callable[[Emitter, Values, "list[ir.Value]"], Mapping[str, ir.Value]]


class Accumulator(ABC):
    """What metrics and running means share: accumulators, and what they come to.

    Args:
        name: name shown and logged; default: the class name in snake case.
        dtype: element type of the accumulators; default float32.
    """

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        self.name = to_snake_case(type(self).__name__) if name is None else name
        self.dtype = dtypes.standardize(dtype)
        self._state: State | None = None

    @abstractmethod
    def variables(self) -> dict[str, npt.NDArray[Any]]:
        """Return the accumulators by name, as they are before the first batch."""

    @abstractmethod
    def compute(self, state: State) -> Result:
        """Return what the accumulators come to."""

    def result(self, state: State | None = None) -> Result:
        """Return the metric's value.

        Args:
            state: accumulators as `update` left them, by name; default: what `update_state` has
                accumulated here.
        """
        if state is None:
            state = self.variables() if self._state is None else self._state
        return self.compute(state)

    def reset_state(self) -> None:
        """Forget what `update_state` has accumulated."""
        self._state = None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values that JSON can hold."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a metric from what `get_config` gave, here or in Keras."""
        return cls(**{k: v for k, v in config.items() if (k, v) != ("axis", -1)})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _zeros(self, *names: str, shape: Sequence[int] = ()) -> dict[str, npt.NDArray[Any]]:
        return {name: np.zeros(tuple(shape), self.dtype) for name in names}

    def _advance(self, update: Update, arrays: Sequence[npt.NDArray[Any]]) -> None:
        """Run one update of the accumulators kept here."""
        state = self.variables() if self._state is None else self._state
        names = list(state)

        def emit(op: Emitter, values: list[ir.Value]) -> list[ir.Value]:
            known = dict(zip(names, values[len(arrays) :], strict=True))
            changed = known | dict(update(op, known, values[: len(arrays)]))
            return [changed[name] for name in names]

        key = value_key(self, ignore=("name", "_state"))
        outputs = run_emission(emit, arrays, key=key, fixed=[state[name] for name in names])
        self._state = dict(zip(names, outputs, strict=True))


class Metric(Accumulator):
    """Base of all metrics of targets and predictions; also the way to write one's own.

    A subclass defines `variables()`, `update(op, state, y_true, y_pred, sample_weight)`, which
    emits ONNX operators, and `compute(state)`. For a mean of per-sample values see `MeanMetric`.

    Args:
        name: name shown and logged; default: the class name in snake case.
        dtype: element type of the accumulators; default float32.

    Example:
        >>> class Largest(Metric):
        ...     def variables(self):
        ...         return {"largest": np.zeros((), np.float32)}
        ...     def update(self, op, state, y_true, y_pred, sample_weight=None):
        ...         return {"largest": op.Max(state["largest"], op.ReduceMax(y_pred, keepdims=0))}
        ...     def compute(self, state):
        ...         return float(state["largest"])
        >>> metric = Largest()
        >>> metric.update_state([0.0, 0.0], [1.0, 2.0])
        >>> metric.result()
        2.0
    """

    def build(self, y_true_shape: Shape, y_pred_shape: Shape) -> None:
        """Learn the shapes of the data (None where a size is not fixed); called before use."""

    @abstractmethod
    def update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit the accumulators after a batch.

        Args:
            op: emitter of the graph.
            state: accumulators before the batch, by name.
            y_true: targets, any numeric type.
            y_pred: predictions, shape `(batch, ...)`.
            sample_weight: weights, shape `(batch,)` or that of the per-sample values.

        Returns:
            The accumulators after the batch, by name.
        """

    def update_state(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> None:
        """Accumulate a batch of arrays.

        Args:
            y_true: targets.
            y_pred: predictions; computed with as float32.
            sample_weight: one number, or weights of shape `(batch,)` or that of the per-sample
                values; sizes of 1 are broadcast.

        Raises:
            ValueError: if the weights do not fit the predictions.
        """
        arrays = [
            np.atleast_1d(dtypes.to_array(y_true, None, "y_true")),
            np.atleast_1d(dtypes.to_array(y_pred, "float32", "y_pred")),
        ]
        if sample_weight is not None:
            arrays.append(dtypes.to_array(sample_weight, "float32", "sample_weight"))
        self.build(arrays[0].shape, arrays[1].shape)
        self._advance(lambda op, state, values: self.update(op, state, *values), arrays)

    def __call__(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Result:
        """Accumulate a batch of arrays and return the value so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()
