"""Arguments that every layer takes, named once for those that hand them on (`**kwargs`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from seqonnx.dtypes import DTypePolicy


class UnnamedOptions(TypedDict, total=False):
    """Options of a layer with a `name` of its own, too."""

    trainable: bool
    dtype: str | DTypePolicy | None
    input_shape: Sequence[int | None] | int | None


class NamedOptions(UnnamedOptions, total=False):
    """Options of a layer with an `activity_regularizer` and an `input_dim` of its own."""

    name: str | None


class BasicLayerOptions(NamedOptions, total=False):
    """Options that a layer with an `activity_regularizer` of its own hands on to `Layer`."""

    input_dim: int | None


class LayerOptions(BasicLayerOptions, total=False):
    """All arguments of `Layer`."""

    activity_regularizer: Any
