"""Requirements of a layer on its inputs, and the shape that it was told."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from seqonnx import dtypes
from seqonnx.symbolic import Shape

_INPUT_SHAPE_WARNING = (
    "Do not pass an `input_shape`/`input_dim` argument to a layer. When using Sequential models, "
    "prefer using an `Input(shape)` object as the first layer in the model instead."
)


class InputSpec:
    """Requirements of a layer on its input.

    A layer that takes several inputs has a list or dict of them as its `input_spec`.

    Args:
        dtype: dtype of the input as the layer computes with it, or None for any.
        shape: shape, batch first; None fits every size.
        ndim: exact rank, or None; with a shape, that of the shape.
        max_ndim: greatest rank, or None.
        min_ndim: least rank, or None.
        axes: sizes that single axes must have, such as `{-1: 3}`.
        allow_last_axis_squeeze: whether a last axis of size 1 may be there or not.
        name: key of the input where the inputs come as a dict.
        optional: whether the input may be None.

    Raises:
        TypeError: if `axes` is no dict of integers.
        ValueError: if an axis is beyond the rank.

    Example:
        >>> InputSpec(shape=(None, 3), axes={-1: 3})
        InputSpec(shape=(None, 3), ndim=2, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else dtypes.standardize(dtype)
        self.shape = None if shape is None else tuple(dtypes.plain_value(tuple(shape)))
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = _checked_axes(axes)
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        limit = self.ndim or self.max_ndim
        if len(self.axes) > 0 and limit is not None and max(self.axes) >= limit:
            raise ValueError(
                f"Axis {max(self.axes)} is greater than the maximum allowed value: {limit - 1}"
            )

    def get_config(self) -> dict[str, Any]:
        """Return the requirements, as plain values that JSON can hold."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make requirements from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        shown = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        parts = [f"{name}={getattr(self, name)}" for name in shown if getattr(self, name)]
        return f"InputSpec({', '.join(parts)})"

    def _check(self, shape: Shape, layer: str, index: int = 0) -> None:
        """Raise a ValueError if an input of this shape does not fit."""
        head = self._head(layer, index)
        rank, full = len(shape), f"Full shape received: {shape}"
        if self.ndim not in {None, rank} and not self.allow_last_axis_squeeze:
            raise ValueError(f"{head}expected ndim={self.ndim}, found ndim={rank}. {full}")
        if self.max_ndim is not None and rank > self.max_ndim:
            raise ValueError(f"{head}expected max_ndim={self.max_ndim}, found ndim={rank}")
        if self.min_ndim is not None and rank < self.min_ndim:
            raise ValueError(f"{head}expected min_ndim={self.min_ndim}, found ndim={rank}. {full}")
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in {size, None}:
                raise ValueError(
                    f"{head}expected axis {axis} of input shape to have value {size}, "
                    f"but received input with shape {shape}"
                )
        if self.shape is not None:
            wanted, found = self.shape, shape
            if self.allow_last_axis_squeeze:
                wanted, found = _squeezed(wanted), _squeezed(found)
            pairs = zip(wanted, found, strict=False)
            # Keras leaves out the ranks here, so that (3,) would pass for (3, 4).
            fits = len(wanted) == len(found) and all(
                None in pair or pair[0] == pair[1] for pair in pairs
            )
            if not fits:
                raise ValueError(f"{head}expected shape={self.shape}, found shape={shape}")

    def _check_dtype(self, dtype: str, layer: str, index: int) -> None:
        """Raise a ValueError if an input of this dtype does not fit."""
        if self.dtype not in {None, dtype}:
            raise ValueError(
                f"{self._head(layer, index)}expected dtype={self.dtype}, found dtype={dtype}"
            )

    def _head(self, layer: str, index: int) -> str:
        """The first words of an error."""
        return (
            f"Input {index} with name '{self.name}' of layer '{layer}' is incompatible with the "
            "layer: "
        )


def check_shapes(spec: Any, shapes: Any, layer: str) -> None:
    """Raise a ValueError if inputs do not fit the requirements of a layer.

    Args:
        spec: an `InputSpec`, a list or dict of them with None where all fits, or None.
        shapes: the shape of the input, or the same structure of shapes.
        layer: name of the layer, for errors.
    """
    for index, (each, shape) in enumerate(_pairs(spec, shapes, _is_shape, layer)):
        if each is not None and not (shape is None and each.optional):
            each._check(shape, layer, index)


def check_dtypes(spec: Any, kinds: Any, layer: str) -> None:
    """Raise a ValueError if the dtypes of a layer's inputs do not fit its requirements.

    Args:
        spec: see `check_shapes`.
        kinds: the dtype of the input as the layer computes with it, or a structure of them.
        layer: name of the layer, for errors.
    """
    for index, (each, kind) in enumerate(_pairs(spec, kinds, _is_name, layer)):
        if each is not None and kind is not None:
            each._check_dtype(kind, layer, index)


def _pairs(
    spec: Any, given: Any, is_one: Callable[[Any], bool], layer: str
) -> list[tuple[InputSpec | None, Any]]:
    """Requirements and the shapes, or dtypes, that belong to them."""
    if spec is None:
        return []
    specs = [spec] if isinstance(spec, InputSpec) else _listed(spec)
    names = [None if each is None else each.name for each in specs]
    if isinstance(given, Mapping) and all(names):
        missing = [name for name in names if name not in given]
        if len(missing) > 0:
            raise ValueError(
                f'Missing data for input "{missing[0]}". You passed a data dictionary with keys '
                f"{list(given)}. Expected the following keys: {names}"
            )
        given = [given[name] for name in names]
    parts = [given] if is_one(given) else _listed(given)
    if len(parts) != len(specs):
        raise ValueError(
            f'Layer "{layer}" expects {len(specs)} input(s), but it received {len(parts)} input '
            f"tensors. Received: {parts}"
        )
    return list(zip(specs, parts, strict=True))


def _listed(structure: Any) -> list[Any]:
    """The items of a list, or of a dict in the order of its sorted keys."""
    if isinstance(structure, Mapping):
        return [structure[key] for key in sorted(structure)]
    return list(structure)


def _is_shape(thing: Any) -> bool:
    return not isinstance(thing, Mapping) and all(
        size is None or isinstance(size, int) for size in thing
    )


def _is_name(thing: Any) -> bool:
    return isinstance(thing, str)


def _squeezed(shape: Shape) -> Shape:
    """A shape without a last axis of size 1."""
    return shape[:-1] if shape[-1:] == (1,) else shape


def _checked_axes(axes: Any) -> dict[int, int | None]:
    try:
        return {int(axis): axes[axis] for axis in axes or {}}
    except (ValueError, TypeError):
        raise TypeError(
            f"Argument `axes` must be a dict with integer keys. Received: axes={axes}"
        ) from None


def declared_shape(shape: Sequence[int | None] | int | None, dim: int | None) -> Shape | None:
    """Return the shape given by the old `input_shape=` or `input_dim=`, without the batch."""
    if shape is None and dim is None:
        return None
    warnings.warn(_INPUT_SHAPE_WARNING, UserWarning, stacklevel=5)
    shape, dim = dtypes.plain_value((shape, dim))
    if shape is None:
        return (dim,)
    return (shape,) if isinstance(shape, int) else tuple(shape)
