"""Means and sums: of per-sample values of a model, or of any numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue
from seqonnx.catalogue import register
from seqonnx.configuration import arguments_for
from seqonnx.graph import Emitter, static_shape, to_snake_case
from seqonnx.graph.signatures import adopt_renamed
from seqonnx.graph.tracing import emission_of, emit_method
from seqonnx.metrics.base import Accumulator, Held, Result, State, Values
from seqonnx.metrics.metric import Metric, data_of, weights_of
from seqonnx.objectives import (
    match_ranks,
    refuse_misfit,
    spread_weights,
    to_type_of,
    without_leading_ones,
)

Formula = Callable[..., ir.Value]
"""`fn(op, y_true, y_pred, **arguments)` to values per sample."""


@register("metric", "mean")
class Mean(Metric):
    """Running (weighted) mean of numbers.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators; default float32.

    Example:
        >>> mean = Mean()
        >>> mean.update_state([1.0, 3.0, 5.0, 7.0], sample_weight=[1, 1, 0, 0])
        >>> mean.result()
        2.0
    """

    total, count = Held(), Held()

    def __init__(self, name: str | None = "mean", dtype: str | None = None) -> None:
        super().__init__(dtype, name)

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the sum and the number (or summed weights), both 0."""
        return self._zeros("total", "count")

    def update_state(  # type: ignore[override]  # of numbers, not of targets
        self, values: Any, sample_weight: Any = None
    ) -> None:
        """Accumulate numbers; values beyond the first axis are averaged first."""
        self._advance(
            lambda op, state, inputs: accumulate_mean(op, state, *_pair(inputs)),
            _arrays(values, sample_weight),
        )

    def _compute(self, state: State) -> Result:
        """Return the mean; 0 before the first number."""
        return mean_so_far(state)


