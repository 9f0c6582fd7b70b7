"""BatchNormalization: every channel to mean 0 and variance 1 over the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx import initializers
from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable, dtype_name, static_shape
from seqonnx.layers.base import InputSpec
from seqonnx.layers.normalization.affine import AffineLayer
from seqonnx.layers.normalization.axes import along
from seqonnx.layers.normalization.renormalization import (
    Renormalized,
    Root,
    checked_limits,
    correction,
)
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import from_channels_first, to_channels_first
from seqonnx.symbolic import Shape

_EPSILON: Final = 1e-7
"""Added to the number of entries that count: there may be none."""


@register("layer")
class BatchNormalization(AffineLayer):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy, 2015).

    In training mean and variance are those of the batch (the variance divides by its size), and
    the moving averages follow them. In inference, and in training while the layer is frozen
    (`trainable = False`), the moving averages are used and do not change. A call takes a further
    argument `mask`, True where an entry counts for the batch's mean and variance: the shape of the
    input without its last axis. By default it is the mask that the input brings along.

    Args:
        axis: axis of the channels.
        momentum: share of a moving average that stays at each step.
        epsilon: added to the variance.
        center: whether beta is added.
        scale: whether gamma multiplies.
        beta_initializer: first beta, of shape (channels,).
        gamma_initializer: first gamma, of shape (channels,).
        moving_mean_initializer: first moving mean.
        moving_variance_initializer: first moving variance.
        beta_regularizer: penalty on beta.
        gamma_regularizer: penalty on gamma.
        beta_constraint: limits of beta.
        gamma_constraint: limits of gamma.
        renorm: whether training renormalizes (Ioffe, 2017): what is normalized by the batch is
            corrected to what the moving averages would have made of it, so that small batches
            train what inference computes. The correction is r x + d, without a gradient.
        renorm_clipping: limits of the correction: a dict of `rmax`, `rmin` and `dmax`.
        renorm_momentum: share of the averages behind the correction that stays at each step.
        synchronized: whether the statistics are those of all replicas. There is one replica, so
            both values mean the same here.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the axis is not an integer, or for limits that cannot be.

    Example:
        >>> BatchNormalization(epsilon=0.0)([[1.0, 2.0]]).tolist()
        [[1.0, 2.0]]
    """

    axis: Setting[int] = Setting(until_built=True)
    momentum: Setting[float] = Setting(float)
    renorm: Setting[bool] = Setting(bool, until_built=True)
    renorm_momentum: Setting[float] = Setting(float)

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        axis = plain_value(axis)
        if not isinstance(axis, int):
            raise ValueError(f"Expected `axis` to be an integer. Received: axis={axis}")
        self.axis = axis
        self.momentum = momentum
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = renorm
        self.renorm_clipping = checked_limits(renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = bool(synchronized)
        self._moving: tuple[Variable, Variable] | None = None
        self._renormalized: Renormalized | None = None
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Shape) -> None:
        """Declare gamma, beta and the moving averages."""
        rank = len(input_shape)
        if not -rank <= self.axis < rank or self.axis % rank == 0:
            raise ValueError(
                f"`axis` of layer '{self.name}' must be an axis of its input other than the "
                f"batch. Received: axis={self.axis}, input_shape={input_shape}"
            )
        shape = (input_shape[self.axis],)
        if self.scale:
            self._add_gamma(shape)
        if self.center:
            self._add_beta(shape)
        self._moving = (
            self.add_weight(
                shape, self.moving_mean_initializer, name="moving_mean", trainable=False
            ),
            self.add_weight(
                shape, self.moving_variance_initializer, name="moving_variance", trainable=False
            ),
        )
        if self.renorm:
            self._renormalized = self._add_renormalized(shape)
        self.input_spec = InputSpec(
            ndim=len(input_shape), axes={self.axis: self.moving_mean.shape[0]}
        )

    def _add_renormalized(self, shape: tuple[int | None, ...]) -> Renormalized:
        """Declare the weights of the renormalization."""
        root = Root(self.moving_variance_initializer)
        mean = self.moving_mean_initializer.clone()
        return Renormalized(
            self.add_weight(shape, root, name="moving_stddev", trainable=False),
            self.add_weight(shape, mean, name="renorm_mean", trainable=False),
            self.add_weight(shape, root, name="renorm_stddev", trainable=False),
        )

    @property
    def moving_mean(self) -> Variable:
        """Moving average of the mean."""
        return self._moving_averages("moving_mean")[0]

    @property
    def moving_variance(self) -> Variable:
        """Moving average of the variance."""
        return self._moving_averages("moving_variance")[1]

    def call(self, op: Emitter, x: ir.Value, training: bool, mask: Any = None) -> ir.Value:
        """Emit the operator in its training or its inference mode."""
        if mask is not None:
            mask = self._checked(op, mask, x)
            if training and self.trainable:
                return self._emit_masked(op, x, mask)
        x = to_channels_first(op, x, self.axis)
        emit = self._emit_training if training and self.trainable else self._emit_inference
        return from_channels_first(op, emit(op, x), self.axis)

    def _emit_inference(self, op: Emitter, x: ir.Value) -> ir.Value:
        gamma, beta = self._affine(op, x)
        return op.BatchNormalization(
            x, gamma, beta, self.moving_mean, self.moving_variance, epsilon=self.epsilon
        )

    def _emit_training(self, op: Emitter, x: ir.Value) -> ir.Value:
        renormalized = self._renormalized
        gamma, beta = self._affine(op, x, unit=renormalized is not None)
        # With momentum 0 the operator returns the batch's own statistics, whatever comes in. What
        # ONNX Runtime makes of this node is the business of `lowering.batch_statistics`.
        y, mean, variance = op.BatchNormalization(
            *(x, gamma, beta, self._filled(op, x, 0.0), self._filled(op, x, 1.0)),
            epsilon=self.epsilon,
            momentum=0.0,
            training_mode=1,
            _outputs=3,
        )
        if renormalized is not None:
            return self._renormalize(op, renormalized, y, 1, mean, variance)
        self._follow(op, self.moving_mean, mean)
        self._follow(op, self.moving_variance, variance)
        return y

    def _checked(self, op: Emitter, mask: Any, x: ir.Value) -> ir.Value:
        """A mask as a bool value, with an axis for the channels."""
        given = mask if isinstance(mask, ir.Value) else op.constant(np.asarray(mask), "mask")
        shapes = [
            tuple(d if isinstance(d, int) else None for d in static_shape(v)) for v in (given, x)
        ]
        if len(shapes[0]) != len(shapes[1]) - 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs. Received: "
                f"mask.shape={shapes[0]}, inputs.shape={shapes[1]}"
            )
        return op.Unsqueeze(op.cast(given, "bool"), [-1])

    def _emit_masked(self, op: Emitter, x: ir.Value, mask: ir.Value) -> ir.Value:
        """Emit the normalization by mean and variance of what counts."""
        rank = len(static_shape(x))
        axis = self.axis % rank
        others = [other for other in range(rank) if other != axis]
        counts = op.Expand(op.cast(mask, dtype_name(x)), op.Shape(x))
        number = op.Add(op.ReduceSum(counts, others), _EPSILON)
        mean = op.Div(op.ReduceSum(op.Where(mask, x, 0.0), others), number)
        apart = op.Sub(x, mean)
        square = op.Where(mask, op.Mul(apart, apart), 0.0)
        variance = op.Div(op.ReduceSum(square, others), number)
        flat = op.Reshape(mean, [-1]), op.Reshape(variance, [-1])
        if self._renormalized is None:
            self._follow(op, self.moving_mean, flat[0])
            self._follow(op, self.moving_variance, flat[1])
        y = op.Mul(apart, op.Reciprocal(op.Sqrt(op.Add(variance, self.epsilon))))
        if self._renormalized is not None:
            return self._renormalize(op, self._renormalized, y, axis, *flat)
        if self.gamma is not None:
            y = op.Mul(y, along(op, self.gamma, [axis], rank))
        return y if self.beta is None else op.Add(y, along(op, self.beta, [axis], rank))

    def _renormalize(
        self,
        op: Emitter,
        weights: Renormalized,
        x: ir.Value,
        axis: int,
        mean: ir.Value,
        variance: ir.Value,
    ) -> ir.Value:
        """Emit gamma (r x + d) + beta of normalized values, and move the averages.

        Args:
            op: emitter.
            weights: the weights of the renormalization.
            x: normalized by the batch, without gamma and beta.
            axis: axis of its channels.
            mean: mean of the batch, of shape (channels,).
            variance: variance of the batch.
        """
        stddev = op.Sqrt(op.Add(variance, self.epsilon))
        scale, shift = correction(
            op, weights, self.renorm_clipping or {}, self.epsilon, mean, stddev
        )
        if self.gamma is not None:
            scale, shift = op.Mul(scale, self.gamma), op.Mul(shift, self.gamma)
        if self.beta is not None:
            shift = op.Add(shift, self.beta)
        self._follow(op, weights.mean, mean, self.renorm_momentum)
        self._follow(op, weights.stddev, stddev, self.renorm_momentum)
        self._follow(op, self.moving_mean, mean)
        followed = self._follow(op, weights.moving_stddev, stddev)
        squared = op.Sub(op.Mul(followed, followed), self.epsilon)
        op.update(self.moving_variance, op.Relu(squared))
        sizes = [-1] + [1] * (len(static_shape(x)) - axis - 1)
        return op.Add(op.Mul(x, op.Reshape(scale, sizes)), op.Reshape(shift, sizes))

    def _affine(self, op: Emitter, x: ir.Value, unit: bool = False) -> tuple[Any, Any]:
        gamma = self._filled(op, x, 1.0) if self.gamma is None or unit else self.gamma
        beta = self._filled(op, x, 0.0) if self.beta is None or unit else self.beta
        return gamma, beta

    def _filled(self, op: Emitter, x: ir.Value, value: float) -> ir.Value:
        """A constant vector with an element for each channel."""
        name = "ones" if value == 1.0 else "zeros"
        return op.constant(np.full(self.moving_mean.shape, value, dtype_name(x)), name)

    def _follow(
        self, op: Emitter, average: Variable, value: ir.Value, momentum: float | None = None
    ) -> ir.Value:
        """Move a moving average towards a batch's value, and return where it is then."""
        momentum = self.momentum if momentum is None else momentum
        # A layer that is called twice moves on from where its first call left.
        before = op.updates.get(average, op.read(average))
        kept = op.Mul(before, momentum)
        after: ir.Value = op.Add(kept, op.Mul(value, 1.0 - momentum))
        op.update(average, after)
        return after

    def _moving_averages(self, name: str) -> tuple[Variable, Variable]:
        if self._moving is None:
            raise AttributeError(f"You must build the layer before accessing `{name}`.")
        return self._moving
