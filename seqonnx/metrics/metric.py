"""The contract of a metric: accumulators moved on by targets and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, Trace, TracedTensor, auto_name, current_trace
from seqonnx.graph.tracing import traced, tracing
from seqonnx.metrics.base import (
    Accumulator,
    Result,
    TargetShape,
    Values,
    defines_later,
)


def data_of(data: Any, dtype: str | None, what: str) -> Any:
    """Return data given to a metric as an array; in a trace as a value of the graph.

    Args:
        data: an array or a tensor.
        dtype: dtype to cast to; None: as it is.
        what: name of the data in errors.
    """
    trace = current_trace()
    if trace is None:
        return np.atleast_1d(dtypes.to_array(data, dtype, what))
    value = trace.value(data)
    return value if dtype is None else trace.op.cast(value, dtype)


def weights_of(sample_weight: Any) -> Any:
    """Return sample weights as `data_of` does; one number stays one."""
    if current_trace() is None:
        return dtypes.to_array(sample_weight, "float32", "sample_weight")
    return data_of(sample_weight, "float32", "sample_weight")


def sizes_of(data: Any) -> TargetShape:
    """Return the shape of what `data_of` has returned."""
    if isinstance(data, ir.Value):
        return TracedTensor(data).shape
    shape: TargetShape = data.shape
    return shape


class Metric(Accumulator):
    """Base of all metrics; also the way to write one's own.

    A subclass declares its accumulators in the constructor with `add_variable`, and defines
    `update(op, state, y_true, y_pred, sample_weight)`, which emits ONNX operators, and
    `compute(state)`. Or it defines Keras's `update_state(y_true, y_pred, sample_weight)` and
    `result()`, which work on tensors with `seqonnx.ops` and assign to the accumulators; a subclass
    of another metric may call these of its base. Metrics in attributes belong to it: it begins
    anew with them, and may update them. For a mean of per-sample values see `MeanMetric`.

    Args:
        dtype: dtype of the accumulators; default float32. A string that names no dtype is the
            name: until version 0.1 this was the order.
        name: name shown and logged; default: the class name in snake case, numbered.

    Example:
        >>> class Largest(Metric):
        ...     def __init__(self, name=None, dtype=None):
        ...         super().__init__(name=name, dtype=dtype)
        ...         self.largest = self.add_variable((), "zeros", name="largest")
        ...     def update(self, op, state, y_true, y_pred, sample_weight=None):
        ...         return {"largest": op.Max(state["largest"], op.ReduceMax(y_pred, keepdims=0))}
        ...     def compute(self, state):
        ...         return float(state["largest"])
        >>> metric = Largest()
        >>> metric.update_state([0.0, 0.0], [1.0, 2.0])
        >>> metric.result()
        2.0
    """

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        if isinstance(dtype, str) and dtype not in dtypes.ALL_TYPES:
            dtype, name = name, dtype
        super().__init__(name or auto_name(type(self).__name__), dtype)

    def _build(self, y_true_shape: TargetShape, y_pred_shape: TargetShape) -> None:
        """Learn the shapes of the data (None where a size is not fixed); called before use."""

    def update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> Mapping[str, ir.Value]:
        """Emit the accumulators after a batch; for classes of one's own.

        Args:
            op: emitter of the graph.
            state: accumulators before the batch, by name.
            y_true: targets, any numeric dtype.
            y_pred: predictions, shape `(batch, ...)`.
            sample_weight: weights, shape `(batch,)` or that of the per-sample values.

        Returns:
            The accumulators after the batch, by name.
        """
        if defines_later(type(self), "update_state", "_update"):
            return self._trace_update(op, state, y_true, y_pred, sample_weight)
        return self._update(op, state, y_true, y_pred, sample_weight)

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> Mapping[str, ir.Value]:
        """Emit the accumulators after a batch, for the classes of this package."""
        raise NotImplementedError(
            f"Metric {type(self).__name__} does not define `update`. Write `update(self, op, "
            "state, y_true, y_pred, sample_weight=None)`, which emits the accumulators after a "
            "batch, by name."
        )

    def _trace_update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None,
    ) -> dict[str, ir.Value]:
        """Emit a user's `update_state`, which works on tensors and assigns to accumulators."""
        held = self._accumulators()
        trace = Trace(op, training=False, read_as={held[n]: v for n, v in state.items()})
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        with tracing(trace):
            self.update_state(*traced([y_true, y_pred]), **traced(given))
        return {name: trace.assigned[held[name]] for name in state}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Accumulate a batch of arrays; in a `call` on tensors, one of tensors.

        A user's own works on tensors and assigns.

        Args:
            y_true: targets.
            y_pred: predictions; computed with as float32.
            sample_weight: one number, or weights of shape `(batch,)` or that of the per-sample
                values; sizes of 1 are broadcast.

        Raises:
            ValueError: if the weights do not fit the predictions.
        """
        given = [data_of(y_true, None, "y_true"), data_of(y_pred, "float32", "y_pred")]
        arrays = given if sample_weight is None else [*given, weights_of(sample_weight)]
        self._build(sizes_of(arrays[0]), sizes_of(arrays[1]))
        emit = self.update if defines_later(type(self), "update", "_update") else self._update
        self._advance(lambda op, state, values: emit(op, state, *values), arrays)

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Accumulate a batch, given as to `update_state`, and return the value so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(
        self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[npt.NDArray[Any]]:
        """Return the accumulators after a batch, from given ones; those kept here stay.

        Args:
            metric_variables: arrays, one for each of `variables`.
            *args: see `update_state`.
            **kwargs: see `update_state`.

        Raises:
            ValueError: if these are not as many as `variables`.
        """
        with _Set(self, metric_variables):
            self.update_state(*args, **kwargs)
            return [np.asarray(variable) for variable in self.variables]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Result:
        """Return the value of given accumulators; see `stateless_update_state`."""
        with _Set(self, metric_variables):
            return self.result()

    def stateless_reset_state(self) -> list[npt.NDArray[Any]]:
        """Return the accumulators as a reset leaves them; those kept here stay."""
        return list(self._reset().values())


class _Set:
    """Inside, the accumulators of a metric have other values.

    Args:
        metric: the metric.
        values: arrays, one for each accumulator.
    """

    def __init__(self, metric: Metric, values: Sequence[Any]) -> None:
        self._variables = metric.variables
        if len(values) != len(self._variables):
            raise ValueError(
                "Argument `metric_variables` must have one array for each of the variables of "
                f"{type(metric).__name__}, {[v.name for v in self._variables]}. Received: "
                f"{len(values)} arrays"
            )
        self._values = values

    def __enter__(self) -> None:
        self._kept = [variable.numpy() for variable in self._variables]
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)

    def __exit__(self, *_: object) -> None:
        for variable, value in zip(self._variables, self._kept, strict=True):
            variable.assign(value)
