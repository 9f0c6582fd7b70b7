"""FeatureSpace: the columns of a table as one array for a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from seqonnx.export.keras_objects import object_entry
from seqonnx.graph import auto_name
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import Input
from seqonnx.layers.merging.merging import Concatenate
from seqonnx.layers.preprocessing.category_encoding import CategoryEncoding
from seqonnx.layers.preprocessing.feature_kinds import FeatureKinds
from seqonnx.layers.preprocessing.features import Cross, Feature, adapts, number_of_values
from seqonnx.layers.preprocessing.hashed_crossing import HashedCrossing
from seqonnx.models.feature_space_files import (
    CLASS,
    load_space,
    read_json,
    save_space,
    space_entry,
    write_json,
)

_KINDS: Final = (
    *("float", "float_normalized", "float_rescaled", "float_discretized", "integer_categorical"),
    *("string_categorical", "integer_hashed", "string_hashed"),
)


class FeatureSpace(FeatureKinds):
    """The columns of a table, each encoded by a preprocessing layer, as one array or as a dict.

    Args:
        features: for each column a kind (`"float"`, `"float_normalized"`, `"float_rescaled"`,
            `"float_discretized"`, `"integer_categorical"`, `"string_categorical"`,
            `"integer_hashed"` or `"string_hashed"`), or what a method of that name, or `feature`,
            returns.
        output_mode: `"concat"` for one array: columns sorted by name, then crosses; `"dict"` for
            one array for each.
        crosses: groups of names of features to be hashed together, or what `cross` returns.
        crossing_dim: number of values of crosses.
        hashing_dim: number of values of hashed features.
        num_discretization_bins: number of bins of discretized features.
        name: name of the feature space.

    Raises:
        ValueError: if an argument is not legal, or a cross names an unknown feature.

    Example:
        >>> space = FeatureSpace({"age": "float", "city": "string_categorical"})
        >>> space.adapt({"age": [30.0, 40.0], "city": ["Rome", "Oslo"]})
        >>> space({"age": 50.0, "city": "Rome"}).shape
        (4,)
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        if not features:
            raise ValueError(f"`features` must name columns. Received: features={features!r}")
        if output_mode not in {"concat", "dict"}:
            raise ValueError(
                f'`output_mode` must be "concat" or "dict". Received: output_mode={output_mode!r}'
            )
        self.name = auto_name(CLASS) if name is None else name
        self.output_mode, self.crossing_dim, self.hashing_dim = (
            *(output_mode, crossing_dim, hashing_dim),
        )
        self.num_discretization_bins = num_discretization_bins
        self.features = {key: self._feature(key, each) for key, each in features.items()}
        self.crosses = [self._cross(each) for each in crosses or ()]
        self.inputs = {
            key: Input((1,), dtype=each.dtype, name=key) for key, each in self.features.items()
        }
        self.preprocessors = {key: each.preprocessor for key, each in self.features.items()}
        self.crossers = {
            each.name: HashedCrossing(each.crossing_dim, name=each.name) for each in self.crosses
        }
        self._adapted = not any(adapts(layer) for layer in self.preprocessors.values())
        self._encoded: Any = None

    # Use.

    def adapt(self, dataset: Any) -> None:
        """Learn vocabularies, bins and moments from data.

        Args:
            dataset: a dict of columns, or an iterable of dicts with batches of them or with single
                samples, which is passed over for each feature that learns.

        Raises:
            ValueError: if it is neither.
        """
        if isinstance(dataset, Mapping):
            dataset = [dataset]
        if isinstance(dataset, Iterator) or not isinstance(dataset, Iterable):
            raise ValueError(
                "A feature space adapts to a dict of columns, or to a data set of such dicts that "
                f"can be passed over again. Received: {dataset!r} (of type {type(dataset)})"
            )
        for name, layer in self.preprocessors.items():
            if adapts(layer):
                learn = getattr(layer, "adapt")  # noqa: B009  # not every layer has it
                learn(self._column(batch[name], name) for batch in dataset)
        self._adapted, self._encoded = True, None

    def __call__(self, data: Any) -> Any:
        """Encode a batch, or a single sample.

        Args:
            data: a dict of columns, or of single values.

        Returns:
            An array of shape (batch, size), or a dict of them; without the axis of the batch for
            single values.

        Raises:
            ValueError: if `data` is no dict or lacks a column, or `adapt` was not called.
        """
        self._check_adapted()
        if not isinstance(data, Mapping):
            raise ValueError(
                "A feature space is called on a dict of columns. Received: "
                f"data={data!r} (of type {type(data)})"
            )
        lacking = [name for name in self.features if name not in data]
        if lacking:
            raise ValueError(f"The data lack the columns {lacking}. Received: {list(data)}")
        single = any(np.ndim(data[name]) == 0 for name in self.features)
        columns = {name: self._column(data[name], name) for name in self.features}
        merged = self._merged(columns, on_data=True)
        if not single:
            return merged
        if isinstance(merged, dict):
            return {k: np.squeeze(v, 0) if v.shape[0] == 1 else v for k, v in merged.items()}
        return np.squeeze(merged, axis=0)

    def get_inputs(self) -> dict[str, Any]:
        """Return the input tensor of each feature, to build a model on."""
        self._check_adapted()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """Return the encoded features as a tensor, or a dict of them, to build a model on.

        Raises:
            ValueError: if `adapt` was not called; or if features are hashed or crossed, which ONNX
                cannot do: encode the data before.
        """
        self._check_adapted()
        if self._encoded is None:
            self._encoded = self._merged(self.inputs, on_data=False)
        return self._encoded

    # Configuration and files.

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as plain values; layers with what they have learnt."""
        return {
            "features": {name: each.get_config() for name, each in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [each.get_config() for each in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FeatureSpace:
        """Make a feature space from the configuration that `get_config` returned."""
        return cls(**config)

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the features and what they have learnt, for `load` and `load_model`.

        Args:
            filepath: the file: `.keras`, which Keras reads, too, and which needs `seqonnx[keras]`;
                JSON with any other ending.
        """
        path = Path(filepath)
        write = save_space if path.suffix == ".keras" else write_json
        write(self, path)

    @classmethod
    def load(cls, filepath: str | os.PathLike[str]) -> FeatureSpace:
        """Read what `save` wrote, here or in Keras.

        Args:
            filepath: the file.

        Raises:
            ValueError: if the file is another one.
        """
        path = Path(filepath)
        read = load_space if path.suffix == ".keras" else read_json
        space: FeatureSpace = read(cls, path)
        return space

    # Inside.

    def _feature(self, name: str, given: Any) -> Feature:
        if isinstance(given, Feature):
            return given
        if isinstance(given, Mapping):
            return Feature.from_config(dict(given.get("config", given)))
        if given not in _KINDS:
            raise ValueError(
                f"The kind of a feature must be one of {', '.join(_KINDS)}, or a Feature. "
                f"Received: {given!r} for '{name}'"
            )
        if given == "float_discretized":
            return self.float_discretized(self.num_discretization_bins, name=name)
        if given in {"integer_hashed", "string_hashed"}:
            made: Feature = getattr(self, given)(self.hashing_dim, name=name)
            return made
        made = getattr(self, given)(name=name)
        return made

    def _cross(self, given: Any) -> Cross:
        if isinstance(given, Mapping):
            given = Cross.from_config(dict(given.get("config", given)))
        cross = given if isinstance(given, Cross) else Cross(given, self.crossing_dim)
        unknown = [name for name in cross.feature_names if name not in self.features]
        if unknown:
            raise ValueError(
                f"`crosses` must name features: {list(self.features)}. Received: {unknown} in "
                f"{cross.feature_names}"
            )
        return cross

    def _column(self, values: Any, name: str) -> np.ndarray:
        """A column of shape (batch, 1), or of more axes."""
        dtype = self.features[name].dtype
        array = np.asarray(values) if dtype == "string" else np.asarray(values, dtype)
        if array.ndim == 0:
            return array.reshape(1, 1)
        return array[:, None] if array.ndim == 1 else array

    def _merged(self, columns: Mapping[str, Any], on_data: bool) -> Any:
        """Encode each feature and each cross, and join them."""
        encoded = {name: self.preprocessors[name](columns[name]) for name in self.features}
        crossed = {
            each.name: self.crossers[each.name]([encoded[name] for name in each.feature_names])
            for each in self.crosses
        }
        specs: dict[str, tuple[str, Layer]] = {
            name: (each.output_mode, each.preprocessor) for name, each in self.features.items()
        }
        specs |= {each.name: (each.output_mode, self.crossers[each.name]) for each in self.crosses}
        order = [*sorted(encoded), *sorted(crossed)]
        made = {
            name: self._one_hot(name, (encoded | crossed)[name], *specs[name]) for name in order
        }
        if self.output_mode == "dict":
            return made
        for name, value in made.items():
            if not str(value.dtype).startswith("float"):
                raise ValueError(
                    f"The feature '{name}' has the dtype {value.dtype} and cannot be joined with "
                    "numbers. Use output_mode='one_hot' for it, or output_mode='dict' for all"
                )
        parts = list(made.values())
        if on_data:
            return np.concatenate(parts, axis=-1)
        return parts[0] if len(parts) == 1 else Concatenate(axis=-1)(parts)

    def _one_hot(self, name: str, value: Any, mode: str, layer: Layer) -> Any:
        if mode != "one_hot":
            return value
        if not str(value.dtype).startswith("int"):
            raise ValueError(
                f"The feature '{name}' has output_mode='one_hot', for which its layer must give "
                f"integers. It gives {value.dtype}"
            )
        count = number_of_values(layer, name)
        return CategoryEncoding(num_tokens=count, output_mode="multi_hot")(value)

    def _check_adapted(self) -> None:
        if not self._adapted:
            raise ValueError(
                f"The feature space '{self.name}' must see data first: call `adapt` with them"
            )


object_entry.register(FeatureSpace)(space_entry)
