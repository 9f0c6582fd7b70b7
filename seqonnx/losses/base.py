"""The contract of a loss: per-sample values as nodes, and their reduction to a scalar."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, cast

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import catalogue, dtypes
from seqonnx.configuration import Configured, arguments_for
from seqonnx.graph import Emitter, dtype_name, to_snake_case
from seqonnx.graph.operable import Valueless
from seqonnx.graph.signatures import adopt_renamed
from seqonnx.graph.tracing import current_trace, emit_method, traced
from seqonnx.losses.reduction import reduce_weighted, standardize_reduction
from seqonnx.losses.targets import TargetShape
from seqonnx.runtime.program import run_emission, value_key
from seqonnx.structures import holds
from seqonnx.tensor_function import TensorFunction

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
        dtype: the dtype that it is computed in, or a dtype policy, whose compute dtype it is;
            default float32.

    Raises:
        ValueError: for an unknown reduction or dtype.

    Example:
        >>> class Cubic(Loss):
        ...     def call(self, op, y_true, y_pred):
        ...         return op.ReduceMean(op.Pow(op.Abs(op.Sub(y_true, y_pred)), 3.0), [-1])
        >>> Cubic()([[0.0], [0.0]], [[1.0], [2.0]])
        4.5
    """

    _target_dtype: ClassVar[str] = "float32"
    """Dtype of the graph input for targets: `"int64"` for integer labels."""

    _unsaid: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Arguments that a configuration does not hold while they have these values."""

    _formula: ClassVar[Formula | None] = None

    def __init_subclass__(cls, formula: Formula | None = None, **arguments: Any) -> None:
        """Let a class whose loss is a formula name it: `class Mine(Loss, formula=function)`.

        Args:
            formula: `fn(op, y_true, y_pred)` to the loss of each sample; its other
                arguments are read from attributes of the same name.
            **arguments: those of other base classes.
        """
        super().__init_subclass__(**arguments)
        adopt_renamed(cls, "Loss", _RENAMED)
        if isinstance(vars(cls).get("target_dtype"), str):  # its name until version 0.1
            cls._target_dtype = vars(cls)["target_dtype"]
        if formula is not None:
            cls._formula = staticmethod(formula)

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        self.name = to_snake_case(type(self).__name__) if name is None else name
        self.reduction = standardize_reduction(reduction)
        self._dtype = None if dtype is None else _compute_dtype(dtype)

    @property
    def dtype(self) -> str:
        """The dtype that the loss is computed in."""
        return self._dtype or "float32"

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

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; without those that Keras leaves out, if default."""
        config = super().get_config()
        unsaid = {"dtype"} if self._dtype is None else set()
        unsaid |= {name for name, value in self._unsaid.items() if config.get(name) == value}
        return {name: value for name, value in config.items() if name not in unsaid}

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
            A scalar; the weighted per-sample values if the reduction is `"none"`. In float32 where
            the loss has a dtype of its own.
        """
        if self._dtype is None:
            return self._emit_as_is(op, y_true, y_pred, sample_weight, mask)
        y_pred = op.cast(y_pred, self._dtype)
        if dtypes.is_float(dtype_name(y_true)):
            y_true = op.cast(y_true, self._dtype)
        return op.cast(self._emit_as_is(op, y_true, y_pred, sample_weight, mask), "float32")

    def _emit_as_is(
        self,
        op: Emitter,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
        mask: ir.Value | None = None,
    ) -> ir.Value:
        """Emit the loss of a batch in the dtype of the predictions; arguments as `_emit`."""
        values = emit_method(self, "Loss", "call", ("y_true", "y_pred"), op, y_true, y_pred)
        masks = [self._mask(op, y_true, y_pred), op.mask_of(values)]
        masks.append(op.mask_of(y_pred) if mask is None else mask)
        kept = None
        for each in dict.fromkeys(found for found in masks if found is not None):
            kept = each if kept is None else op.And(kept, each)
        return reduce_weighted(op, values, sample_weight, kept, self.reduction)

    def __call__(
        self,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float | npt.NDArray[Any]:
        """Compute the loss of arrays; in a `call` on tensors, of tensors.

        Args:
            y_true: targets.
            y_pred: predictions; computed with in `dtype`.
            sample_weight: one number, or weights of shape `(batch,)` or that of the per-sample
                values; sizes of 1 are broadcast.

        Returns:
            A float; an array of per-sample values if the reduction is `"none"`.

        Raises:
            ValueError: if the targets or weights do not fit the predictions.
        """
        trace = current_trace()
        if trace is not None:
            weight = trace.value(sample_weight, "float32")
            result = self._emit_cast(trace.op, trace.value(y_true), trace.value(y_pred), weight)
            return cast("npt.NDArray[Any]", traced(result))
        if holds((y_true, y_pred, sample_weight), Valueless):
            return cast("npt.NDArray[Any]", self._recorded(y_true, y_pred, sample_weight))
        predicted = np.atleast_1d(dtypes.to_array(y_pred, self.dtype, "y_pred"))
        given = np.atleast_1d(dtypes.to_array(y_true, None, "y_true"))
        self._check_targets(given, predicted.shape)
        arrays = [given.astype(self._targets_in()), predicted]
        if sample_weight is not None:
            arrays.append(dtypes.to_array(sample_weight, "float32", "sample_weight"))
        (result,) = run_emission(
            lambda op, values: [self._emit_as_is(op, *values)], arrays, key=self._key()
        )
        return float(result) if np.ndim(result) == 0 else result

    def _emit_cast(
        self, op: Emitter, y_true: ir.Value, y_pred: ir.Value, sample_weight: ir.Value | None
    ) -> ir.Value:
        """Emit the loss of values of any dtype, in its own; arguments as `_emit`."""
        y_true, y_pred = op.cast(y_true, self._targets_in()), op.cast(y_pred, self.dtype)
        return self._emit_as_is(op, y_true, y_pred, sample_weight)

    def _recorded(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Note a call on symbolic tensors in the layer graph; returns what it gives."""
        if catalogue.find("loss", catalogue.saved_name(type(self))) is not type(self):
            raise TypeError(
                f"Only losses of seqonnx can be called on symbolic tensors. {type(self).__name__} "
                "is one of your own: call it in the `call` of a layer or model."
            )
        return _COMPUTED(y_true, y_pred, sample_weight, loss=catalogue.serialize(self))

    def _targets_in(self) -> str:
        """The dtype of targets in a call: that of the loss, but for labels."""
        return self.dtype if self._target_dtype == "float32" else self._target_dtype

    def _key(self) -> Hashable:
        return value_key(self, ignore=("name",))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, reduction={self.reduction}>"


def _computed(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    sample_weight: ir.Value | None = None,
    loss: Any = None,
) -> ir.Value:
    """Emit the loss that a configuration describes, of targets, predictions and weights."""
    made: Loss = catalogue.get("loss", loss, Loss)
    return made._emit_cast(op, y_true, y_pred, sample_weight)


_COMPUTED: Final = catalogue.register("objective", saved_as="losses.loss")(
    TensorFunction(_computed)
)
"""The function that calls of losses on symbolic tensors are in the layer graph."""


def _compute_dtype(dtype: Any) -> str:
    """The floating-point dtype that a dtype, or a policy of dtypes, says to compute in."""
    found = getattr(dtype, "compute_dtype", None) or dtypes.DTypePolicy.of(dtype).compute_dtype
    if not dtypes.is_float(found):
        raise ValueError(
            "`dtype` of a loss must be a floating-point dtype or a dtype policy. "
            f"Received: dtype={dtype}"
        )
    return str(found)
