"""The contract of a loss: per-sample values as nodes, and their reduction to a scalar."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, ClassVar, Final, Self, cast

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.configuration import Configured, arguments_for
from seqonnx.graph import Emitter, to_snake_case
from seqonnx.graph.signatures import adopt_renamed
from seqonnx.graph.tracing import current_trace, emit_method, traced
from seqonnx.losses.reduction import reduce_weighted, standardize_reduction
from seqonnx.losses.targets import TargetShape
from seqonnx.runtime.program import run_emission, value_key

_KERAS_DEFAULTS: dict[str, Any] = {"axis": -1, "dtype": None}
"""Entries of a Keras config that say nothing while they hold these values."""


Formula = Callable[..., ir.Value]
"""`fn(op, y_true, y_pred, **arguments)` to values per sample."""


_RENAMED: Final = {
    "per_sample": ("call", "op"),
    "mask": ("_mask", "op"),
    "check_targets": ("_check_targets", "y_true"),
    "emit": ("_emit", "op"),
}
"""Hooks of a user's class by their names until version 0.1."""


class Loss(Configured):
    """Base of all losses; also the way to write one's own.

    A subclass defines `call(op, y_true, y_pred)`, which emits ONNX operators, or Keras's
    `call(y_true, y_pred)`, which works on tensors with `seqonnx.ops`. The gradient follows from
    the graph.

    Args:
        name: name shown; default: the class name in snake case.
        reduction: `"sum_over_batch_size"` (or `"mean"`: sum of the weighted values over their
            number), `"sum"`, `"mean_with_sample_weight"` (over the sum of the weights) or
            `"none"`.

    Raises:
        ValueError: for an unknown reduction.

    Example:
        >>> class Cubic(Loss):
        ...     def call(self, op, y_true, y_pred):
        ...         return op.ReduceMean(op.Pow(op.Abs(op.Sub(y_true, y_pred)), 3.0), [-1])
        >>> Cubic()([[0.0], [0.0]], [[1.0], [2.0]])
        4.5
    """

    dtype: str = "float32"
    """The dtype that the loss is computed in."""

    _target_dtype: ClassVar[str] = "float32"
    """Dtype of the graph input for targets: `"int64"` for integer labels."""

    _formula: ClassVar[Formula | None] = None

    def __init_subclass__(cls, formula: Formula | None = None, **arguments: Any) -> None:
        """Let a class whose loss is a formula name it: `class Mine(Loss, formula=function)`.

        Args:
            formula: `fn(op, y_true, y_pred)` to the loss of each sample; its keyword-only
                arguments are read from attributes of the same name.
            **arguments: those of other base classes.
        """
        super().__init_subclass__(**arguments)
        adopt_renamed(cls, "Loss", _RENAMED)
        if isinstance(vars(cls).get("target_dtype"), str):  # its name until version 0.1
            cls._target_dtype = vars(cls)["target_dtype"]
        if formula is not None:
            cls._formula = staticmethod(formula)

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size"):
        self.name = to_snake_case(type(self).__name__) if name is None else name
        self.reduction = standardize_reduction(reduction)

    # What a loss defines.

    # A user's own may be written on tensors: then it has no `op`.
    def call(self, op: Any, y_true: Any, y_pred: Any) -> Any:
        """Emit the loss of each sample.

        Args:
            op: emitter; every ONNX operator is a method.
            y_true: targets.
            y_pred: predictions, shape `(batch, ...)`.

        Returns:
            Values, usually of shape `y_pred.shape[:-1]`.
        """
        if self._formula is not None:
            arguments = arguments_for(self, self._formula, Loss)
            return self._formula(op, y_true, y_pred, **arguments)
        raise NotImplementedError(
            f"Loss {type(self).__name__} does not define `call`. Write "
            "`call(self, op, y_true, y_pred)`, which emits the loss of each sample."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make a loss from the configuration returned by `get_config`, here or in Keras."""
        known = {k: v for k, v in config.items() if _KERAS_DEFAULTS.get(k, ...) != v}
        return cls(**known)

    # What the losses of this package define besides.

    def _mask(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value | None:
        """Emit which values count (True), or return None where all of them do."""
        return None

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit.

        Called once per `fit` on a whole array, and on each batch of what yields batches.

        Args:
            y_true: targets, batch first.
            y_pred_shape: shape of the model's output; None where a size is not fixed.
        """

    # What every loss does.

    def _emit(
        self,
        op: Emitter,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
        mask: ir.Value | None = None,
    ) -> ir.Value:
        """Emit the loss of a batch.

        Args:
            op: emitter of the graph.
            y_true: targets, of the dtype `_target_dtype`.
            y_pred: predictions, shape `(batch, ...)`.
            sample_weight: weights, shape `(batch,)` or that of the per-sample values.
            mask: True where a value counts, shape as `sample_weight`; default: that of `y_pred`.

        Returns:
            A scalar; the weighted per-sample values if the reduction is `"none"`.
        """
        values = emit_method(self, "Loss", "call", ("y_true", "y_pred"), op, y_true, y_pred)
        mask = op.mask_of(y_pred) if mask is None else mask
        own = self._mask(op, y_true, y_pred)
        if own is not None:
            mask = own if mask is None else op.And(own, mask)
        return reduce_weighted(op, values, sample_weight, mask, self.reduction)

    def __call__(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float | npt.NDArray[Any]:
        """Compute the loss of arrays; in a `call` on tensors, of tensors.

        Args:
            y_true: targets.
            y_pred: predictions; computed with as float32.
            sample_weight: one number, or weights of shape `(batch,)` or that of the per-sample
                values; sizes of 1 are broadcast.

        Returns:
            A float; an array of per-sample values if the reduction is `"none"`.

        Raises:
            ValueError: if the targets or weights do not fit the predictions.
        """
        trace = current_trace()
        if trace is not None:
            targets = trace.op.cast(trace.value(y_true), self._target_dtype)
            outputs = trace.op.cast(trace.value(y_pred), "float32")
            weight = trace.value(sample_weight, "float32")
            return cast("npt.NDArray[Any]", traced(self._emit(trace.op, targets, outputs, weight)))
        predicted = np.atleast_1d(dtypes.to_array(y_pred, "float32", "y_pred"))
        given = np.atleast_1d(dtypes.to_array(y_true, None, "y_true"))
        self._check_targets(given, predicted.shape)
        arrays = [given.astype(self._target_dtype), predicted]
        if sample_weight is not None:
            arrays.append(dtypes.to_array(sample_weight, "float32", "sample_weight"))
        (result,) = run_emission(
            lambda op, values: [self._emit(op, *values)], arrays, key=self._key()
        )
        return float(result) if np.ndim(result) == 0 else result

    def _key(self) -> Hashable:
        return value_key(self, ignore=("name",))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, reduction={self.reduction}>"
