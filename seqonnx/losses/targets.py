"""Checks of targets on the host, before anything runs: errors name what to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

TargetShape = Sequence[int | None]


def check_same_shape(y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
    """Raise unless targets have the shape of the predictions.

    A last dimension of size 1 may be missing on one side.

    Args:
        y_true: targets, batch first.
        y_pred_shape: shape of the predictions; None where a size is not known.

    Raises:
        ValueError: if the shapes differ.
    """
    target, output = _match_ranks(y_true.shape, tuple(y_pred_shape))
    if not _agree(target, output):
        raise ValueError(_different(y_true.shape, y_pred_shape))


def check_one_hot(y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
    """Raise unless targets have a row of classes for each row of the predictions.

    Args:
        y_true: targets, batch first, classes last.
        y_pred_shape: shape of the predictions; None where a size is not known.

    Raises:
        ValueError: if the shapes differ; says so if the targets look like integer labels.
    """
    if not _agree(y_true.shape, y_pred_shape):
        raise ValueError(_different(y_true.shape, y_pred_shape) + _label_hint(y_true, y_pred_shape))


def check_labels(
    y_true: npt.NDArray[Any],
    y_pred_shape: TargetShape,
    ignore_class: int | None = None,
    axis: int = -1,
) -> None:
    """Raise unless targets are integer labels of the classes that the predictions have.

    Args:
        y_true: labels, of the shape of the predictions without the classes or with a 1 for them.
        y_pred_shape: shape of the predictions; None where a size is not known.
        ignore_class: a label that is allowed besides.
        axis: the axis of the classes.

    Raises:
        ValueError: if the shapes do not fit, or a label is no integer or out of range.
    """
    output = tuple(y_pred_shape)
    at = axis % len(output)
    classes, others = output[at], (*output[:at], *output[at + 1 :])
    shape = y_true.shape
    if len(shape) == len(output) and shape[at] == 1:
        shape = (*shape[:at], *shape[at + 1 :])
    if not _agree(shape, others):
        same = len(y_true.shape) == len(output) and _agree(y_true.shape, output)
        hint = (
            ". For one-hot targets use the loss `categorical_crossentropy`; this loss takes one "
            "integer per sample."
            if same
            else ""
        )
        raise ValueError(
            "Arguments `target` and `output` must have the same shape up until the last "
            f"dimension: target.shape={y_true.shape}, output.shape={output}{hint}"
        )
    if y_true.size > 0:
        _check_range(y_true, classes, ignore_class)


def check_one_per_sample(y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
    """Raise unless targets are one integer label for each sample.

    Args:
        y_true: labels, shape `(batch,)` or `(batch, 1)`.
        y_pred_shape: shape of the predictions; None where a size is not known.

    Raises:
        ValueError: if the shapes do not fit, or a label is no integer.
    """
    flat = y_true[:, 0] if y_true.ndim == 2 and y_true.shape[1] == 1 else y_true
    if len(y_pred_shape) != 2 or not _agree(flat.shape, tuple(y_pred_shape)[:1]):
        raise ValueError(
            "This loss takes one label for each sample, shape (batch,), and one embedding, shape "
            f"(batch, size). Received: target.shape={y_true.shape}, "
            f"output.shape={tuple(y_pred_shape)}"
        )
    _refuse_fractions(y_true)


def check_texts(y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
    """Raise unless targets are texts of labels of the classes that the predictions have.

    Args:
        y_true: labels, shape `(batch, letters)`.
        y_pred_shape: shape `(batch, time, classes)`; None where a size is not known.

    Raises:
        ValueError: if the shapes do not fit, or a label is no integer or out of range.
    """
    output = tuple(y_pred_shape)
    if y_true.ndim != 2 or len(output) != 3 or not _agree(y_true.shape[:1], output[:1]):
        raise ValueError(
            "Targets `y_true` are expected to be a tensor of shape `(batch_size, max_length)` in "
            "integer format, logits `y_pred` one of shape `(batch_size, max_length, num_classes)`. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={output}"
        )
    if y_true.size > 0:
        _check_range(y_true, output[-1], None)


def _refuse_fractions(labels: npt.NDArray[Any]) -> None:
    """Raise for labels that are no integers."""
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.floor(labels)):
        wrong = labels[labels != np.floor(labels)][0]
        raise ValueError(f"The labels must be integers. Received a label value of {wrong}.")


def _different(shape: TargetShape, y_pred_shape: TargetShape) -> str:
    """Text for shapes that differ."""
    return (
        "Arguments `target` and `output` must have the same shape. Received: "
        f"target.shape={tuple(shape)}, output.shape={tuple(y_pred_shape)}"
    )


def _label_hint(y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> str:
    """Advice where integer labels meet a loss for one-hot targets; empty for other targets."""
    shape = y_true.shape[:-1] if y_true.shape[-1:] == (1,) else y_true.shape
    if not _agree(shape, y_pred_shape[:-1]) or not np.all(y_true == np.floor(y_true)):
        return ""
    return (
        ". The targets look like integer labels: use the loss `sparse_categorical_crossentropy`, "
        "or make them one-hot with `numpy.eye(classes)[labels]`."
    )


def _check_range(labels: npt.NDArray[Any], classes: int | None, ignore_class: int | None) -> None:
    """Raise for the first label outside [0, classes) or with a fraction."""
    top = np.inf if classes is None else classes - 1
    if labels.dtype.kind not in "fc" and labels.min() >= 0 and labels.max() <= top:
        return
    wrong = ~((labels >= 0) & (labels <= top))
    if labels.dtype.kind == "f":
        wrong |= labels != np.floor(labels)
    if ignore_class is not None:
        wrong &= labels != ignore_class
    if not wrong.any():
        return
    position = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = position[0] if len(position) == 1 else position
    legal = f"[0, {classes})" if classes is not None else "0, 1, 2, …"
    raise ValueError(
        f"Received a label value of {labels[position]} at position {where} of the targets, which "
        f"is outside the valid range of {legal}: the predictions have {classes} classes and the "
        "labels must be integers from 0."
    )


def _match_ranks(first: TargetShape, second: TargetShape) -> tuple[TargetShape, TargetShape]:
    """Shapes after the removal or addition of a last 1 where the ranks differ by one."""
    if len(first) + 1 == len(second):
        second, first = _match_ranks(second, first)
    elif len(first) == len(second) + 1 and first[-1] == 1:
        if len(second) == 1:
            second = (*second, 1)
        else:
            first = first[:-1]
    return first, second


def _agree(first: TargetShape, second: TargetShape) -> bool:
    """Whether two shapes can be the same; an unknown size is equal to any."""
    return len(first) == len(second) and all(
        a is None or b is None or a == b for a, b in zip(first, second, strict=True)
    )
