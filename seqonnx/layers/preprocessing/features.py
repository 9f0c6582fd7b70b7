"""A feature of a table, and a cross of several: how each is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seqonnx.layers.base import Layer
from seqonnx.layers.preprocessing.category_encoding import CategoryEncoding
from seqonnx.layers.preprocessing.discretization import Discretization
from seqonnx.layers.preprocessing.hashed_crossing import HashedCrossing
from seqonnx.layers.preprocessing.hashing import Hashing
from seqonnx.layers.preprocessing.index_lookup import IndexLookup
from seqonnx.layers.preprocessing.normalization import Normalization
from seqonnx.layers.serialization import deserialize, serialize

_MODES: Final = ("int", "one_hot", "float")


class Feature:
    """A column of a table and the layer that encodes it.

    Args:
        dtype: dtype of the column.
        preprocessor: the layer, or its configuration.
        output_mode: `"float"` or `"int"` for what the layer gives, `"one_hot"` for its integers as
            one-hot rows.

    Raises:
        ValueError: if the mode is none of these.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        _check_mode(output_mode, _MODES)
        self.dtype = dtype
        self.preprocessor: Layer = _as_layer(preprocessor)
        self.output_mode = output_mode

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as plain values."""
        return {
            "dtype": self.dtype,
            "preprocessor": serialize(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        """Make a feature from the configuration that `get_config` returned."""
        return cls(**config)


class Cross:
    """Features that are hashed together.

    Args:
        feature_names: names of the features.
        crossing_dim: number of values to hash to.
        output_mode: `"one_hot"` or `"int"`.

    Raises:
        ValueError: if the mode is none of these.
    """

    def __init__(
        self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> None:
        _check_mode(output_mode, _MODES[:2])
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        """The names of the features, joined."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as plain values."""
        return {
            "feature_names": self.feature_names,
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Cross:
        """Make a cross from the configuration that `get_config` returned."""
        return cls(**config)


def _as_layer(given: Any) -> Layer:
    """A layer, from its configuration where it is given as that."""
    if isinstance(given, Layer):
        return given
    if given.get("class_name") == "TFDIdentity":  # Keras's, in its feature spaces alone
        given = {"class_name": "Identity", "config": {"name": given["config"]["name"]}}
    return deserialize(given)


def number_of_values(layer: Layer, name: str) -> int:
    """Return how many different integers a layer can give.

    Args:
        layer: the layer that encodes a feature.
        name: of the feature.

    Raises:
        ValueError: if it is not a layer of which that is known.
    """
    if isinstance(layer, IndexLookup):
        return layer.vocabulary_size()
    if isinstance(layer, CategoryEncoding):
        return int(layer.num_tokens or 0)
    if isinstance(layer, Discretization) and layer.num_bins is None:
        return len(layer.bin_boundaries or ()) + 1
    if isinstance(layer, Discretization | Hashing | HashedCrossing):
        return int(layer.num_bins or 0)
    raise ValueError(
        f"The feature '{name}' cannot be encoded as one-hot rows: it is not known how many values "
        f"its layer {layer} gives. Use output_mode='int'"
    )


def adapts(layer: Layer) -> bool:
    """Return whether a layer has to see data first: what it needs to know was not given."""
    config = layer.get_config()
    if isinstance(layer, Normalization):
        return config["mean"] is None
    if config.get("has_input_vocabulary", False):
        return False
    if isinstance(layer, Discretization):
        return config["num_bins"] is not None
    return getattr(layer, "adapt", None) is not None


def _check_mode(mode: str, legal: Sequence[str]) -> None:
    if mode not in legal:
        raise ValueError(
            f"`output_mode` must be one of {', '.join(legal)}. Received: output_mode={mode!r}"
        )
