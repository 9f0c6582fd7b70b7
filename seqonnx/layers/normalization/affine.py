"""The common part of the normalizations: gamma, beta, and values of mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import constraints, dtypes, initializers, regularizers
from seqonnx.graph import Emitter, Variable
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting


class AffineLayer(Layer):
    """Base of the normalizations that multiply by gamma and add beta.

    Args:
        epsilon: added to the variance.
        center: whether beta is added.
        scale: whether gamma multiplies.
        beta_initializer: first beta.
        gamma_initializer: first gamma.
        beta_regularizer: penalty on beta.
        gamma_regularizer: penalty on gamma.
        beta_constraint: limits of beta.
        gamma_constraint: limits of gamma.
        **kwargs: see `Layer`.
    """

    _casts_integers = True

    supports_masking = True

    epsilon: Setting[float] = Setting(float)
    center: Setting[bool] = Setting(bool, until_built=True)
    scale: Setting[bool] = Setting(bool, until_built=True)

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    @property
    def _working_dtype(self) -> str:
        """At least float32, in which statistics do not overflow."""
        return dtypes.widened(self.compute_dtype)

    def _add_gamma(self, shape: Sequence[int | None]) -> None:
        """Declare gamma."""
        self.gamma = self.add_weight(
            shape,
            self.gamma_initializer,
            name="gamma",
            regularizer=self.gamma_regularizer,
            constraint=self.gamma_constraint,
        )

    def _add_beta(self, shape: Sequence[int | None]) -> None:
        """Declare beta."""
        self.beta = self.add_weight(
            shape,
            self.beta_initializer,
            name="beta",
            regularizer=self.beta_regularizer,
            constraint=self.beta_constraint,
        )


def centred(op: Emitter, x: ir.Value, axes: Sequence[int]) -> ir.Value:
    """Emit x - mean(x)."""
    return op.Sub(x, op.ReduceMean(x, list(axes)))


def over_root_mean_square(
    op: Emitter, x: ir.Value, of: ir.Value, axes: Sequence[int], epsilon: float
) -> ir.Value:
    """Emit x / sqrt(mean(of^2) + epsilon).

    Args:
        op: emitter.
        x: what is divided.
        of: what is squared.
        axes: axes of the mean.
        epsilon: added to the mean.
    """
    mean = op.ReduceMean(op.Mul(of, of), list(axes))
    return op.Mul(x, op.Reciprocal(op.Sqrt(op.Add(mean, epsilon))))