@register("metric", "sum")
class Sum(Metric):
    """Running (weighted) sum of numbers.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulator; default float32.

    Example:
        >>> total = Sum()
        >>> total.update_state([1.0, 3.0, 5.0, 7.0])
        >>> total.result()
        16.0
    """

    total = Held()

    def __init__(self, name: str | None = "sum", dtype: str | None = None) -> None:
        super().__init__(dtype, name)

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the sum, 0."""
        return self._zeros("total")

    def update_state(  # type: ignore[override]  # of numbers, not of targets
        self, values: Any, sample_weight: Any = None
    ) -> None:
        """Accumulate numbers."""
        self._advance(_accumulate_sum, _arrays(values, sample_weight))

    def _compute(self, state: State) -> Result:
        """Return the sum."""
        return float(state["total"])


class MeanMetric(Metric):
    """A metric that is the (weighted) mean over all samples of what `call` emits.

    Each sample counts once: values beyond the first axis are averaged first.

    Args:
        name: name shown and logged; default: the class name in snake case.
        dtype: dtype of the accumulators; default float32.
    """

    total, count = Held(), Held()
    _formula: ClassVar[Formula | None] = None
    _averages_elements: ClassVar[bool] = False
    """Whether `call` emits a mean over the last axis of what each element gives.

    Data of one axis are then one row, as in Keras, unless there is a weight for each element.
    """

    def __init_subclass__(
        cls, formula: Formula | None = None, rows: bool | None = None, **arguments: Any
    ) -> None:
        """Let a class that is a mean of a formula name it.

        `class Bias(MeanMetric, formula=lambda op, y, p: op.Sub(p, op.CastLike(y, p)))`

        Args:
            formula: `fn(op, y_true, y_pred)` to the values of the samples; its other
                arguments are read from attributes of the same name.
            rows: whether the formula is a mean over the last axis of what each element gives:
                data of one axis are then one row.
            **arguments: those of other base classes.
        """
        super().__init_subclass__(**arguments)
        adopt_renamed(cls, "Metric", {"values": ("call", "op")})
        if formula is not None:
            cls._formula = staticmethod(formula)
        if rows is not None:
            cls._averages_elements = rows

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(dtype, to_snake_case(type(self).__name__) if name is None else name)

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the sum and the number (or summed weights) of the samples, both 0."""
        return self._zeros("total", "count")

    # A user's own may be written on tensors: then it has no `op`.
    def call(self, op: Any, y_true: Any, y_pred: Any) -> Any:
        """Emit the values of the samples, shape `(batch, ...)`.

        Args:
            op: emitter; every ONNX operator is a method.
            y_true: targets, any numeric dtype.
            y_pred: predictions, shape `(batch, ...)`.
        """
        if self._formula is not None:
            arguments = arguments_for(self, self._formula, Accumulator)
            return self._formula(op, y_true, y_pred, **arguments)
        raise NotImplementedError(
            f"Metric {type(self).__name__} does not define `call`. Write "
            "`call(self, op, y_true, y_pred)`, which emits the value of each sample."
        )

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit sum and count after a batch."""
        mask = op.mask_of(y_pred)
        if mask is not None:
            sample_weight = _under(op, mask, sample_weight)
        if sample_weight is not None and self._averages_elements:
            y_true, y_pred = _as_samples(op, y_true, y_pred, sample_weight)
        values = emit_method(self, "Metric", "call", ("y_true", "y_pred"), op, y_true, y_pred)
        counted = op.mask_of(values)
        # As in Keras: without weights what is masked counts, as 0.
        if counted is not None and sample_weight is not None:
            sample_weight = _under(op, counted, sample_weight)
        return accumulate_mean(op, state, values, sample_weight)

    def _compute(self, state: State) -> Result:
        """Return the mean; 0 before the first sample."""
        return mean_so_far(state)


@register("metric", "mean_metric_wrapper")
class MeanMetricWrapper(MeanMetric):
    """The mean of what a function emits.

    Args:
        fn: `fn(op, y_true, y_pred)` to values of shape `(batch, ...)`; `op` is the emitter, whose
            methods are the ONNX operators. Or `fn(y_true, y_pred)`, on tensors.
        name: name shown and logged; default: the function's name.
        dtype: dtype of the accumulators; default float32.
        **arguments: further keyword arguments of `fn`.

    Raises:
        TypeError: if `fn` has another signature.

    Example:
        >>> metric = MeanMetricWrapper(lambda op, y_true, y_pred: op.Sub(y_pred, y_true), "bias")
        >>> metric([1.0, 2.0], [2.0, 5.0])
        2.0
    """

    def __init__(
        self,
        fn: Callable[..., ir.Value],
        name: str | None = None,
        dtype: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(getattr(fn, "__name__", None) if name is None else name, dtype)
        self._emission = emission_of(fn, "metric", "op", "y_true", "y_pred", **arguments)
        self.fn = fn
        self._arguments = arguments

    def call(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit what the function emits, from targets of the predictions' dtype."""
        y_true = to_type_of(op, y_true, y_pred)
        value: ir.Value = self._emission(op, y_true, y_pred, **self._arguments)
        return value

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; a function of this package by its name."""
        config = super().get_config() | self._arguments
        name = catalogue.name_of(self.fn)
        if function_named(name) is self.fn:
            kind = {"module": "builtins", "class_name": "function", "registered_name": "function"}
            config["fn"] = kind | {"config": name}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a metric from the configuration returned by `get_config`, here or in Keras.

        Raises:
            ValueError: if it names a function that is not one of this package.
        """
        fn = config.get("fn")
        if isinstance(fn, Mapping):
            found = function_named(fn.get("config"))
            if found is None:
                raise ValueError(
                    f"The metric '{config.get('name')}' is the mean of the function "
                    f"'{fn.get('config')}', which is none of `seqonnx.metrics`. Pass it in "
                    "`custom_objects`."
                )
            config = config | {"fn": found}
        return cls(**config)


