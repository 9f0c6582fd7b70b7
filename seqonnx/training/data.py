"""User data as batches: which of the two kinds it is, and what cannot be right."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from seqonnx.data.py_dataset import PyDataset
from seqonnx.training.batches import ArrayBatches, Batch, Batches
from seqonnx.training.class_weight import ClassWeight, ClassWeights
from seqonnx.training.columns import (
    InputDtype,
    check_cardinality,
    is_array,
    make_column,
    separate_inputs,
)
from seqonnx.training.iterators import IteratorBatches, check_iterable, describe
from seqonnx.training.targets import columns_in, cut, samples_of, to_columns

__all__ = [
    "BATCH_SIZE",
    "ArrayBatches",
    "Batch",
    "Batches",
    "IteratorBatches",
    "PyDataset",
    "make_batches",
    "split_validation",
    "yields_batches",
]

DataPart = tuple[Any, Any, Any]

BATCH_SIZE = 32
"""Samples per batch where none is given, as in Keras."""


def yields_batches(x: Any) -> bool:
    """Whether data has its batches made already, as a generator or a `PyDataset`."""
    return not is_array(x) and not isinstance(x, dict)


def make_batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    class_weight: ClassWeight | None = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    steps: int | None = None,
    input_dtype: InputDtype | Callable[[Any], InputDtype] = None,
    target_dtype: str | None = None,
    allow_empty: bool = False,
    outputs: int | None = 1,
    free: bool = False,
) -> ArrayBatches | IteratorBatches:
    """Turn user data into batches.

    Args:
        x: samples first: an array, list of numbers, `scipy.sparse` matrix or anything with
            `__array__` (torch, pandas), or a list of these for several inputs. Or what yields
            batches: a generator, an iterable such as a torch DataLoader or tf.data.Dataset, a
            `PyDataset`.
        y: targets, with arrays only.
        sample_weight: weights of the samples, with arrays only.
        class_weight: weight by class index (a missing class weighs 1), or a list with the weight
            of each class.
        batch_size: samples per batch; default 32. What yields batches has its own size.
        shuffle: whether training sees arrays, or the items of a `PyDataset`, in a new order in
            each pass.
        steps: batches per epoch; None for a whole pass.
        input_dtype: that of the one model input, or a sequence with that of each; for what yields
            batches, also a function that gives it for the inputs of the first.
        target_dtype: that of the targets; None keeps theirs.
        allow_empty: whether arrays may hold no samples, as in predict.
        outputs: number of outputs of the model; None if it is not known.
        free: whether a step that the user has written takes the data in their own structure.

    Returns:
        The batches.

    Raises:
        ValueError: if `x` is of a kind that holds no data, the data does not hold numbers,
            numbers of samples differ, there are none, or arguments exclude each other.
        TypeError: if `class_weight` is of a wrong kind.

    Example:
        >>> batches = make_batches([[1, 2], [3, 4]], [0, 1], input_dtype="float32")
        >>> next(batches.epoch()).x[0].tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    if class_weight is not None and sample_weight is not None:
        raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
    if not yields_batches(x) and not callable(input_dtype):
        if class_weight is not None and y is None:
            raise ValueError("`class_weight` weighs targets by their class. Received: y=None")
        batches = ArrayBatches(
            x,
            y,
            sample_weight,
            batch_size=BATCH_SIZE if batch_size is None else batch_size,
            shuffle=shuffle,
            steps=steps,
            input_dtype=input_dtype,
            target_dtype=target_dtype,
            class_weight=None if class_weight is None else ClassWeights(class_weight),
            outputs=outputs,
            free=free,
        )
        if batches.count == 0 and not allow_empty:
            raise ValueError("Expected at least one sample in `x`, received 0 samples.")
        return batches
    check_iterable(x)
    if batch_size is not None:
        warnings.warn(
            f"`batch_size={batch_size}` has no effect on a {describe(x)}, which makes its own "
            "batches.",
            stacklevel=5,
        )
    _check_alone(x, y, sample_weight, class_weight)
    return IteratorBatches(
        x,
        steps=steps,
        shuffle=shuffle,
        input_dtype=input_dtype,
        target_dtype=target_dtype,
        class_weight=None if class_weight is None else ClassWeights(class_weight),
        outputs=outputs,
        free=free,
    )


