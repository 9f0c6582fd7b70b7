"""From user data to what a model takes: batches for the loops, arrays for one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.layers.network import Network
from seqonnx.symbolic.structure import in_order
from seqonnx.training.batches import Batch, Batches
from seqonnx.training.columns import (
    InputDtype,
    StoredColumn,
    is_array,
    is_stored,
    make_column,
    separate_inputs,
)
from seqonnx.training.data import make_batches, yields_batches
from seqonnx.training.frames import columns_of, is_frame
from seqonnx.training.heads import Head, targets_of, weights_of
from seqonnx.training.inputs import with_ranks

_MAY_BE_TEXT = "OSTU"
"""NumPy's kinds of arrays that may hold text."""

Heads = Callable[[], Sequence[Head]]


def input_arrays(model: Network, x: Any) -> list[npt.NDArray[Any]]:
    """Return data for every input of a model, checked and cast; builds the model if needed."""
    if not model.built:
        _build(model, _shapes_of(x), x)
    arrays = _as_wanted(model, x)
    if arrays is None:
        types = [tensor.dtype for tensor in model.inputs]
        given = separate_inputs(ordered(model, x), types)
        arrays = with_ranks([dtypes.to_array(data, t, "inputs") for data, t in given], model.inputs)
        for index, array in enumerate(arrays):
            model._check_input(array.shape, index)
    return arrays


def _shapes_of(x: Any) -> Any:
    """The shape of data for a model that is not built; of several inputs a list or a dict."""
    if isinstance(x, Mapping):
        return {name: np.shape(part) for name, part in x.items()}
    if isinstance(x, list | tuple) and any(isinstance(part, np.ndarray) for part in x):
        return [np.shape(part) for part in x]
    return make_column(x, "inputs", "string" if _is_text(x) else None).shape


def _build(model: Network, shapes: Any, x: Any) -> None:
    """Build a model for data of these shapes, and of its dtypes where some of it is text."""
    if isinstance(x, Mapping):
        kinds: Any = {name: _kind_of(part) for name, part in x.items()}
    else:
        kinds = [_kind_of(part) for part in x] if isinstance(shapes, list) else _kind_of(x)
    listed = (
        [kinds]
        if isinstance(kinds, str)
        else list(kinds.values() if isinstance(kinds, dict) else kinds)
    )
    if "string" not in listed:
        model._build_for(shapes)
        return
    try:
        model._build_for(shapes, dtypes=kinds)
    except ValueError as error:
        raise ValueError(
            f"`x` holds text, and model '{model.name}' cannot be built for that: {error} Encode "
            "text as numbers first, or let the model begin with a layer that takes text, such as "
            "`TextVectorization` or `StringLookup`."
        ) from error


def _kind_of(x: Any) -> str:
    """The dtype of an input for this data: text, or the one that all numbers are cast to."""
    return "string" if _is_text(x) else "float32"


def _is_text(x: Any) -> bool:
    """Whether data is text, told by its beginning."""
    while isinstance(x, list | tuple) and len(x) > 0:
        x = x[0]
    if isinstance(x, str | bytes):
        return True
    if is_frame(x):
        return all(_is_text(column) for _, column in columns_of(x))
    if isinstance(x, StoredColumn):
        x = x.rows(slice(0, 1))
    elif is_stored(x):
        x = x[:1]  # not the whole file
    if getattr(getattr(x, "dtype", None), "kind", "O") not in _MAY_BE_TEXT or not is_array(x):
        return False
    try:
        first = np.asarray(x).reshape(-1)[:1]
    except (TypeError, ValueError):  # told when it is made an array to compute with
        return False
    return len(first) > 0 and isinstance(first[0], str | bytes)


def is_one_batch(model: Network, x: Any, most: int) -> bool:
    """Return whether data is arrays for all inputs of a built model, of so many samples at most.

    Args:
        model: the model.
        x: data.
        most: the largest number of samples.
    """
    if isinstance(x, np.ndarray):
        return x.ndim > 0 and 0 < len(x) <= most
    parts = x.values() if type(x) is dict else x if type(x) is list else ()
    if len(parts) != len(model._known_inputs("inputs")):
        return False
    sizes = {len(part) if type(part) is np.ndarray and part.ndim > 0 else 0 for part in parts}
    return len(sizes) == 1 and 0 < sizes.pop() <= most


def _as_wanted(model: Network, x: Any) -> list[npt.NDArray[Any]] | None:
    """The arrays for the inputs, if data is just these: the case that must be quick."""
    inputs = model._known_inputs("inputs")
    parts: list[Any] = []
    if type(x) is np.ndarray:
        parts = [x]
    elif type(x) is dict and len(x) == len(inputs):
        parts = [x.get(name) for name in model._input_names]
    elif type(x) is list and len(inputs) > 1:
        parts = x
    if len(parts) != len(inputs):
        return None
    for index, (part, tensor) in enumerate(zip(parts, inputs, strict=True)):
        dtype = _as_numpy(tensor.dtype)
        # NumPy takes None for float64.
        if type(part) is not np.ndarray or dtype is None or part.dtype != dtype:
            return None
        shape, wanted = part.shape, tensor.shape
        if len(shape) != len(wanted):
            return None
        if shape[1:] != wanted[1:]:
            model._check_input(shape, index)
    return parts


@cache
def _as_numpy(dtype: str) -> np.dtype[Any] | None:
    """NumPy's dtype of this name; None where it has none. To compare with a name takes longer."""
    try:
        return np.dtype(dtype)
    except TypeError:
        return None


