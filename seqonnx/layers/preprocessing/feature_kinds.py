"""The kinds of features that a FeatureSpace knows, each with the layer that encodes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqonnx.graph import auto_name
from seqonnx.layers.core.identity import Identity
from seqonnx.layers.preprocessing.discretization import Discretization
from seqonnx.layers.preprocessing.features import Cross, Feature
from seqonnx.layers.preprocessing.hashing import Hashing
from seqonnx.layers.preprocessing.integer_lookup import IntegerLookup
from seqonnx.layers.preprocessing.normalization import Normalization
from seqonnx.layers.preprocessing.rescaling import Rescaling
from seqonnx.layers.preprocessing.string_lookup import StringLookup

_Number = float


class FeatureKinds:
    """Makes features: a method for each kind."""

    @classmethod
    def cross(
        cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> Cross:
        """Return a cross of features; see `features.Cross`."""
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """Return a feature that is encoded by a layer of one's own."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Return a feature of numbers that stay as they are."""
        return Feature("float32", Identity(name=_named("float", name)), "float")

    @classmethod
    def float_rescaled(
        cls, scale: _Number = 1.0, offset: _Number = 0.0, name: str | None = None
    ) -> Feature:
        """Return a feature of numbers times `scale` plus `offset`."""
        layer = Rescaling(scale=scale, offset=offset, name=_named("float_rescaled", name))
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Return a feature of numbers that get the mean 0 and the variance 1."""
        layer = Normalization(axis=-1, name=_named("float_normalized", name))
        return Feature("float32", layer, "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int,
        bin_boundaries: Sequence[_Number] | None = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a feature of numbers by the bin that they lie in."""
        own = _named("float_discretized", name)
        bins = None if bin_boundaries is not None else num_bins
        layer = Discretization(bin_boundaries=bin_boundaries, num_bins=bins, name=own)
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a feature of integers by their place in a vocabulary."""
        own = _named("integer_categorical", name)
        layer = IntegerLookup(max_tokens=max_tokens, num_oov_indices=num_oov_indices, name=own)
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Return a feature of strings by their place in a vocabulary."""
        own = _named("string_categorical", name)
        layer = StringLookup(max_tokens=max_tokens, num_oov_indices=num_oov_indices, name=own)
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Return a feature of strings by a hash."""
        layer = Hashing(num_bins=num_bins, name=_named("string_hashed", name))
        return Feature("string", layer, output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Return a feature of integers by a hash."""
        layer = Hashing(num_bins=num_bins, name=_named("integer_hashed", name))
        return Feature("int32", layer, output_mode)


def _named(kind: str, name: str | None) -> str:
    return f"{auto_name(kind) if name is None else name}_preprocessor"
