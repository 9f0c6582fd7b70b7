"""Gradients of Fourier transforms: the adjoint of a transform is a transform."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.definition import by_definition
from seqonnx.autodiff.idioms.lengths import Length, length_at, number, numbered
from seqonnx.autodiff.idioms.sizes import shaped, size_at, zero_pad
from seqonnx.autodiff.needed import given, rank, required_ints
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_ints, input_at


@gradient("", "DFT")
def dft(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Forward and inverse change places, up to the factor of the length."""
    x = given(node, 0)
    axis = -2 if input_at(node, 2) is None else required_ints(node, 2, "axis")[0]
    axis %= rank(x)
    size = length_at(op, x, axis)
    inverse = node.attributes.get_int("inverse", 0) == 1
    onesided = node.attributes.get_int("onesided", 0) == 1
    length = _twice_less_one(op, size) if inverse and onesided else size
    if input_at(node, 1) is not None:
        length = _number_of(op, given(node, 1))
    if inverse and onesided:
        found = _of_real_inverse(op, dy, length, axis)
        found = _fit(op, found, _half(op, length), size, axis)
    else:
        if onesided:
            dy = _fit(op, dy, _half(op, length), length, axis)
        found = op.DFT(dy, None, np.array(axis), inverse=int(not inverse))
        factor = number(op, length, dy)
        found = op.Div(found, factor) if inverse else op.Mul(found, factor)
        found = found if length is size else _fit(op, found, length, size, axis)
    if static_shape(x)[-1] != 2:
        found = op.Slice(found, [0], size_at(op, x, rank(x) - 1), [rank(x) - 1])
    return [shaped(found, x.shape)]


def _number_of(op: RuleEmitter, value: ir.Value) -> Length:
    """An integer that the node is given, known or not."""
    known = constant_ints(value)
    return op.Reshape(value, np.zeros(0, np.int64)) if known is None else known[0]


def _of_real_inverse(op: RuleEmitter, dy: ir.Value, length: Length, axis: int) -> ir.Value:
    """A real signal's spectrum; what stands for two frequencies counts twice."""
    spectrum = op.DFT(dy, None, np.array(axis), onesided=1)
    place = numbered(op, _half(op, length))
    alone = op.Or(op.Equal(place, 0), op.Equal(op.Mul(place, 2), length))
    times = op.Cast(op.Where(alone, 1.0, 2.0), to=dy.dtype)
    weights = op.Div(times, number(op, length, dy))
    return op.Mul(spectrum, op.Unsqueeze(weights, [i for i in range(rank(dy)) if i != axis]))


def _twice_less_one(op: RuleEmitter, size: Length) -> Length:
    """The length of a real signal with so many frequencies, if it is even."""
    return 2 * (size - 1) if isinstance(size, int) else op.Mul(op.Sub(size, 1), 2)


def _half(op: RuleEmitter, length: Length) -> Length:
    """The number of frequencies of a real signal."""
    return length // 2 + 1 if isinstance(length, int) else op.Add(op.Div(length, 2), 1)


def _fit(op: RuleEmitter, value: ir.Value, have: Length, want: Length, axis: int) -> ir.Value:
    """Cut what was padded, or fill with zeros what was left out."""
    if isinstance(have, int) and isinstance(want, int):
        if have > want:
            return op.Slice(value, [0], [want], [axis])
        return zero_pad(op, value, [0], [want - have], [axis]) if have < want else value
    missing = op.Reshape(op.Max(op.Sub(want, have), 0), [1])
    behind = [0] * (rank(value) - 1 - axis)
    pads: list[list[int] | ir.Value] = [[0] * (rank(value) + axis), missing, behind]
    filled = op.Pad(value, op.Concat(*[part for part in pads if part != []], axis=0))
    return op.Slice(filled, [0], op.Reshape(want, [1]), [axis])


@gradient("", "STFT")
def stft(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Frames, a window, a transform; through this definition."""
    return by_definition(op, node, [dy], lambda inputs: [_frames(op, node, inputs)])


def _frames(op: RuleEmitter, node: ir.Node, inputs: list[ir.Value | None]) -> ir.Value:
    """The operator's output."""
    signal, window = inputs[0], inputs[2] if len(inputs) > 2 else None
    size, parts = length_at(op, given(node, 0), 1), static_shape(given(node, 0))[2]
    step = _number_of(op, given(node, 1))
    if input_at(node, 3) is not None:
        length = _number_of(op, given(node, 3))
    else:
        length = size if window is None else length_at(op, given(node, 2), 0)
    if isinstance(size, int) and isinstance(length, int) and isinstance(step, int):
        count: Length = (size - length) // step + 1
    else:
        count = op.Add(op.Div(op.Sub(size, length), step), 1)
    starts = op.Unsqueeze(op.Mul(numbered(op, count), step), [1])
    frames = op.Gather(signal, op.Add(starts, numbered(op, length)), axis=1)
    if window is not None:
        frames = op.Mul(frames, op.Unsqueeze(window, [1]))
    onesided = node.attributes.get_int("onesided", 1)
    if parts is None or isinstance(parts, str):
        whole = op.DFT(frames, None, np.array(2))
        return op.Slice(whole, [0], size_at(op, node.outputs[0], 2), [2])
    return op.DFT(frames, None, np.array(2), onesided=onesided if parts == 1 else 0)
