"""From user data to what a model takes: batches for the loops, arrays for one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.layers.network import Network
from seqonnx.losses import Loss
from seqonnx.symbolic.structure import in_order
from seqonnx.training.batches import Batch, Batches
from seqonnx.training.columns import InputDtype, separate_inputs
from seqonnx.training.data import make_batches, yields_batches
from seqonnx.training.inputs import with_ranks


def input_arrays(model: Network, x: Any) -> list[npt.NDArray[Any]]:
    """Return data for every input of a model, checked and cast; builds the model if needed."""
    if not model.built:
        model._build_for(_shapes_of(x))
    if _is_as_wanted(model, x):
        model._check_input(x.shape, 0)
        return [x]
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
    return dtypes.to_array(x, "float32", "inputs").shape


def _is_as_wanted(model: Network, x: Any) -> bool:
    """Whether data is just the array that the only input takes: the case that must be quick."""
    if type(x) is not np.ndarray or len(model.inputs) != 1:
        return False
    tensor = model.inputs[0]
    return x.ndim == tensor.ndim and x.dtype == tensor.dtype


def batches_for(
    model: Network,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    loss: Loss | None = None,
    **options: Any,
) -> Batches:
    """Turn user data into batches, build the model if it is not, and check that they fit.

    Args:
        model: the model.
        x: arrays, or what yields batches.
        y: targets, with arrays.
        sample_weight: weights of the samples, with arrays.
        loss: the loss of targets; with one, there must be samples and targets.
        **options: see `make_batches`.

    Raises:
        ValueError: if the data does not fit the model or its loss.
    """
    arrays = isinstance(x, list | tuple) and all(isinstance(part, np.ndarray) for part in x)
    several = arrays and len(x) > 1
    if not model.built and (isinstance(x, Mapping) or (several and model._is_subclassed())):
        model._build_for(_shapes_of(x))
    batches = make_batches(
        ordered(model, x),
        y,
        sample_weight,
        input_dtype=_input_types(model),
        target_dtype=None if loss is None else loss._target_dtype,
        allow_empty=loss is None,
        **options,
    )
    first = batches.peek()
    _build_and_check(model, [np.shape(x)] if first is None else [a.shape for a in first.x], first)
    batches.check_inputs(partial(_check_inputs, model))
    if loss is not None:
        _check_targets(model, batches, first, loss)
    return batches


def single_batch(
    model: Network, loss: Loss, x: Any, y: Any, sample_weight: Any, class_weight: Any
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
        model, x, y, sample_weight, loss=loss, class_weight=class_weight, batch_size=1 << 62
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
    if not isinstance(x, Mapping) or not model.built:
        return x
    return in_order(x, model._input_names, model.name)


def _input_types(model: Network) -> InputDtype:
    """Dtype of each input, by its name where the names differ."""
    if not model.built:
        return "float32"
    types = [tensor.dtype for tensor in model.inputs]
    named = dict(zip(model._input_names, types, strict=True))
    return named if len(named) == len(types) else types


def _build_and_check(model: Network, shapes: list[tuple[int, ...]], first: Batch | None) -> None:
    """Build a model for data of these shapes, or check that it takes them."""
    if not model.built:
        free = [(None, *shape[1:]) for shape in shapes]
        model._build_for(free if len(free) > 1 else free[0])
    if first is not None:
        _check_inputs(model, first.x)
        return
    for index, shape in enumerate(shapes):
        model._check_input(shape, index)


def _check_inputs(model: Network, arrays: Sequence[npt.NDArray[Any]]) -> None:
    """Raise a ValueError if a model does not take these inputs."""
    for index, array in enumerate(with_ranks(arrays, model.inputs)):
        model._check_input(array.shape, index)


def _check_targets(model: Network, batches: Batches, first: Batch | None, loss: Loss) -> None:
    """Check all targets of arrays; of other data the first batch, and the others as they come."""
    if first is None:
        return
    if len(model.outputs) != 1:
        raise ValueError(
            "Training takes a model with one output. "
            f"Received: '{model.name}' with {len(model.outputs)} outputs."
        )
    if first.y is None:
        raise ValueError(
            f"Training and evaluation of '{model.name}' need targets. Received: y=None"
        )
    # A declared batch size is what is shown; data may be of any length.
    check = partial(loss._check_targets, y_pred_shape=(None, *model.outputs[0].shape[1:]))
    batches.check_targets(check)
    check(first.y)