def split_validation(
    x: Any,
    y: Any,
    sample_weight: Any,
    fraction: float,
    *,
    inputs: int = 1,
    input_dtype: InputDtype = None,
    outputs: int | None = 1,
    free: bool = False,
) -> tuple[DataPart, DataPart]:
    """Split off the last samples for validation, before any shuffling.

    Args:
        x: an array, or for several inputs a list or tuple of arrays.
        y: targets, or None.
        sample_weight: weights, or None.
        fraction: share of the samples to validate on, 0 < `fraction` < 1.
        inputs: number of model inputs.
        input_dtype: that of the one model input, or a sequence with that of each; where any of
            them takes text.
        outputs: number of outputs of the model; None if it is not known.
        free: whether a step that the user has written takes the data in their own structure.

    Returns:
        `(x, y, sample_weight)` to train on, and the same to validate on. Dense arrays are
        views; for several inputs `x` is a list.

    Raises:
        ValueError: if the data is not arrays, `fraction` is out of range, numbers of samples
            differ, or either part would be empty.

    Example:
        >>> (x, _, _), (held_out, _, _) = split_validation([0, 1, 2, 3, 4], None, None, 0.4)
        >>> x.tolist(), held_out.tolist()
        ([0, 1, 2], [3, 4])
    """
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1, received: {fraction}")
    wrong = [
        type(data)
        for data in (x, y, sample_weight)
        if data is not None and not is_array(data) and not isinstance(data, dict)
    ]
    if len(wrong) > 0:
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays."
            f"Found incompatible type in the input: {wrong}"
        )
    types = [None] * inputs if input_dtype is None else input_dtype
    whole = to_columns(x, "x", samples_of(x), None) if free else None
    columns = columns_in(whole)
    if not free:
        columns = [make_column(data, "x", each) for data, each in separate_inputs(x, types)]
    samples = columns[0].shape[0]
    target = to_columns(y, "y", samples, outputs)
    several = outputs if isinstance(sample_weight, list | tuple) else 1
    weight = to_columns(sample_weight, "sample_weight", samples, several)
    count = check_cardinality(columns, columns_in(target), columns_in(weight))
    boundary = math.floor(count * (1.0 - fraction))
    if boundary in {0, count}:
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a "
            "validation and training set as specified by "
            f"`validation_split={fraction}`. Either provide more data, or a different value for "
            "the `validation_split` argument."
        )

    def part(rows: slice) -> DataPart:
        """The rows of all columns."""
        pieces = [column.cut(rows) for column in columns]
        return (
            cut(whole, rows) if free else pieces[0] if len(pieces) == 1 else pieces,
            cut(target, rows),
            cut(weight, rows),
        )

    return part(slice(0, boundary)), part(slice(boundary, count))


def _check_alone(x: Any, y: Any, sample_weight: Any, class_weight: Any) -> None:
    """Raise a ValueError for arguments that do not go with data that yields batches."""
    kind = describe(x)
    for name, value, words in (
        ("y", y, "the targets"),
        ("sample_weight", sample_weight, "the sample weights"),
    ):
        if value is not None:
            raise ValueError(
                f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, {words} "
                f"should be included as part of the {kind}."
            )
    if class_weight is not None and kind in {"generator", "torch DataLoader"}:
        named = "Python generator" if kind == "generator" else kind
        raise ValueError(
            f"Argument `class_weight` is not supported for {named} inputs. Received: "
            f"class_weight={class_weight}. Yield (x, y, sample_weight) instead."
        )