def batches_for(
    model: Network,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    heads: Heads | None = None,
    **options: Any,
) -> Batches:
    """Turn user data into batches, build the model if it is not, and check that they fit.

    Args:
        model: the model.
        x: arrays, or what yields batches.
        y: targets, with arrays.
        sample_weight: weights of the samples, with arrays.
        heads: gives the outputs with their losses and metrics, of a model that is built; with
            them, there must be samples.
        **options: see `make_batches`.

    Raises:
        ValueError: if the data does not fit the model or its loss.
    """
    types = partial(input_types, model) if yields_batches(x) else input_types(model, x)
    batches = make_batches(
        ordered(model, x),
        y,
        sample_weight,
        input_dtype=types,
        allow_empty=heads is None,
        outputs=len(model.outputs) if model.built else None,
        **options,
    )
    first = batches.peek()
    _build_and_check(model, [np.shape(x)] if first is None else [a.shape for a in first.x], first)
    batches.check_inputs(partial(_check_inputs, model))
    if heads is not None:
        _check_targets(model, batches, first, heads())
    return batches


def free_batches(x: Any, y: Any = None, sample_weight: Any = None, **options: Any) -> Batches:
    """Turn user data into batches for a step that the user has written: in their own structure.

    Args:
        x: arrays, or what yields batches.
        y: targets, with arrays.
        sample_weight: weights of the samples, with arrays.
        **options: see `make_batches`.
    """
    return make_batches(x, y, sample_weight, outputs=None, free=True, **options)


def single_batch(
    model: Network, heads: Heads, x: Any, y: Any, sample_weight: Any, class_weight: Any
) -> Batch:
    """Return the one batch that was given to `train_on_batch` or `test_on_batch`.

    Raises:
        ValueError: if it is not given as arrays, or does not fit the model or its loss.
    """
    if x is not None and yields_batches(x):
        raise ValueError(
            "A single batch must be given as arrays. Received what yields batches: "
            f"x={x!r} (of type {type(x)}). Pass it to `fit` or `evaluate`, or take a batch from it."
        )
    batches = batches_for(
        model, x, y, sample_weight, heads=heads, class_weight=class_weight, batch_size=1 << 62
    )
    return next(batches.epoch(None))


def validation_parts(data: Any) -> tuple[Any, Any, Any]:
    """Return `(x, y, sample_weight)` of `validation_data`.

    Raises:
        ValueError: if it is a tuple of some other length.
    """
    if not isinstance(data, tuple | list):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found: {len(data)} parts in `validation_data`."
        )
    x, y, weight = (*data, None, None)[:3]
    return x, y, weight


def ordered(model: Network, x: Any) -> Any:
    """Return data given by the names of the inputs in their order; other data as it is."""
    if not model.built:
        return x
    if len(model.inputs) > 1 and is_frame(x):
        x = dict(columns_of(x))
    if not isinstance(x, Mapping):
        return x
    return in_order(x, model._input_names, model.name)


def input_types(model: Network, x: Any) -> InputDtype:
    """Return the dtype of each input, by its name where the names differ.

    Args:
        model: the model; one that is not built is built here for data of several inputs, which
            could not be told apart otherwise.
        x: data, or the first item of what yields it.
    """
    if not model.built:
        several = isinstance(x, list | tuple) and len(x) > 1 and all(map(_is_whole, x))
        if not isinstance(x, Mapping) and not (several and model._is_subclassed()):
            return _kind_of(x)
        x = x if isinstance(x, Mapping) else [np.asarray(part) for part in x]
        _build(model, _shapes_of(x), x)
    types = [tensor.dtype for tensor in model.inputs]
    named = dict(zip(model._input_names, types, strict=True))
    return named if len(named) == len(types) else types


def _is_whole(part: Any) -> bool:
    """Whether a part of a list is an array of its own, as opposed to a row."""
    return not isinstance(part, list | tuple | str | bytes | int | float) and is_array(part)


def _build_and_check(model: Network, shapes: list[tuple[int, ...]], first: Batch | None) -> None:
    """Build a model for data of these shapes, or check that it takes them."""
    if not model.built:
        free = [(None, *shape[1:]) for shape in shapes]
        arrays = [] if first is None else list(first.x)
        if len(free) > 1:
            _build(model, free, arrays)
        else:
            _build(model, free[0], arrays[0] if len(arrays) > 0 else None)
    if first is not None:
        _check_inputs(model, first.x)
        return
    for index, shape in enumerate(shapes):
        model._check_input(shape, index)


def _check_inputs(model: Network, arrays: Sequence[npt.NDArray[Any]]) -> None:
    """Raise a ValueError if a model does not take these inputs."""
    for index, array in enumerate(with_ranks(arrays, model.inputs)):
        model._check_input(array.shape, index)


def _check_targets(
    model: Network, batches: Batches, first: Batch | None, heads: Sequence[Head]
) -> None:
    """Check all targets of arrays; of other data the first batch, and the others as they come."""
    if first is None:
        return
    measured = any(head.is_measured for head in heads)
    if first.y is None and measured:
        raise ValueError(
            f"Training and evaluation of '{model.name}' need targets. Received: y=None"
        )
    check = partial(_check_each, heads)
    batches.check_targets(check)
    check(first.y)
    weights_of(heads, first.sample_weight)


def _check_each(heads: Sequence[Head], y: Any) -> None:
    """Raise a ValueError if targets do not fit the outputs or their losses."""
    for head, target in zip(heads, targets_of(heads, y), strict=True):
        loss = None if target is None else head.loss_for(target.shape)
        if loss is not None:
            # A declared batch size is what is shown; data may be of any length.
            loss._check_targets(target, y_pred_shape=(None, *head.output.shape[1:]))
