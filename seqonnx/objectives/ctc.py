"""Connectionist temporal classification: a text as long as it likes within a longer sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.reading import STOP_GRADIENT
from seqonnx.graph.scan_body import ScanBody
from seqonnx.objectives.loss_function import loss_function

_IMPOSSIBLE = -1e30
"""In the place of the logarithm of 0: finite, so that differences of two have a gradient."""


@loss_function
def ctc(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit -log of the probability of a text, summed over all its places in a sequence.

    Args:
        op: emitter of the graph.
        y_true: the labels of the texts, shape `(batch, letters)`; 0 fills short ones up.
        y_pred: logits, shape `(batch, time, classes)`; the class 0 says that there is no letter.

    Returns:
        Values of shape `(batch,)`; infinity for a text that the sequence is too short for.

    Raises:
        ValueError: if a rank is another. Source: Graves et al., "Connectionist temporal
            classification", 2006.
    """
    if len(static_shape(y_true)) != 2:
        raise ValueError(
            "Targets `y_true` are expected to be a tensor of shape `(batch_size, max_length)` in "
            f"integer format. Received: y_true.shape={static_shape(y_true)}"
        )
    if len(static_shape(y_pred)) != 3:
        raise ValueError(
            "Logits `y_pred` are expected to be a tensor of shape "
            "`(batch_size, max_length, num_classes)`. "
            f"Received: y_pred.shape={static_shape(y_pred)}"
        )
    labels = op.cast(y_true, "int64")
    letters = op.cast(op.Not(op.Equal(labels, np.array(0, np.int64))), "int64")
    return alignments(op, labels, y_pred, op.ReduceSum(letters, [1], keepdims=0))


def alignments(
    op: Emitter,
    labels: ir.Value,
    logits: ir.Value,
    label_length: ir.Value,
    time_length: ir.Value | None = None,
    blank: int = 0,
) -> ir.Value:
    """Emit -log of the probability of texts: the sum over all alignments, in a Scan over the time.

    Args:
        op: emitter of the graph.
        labels: int64, shape `(batch, letters)`.
        logits: shape `(batch, time, classes)`.
        label_length: int64, how many letters each text has, shape `(batch,)`.
        time_length: int64, how many steps each sequence has; None: all.
        blank: the class that says that there is no letter.

    Returns:
        Values of shape `(batch,)`.
    """
    logits = op.cast(logits, dtypes.widened(dtype_name(logits)))
    low = np.array(_IMPOSSIBLE, dtype_name(logits))
    path = _with_blanks(op, labels, blank)
    log_p = op.LogSoftmax(logits, axis=-1)
    scores = op.GatherElements(log_p, _for_each_time(op, path, log_p), axis=2)
    first = op.Equal(_counted(op, path, 1), np.array(0, np.int64))
    start = op.Expand(op.Where(first, np.zeros_like(low), low), op.Shape(path))
    skips = op.Where(_may_skip(op, path, blank), np.zeros_like(low), low)
    scan = ScanBody(op, "alignments")
    before = scan.state(start)
    score = scan.element(op.Transpose(scores, perm=[1, 0, 2]))
    body = scan.body
    moved, jumped = (_moved(body, before, low, steps, path) for steps in (1, 2))
    after = body.Add(_log_sum(body, before, moved, body.Add(jumped, skips)), score)
    if time_length is not None:
        times = op.Unsqueeze(_counted(op, log_p, 1), [1])
        goes_on = op.Less(times, op.Unsqueeze(time_length, [0]))
        after = body.Where(body.Unsqueeze(scan.element(goes_on), [1]), after, before)
    (last,), _ = scan.run([after], [])
    return _at_the_end(op, last, label_length, low)


def _with_blanks(op: Emitter, labels: ir.Value, blank: int) -> ir.Value:
    """Texts with a blank before each letter and at the end: shape `(batch, 2 letters + 1)`."""
    blanks = op.Expand(np.array(blank, np.int64), op.Shape(labels))
    pairs = op.Concat(op.Unsqueeze(blanks, [2]), op.Unsqueeze(labels, [2]), axis=2)
    path = op.Reshape(pairs, np.array([0, -1], np.int64))
    rows = op.Concat(op.Shape(labels, start=0, end=1), np.array([1], np.int64), axis=0)
    return op.Concat(path, op.Expand(np.array(blank, np.int64), rows), axis=1)


def _may_skip(op: Emitter, path: ir.Value, blank: int) -> ir.Value:
    """Where the blank before a letter may be left out: after another letter."""
    letter = op.Not(op.Equal(path, np.array(blank, np.int64)))
    before = _moved(op, path, np.array(blank, np.int64), 2, path)
    return op.And(letter, op.Not(op.Equal(path, before)))


def _for_each_time(op: Emitter, path: ir.Value, log_p: ir.Value) -> ir.Value:
    """The path once for each step: shape `(batch, time, path)`."""
    shape = op.Concat(op.Shape(log_p, start=0, end=2), op.Shape(path, start=1, end=2), axis=0)
    return op.Expand(op.Unsqueeze(path, [1]), shape)


def _counted(op: Emitter, value: ir.Value, axis: int) -> ir.Value:
    """0, 1, 2 ... along an axis of a value."""
    size = op.Squeeze(op.Shape(value, start=axis, end=axis + 1), [0])
    return op.Range(np.array(0, np.int64), size, np.array(1, np.int64))


def _moved(
    op: Emitter, value: ir.Value, fill: npt.NDArray[Any], steps: int, like: ir.Value
) -> ir.Value:
    """A value whose columns are moved on, with a filler in those that become free."""
    rows = op.Concat(op.Shape(like, start=0, end=1), np.array([steps], np.int64), axis=0)
    kept = op.Slice(value, [0], [-steps], [1])
    moved: ir.Value = op.Concat(op.Expand(fill, rows), kept, axis=1)
    moved.shape = value.shape
    return moved


def _log_sum(op: Emitter, *parts: ir.Value) -> ir.Value:
    """log(sum(exp(part))) without overflow."""
    with op.scope(STOP_GRADIENT):
        top = op.Identity(op.Max(*parts))
    total = op.Exp(op.Sub(parts[0], top))
    for part in parts[1:]:
        total = op.Add(total, op.Exp(op.Sub(part, top)))
    result: ir.Value = op.Add(top, op.Log(total))
    return result


def _at_the_end(op: Emitter, last: ir.Value, length: ir.Value, low: npt.NDArray[Any]) -> ir.Value:
    """-log of the probability of ending on the last letter or on the blank behind it."""
    column = op.Unsqueeze(length, [1])
    end = op.Mul(column, np.array(2, np.int64))
    behind = op.GatherElements(last, end, axis=1)
    letter = op.GatherElements(
        last, op.Max(op.Sub(end, np.array(1, np.int64)), np.array(0, np.int64)), axis=1
    )
    letter = op.Where(op.Equal(column, np.array(0, np.int64)), low, letter)
    total = op.Squeeze(_log_sum(op, behind, letter), [1])
    impossible = op.Less(total, low / 2)
    return op.Where(impossible, np.array(np.inf, low.dtype), op.Neg(total))
