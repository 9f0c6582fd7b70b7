"""`save_model`, `save_weights` and `load_weights` as functions, as Keras has them."""

from __future__ import annotations

import os
from typing import Any

from seqonnx.models.model import Model

PathLike = str | os.PathLike[str]


def save_model(
    model: Model,
    filepath: PathLike,
    overwrite: bool = True,
    zipped: bool | None = None,
    **kwargs: Any,
) -> None:
    """Write a model; see `Model.save`, whose arguments these are.

    Example:
        >>> save_model(model, "digits.keras")  # doctest: +SKIP
    """
    model.save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)


def save_weights(
    model: Model,
    filepath: PathLike,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    **kwargs: Any,
) -> None:
    """Write the weights of a model; see `Model.save_weights`, whose arguments these are.

    Example:
        >>> save_weights(model, "digits.weights.h5")  # doctest: +SKIP
    """
    model.save_weights(filepath, overwrite, max_shard_size, **kwargs)


def load_weights(
    model: Model, filepath: PathLike, skip_mismatch: bool = False, **kwargs: Any
) -> None:
    """Read the weights of a model; see `Model.load_weights`, whose arguments these are.

    Example:
        >>> load_weights(model, "digits.weights.h5")  # doctest: +SKIP
    """
    model.load_weights(filepath, skip_mismatch, **kwargs)
