"""The contract of a metric: named accumulators that every batch moves on, read on the host."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes, initializers
from seqonnx.configuration import Configured
from seqonnx.graph import (
    Emitter,
    Trace,
    TracedTensor,
    Variable,
    assign_together,
    current_trace,
    to_snake_case,
    tracing,
)
from seqonnx.graph.signatures import adopt_renamed, warn_of_renamed
from seqonnx.graph.tracing import traced
from seqonnx.runtime.program import run_emission, value_key

State = Mapping[str, npt.NDArray[Any]]
Values = Mapping[str, ir.Value]
Result = float | npt.NDArray[Any]
TargetShape = Sequence[int | None]
UpdateFunction = Callable[[Emitter, Values, "list[ir.Value]"], Mapping[str, ir.Value]]


_RENAMED: Final = {"build": ("_build", "y_true_shape")}
"""Hooks of a user's class by their names until version 0.1."""


class Accumulators(list[Variable]):
    """The accumulators of a metric; called, as a method was until version 0.1, their first values.

    Args:
        held: the accumulators.
        first: their values before the first batch, by name.
    """

    def __init__(self, held: Iterable[Variable], first: Mapping[str, npt.NDArray[Any]]) -> None:
        super().__init__(held)
        self._first = first

    def __call__(self) -> dict[str, npt.NDArray[Any]]:
        """Return the first values by name."""
        warnings.warn(
            "`variables` of a metric is a property, a list: read `metric.variables`. Calling it "
            "works until the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return dict(self._first)


class Accumulator(Configured):
    """Accumulators, and what they come to: shared by metrics and running means.

    Args:
        name: name shown and logged; default: the class name in snake case.
        dtype: dtype of the accumulators; default float32.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let a class of the user's define hooks by the names of before."""
        super().__init_subclass__(**arguments)
        adopt_renamed(cls, "Metric", _RENAMED)
        if inspect.isfunction(vars(cls).get("variables")):
            warn_of_renamed(
                f"Metric {cls.__name__}: declare accumulators with `add_variable` in the "
                "constructor, in place of a method `variables`"
            )

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        self.name = to_snake_case(type(self).__name__) if name is None else name
        self.dtype = dtypes.standardize(dtype)
        self._declared: dict[str, npt.NDArray[Any]] = {}
        self._held: dict[str, Variable] = {}

    @property
    def variables(self) -> list[Variable]:
        """The accumulators, with the values that `update_state` has left in them."""
        return Accumulators(self._accumulators().values(), self._start())

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: str | None = None,
        name: str | None = None,
    ) -> Variable:
        """Declare an accumulator; call it in the constructor.

        Args:
            shape: its shape.
            initializer: name or initializer of its value before the first batch.
            dtype: its dtype; default: that of the metric.
            name: its name; default: `variable`, numbered.

        Returns:
            The accumulator.

        Raises:
            ValueError: if the name is taken.
        """
        name = f"variable_{len(self._declared)}" if name is None else name
        if name in self._declared:
            raise ValueError(f"Metric '{self.name}' has an accumulator '{name}' already.")
        chosen = self.dtype if dtype is None else dtypes.standardize(dtype)
        self._declared[name] = initializers.get(initializer)(tuple(shape), chosen)
        self._held[name] = self._new(name, self._declared[name])
        return self._held[name]

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: str | None = None,
        name: str | None = None,
    ) -> Variable:
        """Declare an accumulator (see `add_variable`)."""
        return self.add_variable(shape, initializer, dtype, name)

    def result(self, state: State | None = None) -> Result:
        """Return the metric's value.

        Args:
            state: accumulators after the last batch, by name; default: what `update_state` has
                accumulated here.
        """
        if state is None:
            state = {name: held.numpy() for name, held in self._accumulators().items()}
        return self.compute(state)

    def reset_state(self) -> None:
        """Forget what `update_state` has accumulated."""
        for name, start in self._start().items():
            if name in self._held and self._held[name].shape == start.shape:
                self._held[name].assign(start)
            else:
                self._held.pop(name, None)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a metric from the configuration returned by `get_config`, here or in Keras."""
        return cls(**{k: v for k, v in config.items() if (k, v) != ("axis", -1)})

    def _start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the accumulators by name, as they are declared."""
        before: Any = type(self).variables
        if callable(before):  # a user's method, as it was until version 0.1
            return {name: np.asarray(start) for name, start in before(self).items()}
        return dict(self._declared)

    def _reset(self) -> dict[str, npt.NDArray[Any]]:
        """Return the accumulators by name, as a reset leaves them; those kept here stay."""
        if type(self).reset_state is Accumulator.reset_state:
            return self._start()
        held = self._accumulators()
        kept = {name: variable.numpy() for name, variable in held.items()}
        self.reset_state()
        first = {name: variable.numpy() for name, variable in held.items()}
        for name, value in kept.items():
            held[name].assign(value)
        return first

    def compute(self, state: State) -> Result:
        """Return what the accumulators come to; for classes of one's own.

        Args:
            state: accumulators after the last batch, arrays by name.
        """
        return self._compute(state)

    def _compute(self, state: State) -> Result:
        """Return what the accumulators come to, for the classes of this package."""
        if type(self).result is not Accumulator.result:  # a user's own, on the accumulators
            for name, value in state.items():
                self._held[name].assign(value)
            own: Any = self.result
            return own()  # type: ignore[no-any-return]  # whatever the user returns
        raise NotImplementedError(
            f"Metric {type(self).__name__} does not define `compute`. Write `compute(self, "
            "state)`, which returns the value of the accumulators `state`, arrays by name."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _zeros(self, *names: str, shape: Sequence[int] = ()) -> dict[str, npt.NDArray[Any]]:
        return {name: np.zeros(tuple(shape), self.dtype) for name in names}

    def _accumulators(self) -> dict[str, Variable]:
        """The accumulators by name, made where they are not yet there."""
        for name, start in self._start().items():
            if name not in self._held:
                self._held[name] = self._new(name, start)
        return self._held

    def _new(self, name: str, start: npt.NDArray[Any]) -> Variable:
        path = f"{self.name}/{name}"
        held = Variable(start, name, trainable=False, path=path, autocast=False)
        held._measures = True
        return held

    def _advance(self, update: UpdateFunction, arrays: Sequence[Any]) -> None:
        """Run one update of the accumulators kept here; in a trace, emit it."""
        held, trace = self._accumulators(), current_trace()
        if trace is not None:
            state = {name: trace.read(variable) for name, variable in held.items()}
            for name, value in update(trace.op, state, list(arrays)).items():
                trace.assign(held[name], value)
            return
        names = list(held)

        def emit(op: Emitter, values: list[ir.Value]) -> list[ir.Value]:
            known = dict(zip(names, values[len(arrays) :], strict=True))
            changed = known | dict(update(op, known, values[: len(arrays)]))
            return [changed[name] for name in names]

        key = value_key(self, ignore=("name", "_declared", "_held"))
        values = [held[name].numpy() for name in names]
        outputs = run_emission(emit, arrays, key=key, fixed=values)
        assign_together(zip(held.values(), outputs, strict=True))


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
    """Base of all metrics of targets and predictions; also the way to write one's own.

    A subclass declares its accumulators in the constructor with `add_variable`, and defines
    `update(op, state, y_true, y_pred, sample_weight)`, which emits ONNX operators, and
    `compute(state)`. Or it defines Keras's `update_state(y_true, y_pred, sample_weight)` and
    `result()`, which work on tensors with `seqonnx.ops` and assign to the accumulators. For a
    mean of per-sample values see `MeanMetric`.

    Args:
        name: name shown and logged; default: the class name in snake case.
        dtype: dtype of the accumulators; default float32.

    Example:
        >>> class Largest(Metric):
        ...     def __init__(self, name=None, dtype=None):
        ...         super().__init__(name, dtype)
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
        if type(self).update_state is not Metric.update_state:
            return self._trace_update(op, state, y_true, y_pred, sample_weight)
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
        trace = Trace(op, training=False, read_as={self._held[n]: v for n, v in state.items()})
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        with tracing(trace):
            self.update_state(*traced([y_true, y_pred]), **traced(given))
        return {name: trace.assigned[self._held[name]] for name in state}

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