def function_named(name: Any) -> Callable[..., Any] | None:
    """Return the function of this package that a name means; None if it means none.

    Example:
        >>> function_named("huber").__name__
        'huber'
    """
    kinds = ("metrics", "losses")
    found = (catalogue.find("objective", f"{kind}.{name}") for kind in kinds)
    return next((function for function in found if function is not None), None)


def accumulate_mean(
    op: Emitter, state: Values, values: ir.Value, weight: ir.Value | None = None
) -> dict[str, ir.Value]:
    """Emit the sum and count of a mean after a batch.

    Args:
        op: emitter of the graph.
        state: `total` and `count` before the batch.
        values: values, shape `(batch, ...)`.
        weight: weights, shape `(batch,)`, or that of the first axes of `values`; sizes of 1 are
            broadcast. One number weighs the batch as a whole, as in Keras: in batches of unlike
            sizes give one for each sample.

    Returns:
        `total` and `count` after the batch.
    """
    values = to_type_of(op, values, state["total"])
    if weight is None:
        values = _mean_after(op, values, 1)
        count = to_type_of(op, op.Size(values), state["count"])
    else:
        weight = without_leading_ones(op, to_type_of(op, weight, values), values)
        values, weight = match_ranks(op, values, weight)
        refuse_misfit(weight, values)
        values = _mean_after(op, values, len(static_shape(weight)))
        if static_shape(weight) != static_shape(values):
            weight = op.Expand(weight, op.Shape(values))
        values = _mean_after(op, op.Mul(values, weight), 1)
        count = op.ReduceSum(_mean_after(op, weight, 1), keepdims=0)
    total = op.Add(state["total"], op.ReduceSum(values, keepdims=0))
    return {"total": total, "count": op.Add(state["count"], count)}


def _under(op: Emitter, mask: ir.Value, weight: ir.Value | None) -> ir.Value:
    """Weights that are 0 where a mask is False."""
    if weight is None:
        return op.cast(mask, "float32")
    kept, weight = match_ranks(op, to_type_of(op, mask, weight), weight)
    return op.Mul(spread_weights(op, weight, kept), kept)


def mean_so_far(state: State) -> float:
    """Return total / count; 0 where nothing was counted."""
    count = float(state["count"])
    return float(state["total"]) / count if count != 0 else 0.0


def _as_samples(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, weight: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Turn data of one axis into a column where there is a weight for each element."""
    ranks = {len(static_shape(value)) for value in (y_true, y_pred)}
    if ranks != {1} or len(static_shape(weight)) == 0:
        return y_true, y_pred
    return op.Unsqueeze(y_true, [-1]), op.Unsqueeze(y_pred, [-1])


def _mean_after(op: Emitter, values: ir.Value, axis: int) -> ir.Value:
    """Mean over the axes from `axis` on, which vanish."""
    rank = len(static_shape(values))
    if rank <= axis:
        return values
    return op.ReduceMean(values, list(range(axis, rank)), keepdims=0)


def _accumulate_sum(op: Emitter, state: Values, inputs: list[ir.Value]) -> dict[str, ir.Value]:
    """Sum after a batch of values and perhaps weights."""
    values, weight = _pair(inputs)
    values = to_type_of(op, values, state["total"])
    if weight is not None:
        values, weight = match_ranks(op, values, to_type_of(op, weight, values))
        values = op.Mul(values, spread_weights(op, weight, values))
    return {"total": op.Add(state["total"], op.ReduceSum(values, keepdims=0))}


def _pair(inputs: list[ir.Value]) -> tuple[ir.Value, ir.Value | None]:
    """Values and their weights, which may be absent."""
    return inputs[0], inputs[1] if len(inputs) > 1 else None


def _arrays(values: Any, sample_weight: Any) -> list[Any]:
    """Values and perhaps weights as float32 arrays, or values of a graph."""
    given = [data_of(values, "float32", "values")]
    return given if sample_weight is None else [*given, weights_of(sample_weight)]
