"""Gradients of Fourier transforms: the adjoint of a transform is a transform."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.definition import by_definition
from seqonnx.autodiff.rules.reading import given, input_at, rank, required_ints, static_sizes
from seqonnx.autodiff.rules.sizes import shaped, zero_pad


@gradient("", "DFT")
def dft(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Forward and inverse change places, up to the factor of the length."""
    x = given(node, 0)
    axis = -2 if input_at(node, 2) is None else required_ints(node, 2, "axis")[0]
    axis %= rank(x)
    size, parts = static_sizes(node, x, [axis, rank(x) - 1])
    inverse = node.attributes.get_int("inverse", 0) == 1
    onesided = node.attributes.get_int("onesided", 0) == 1
    length = 2 * (size - 1) if inverse and onesided else size
    if input_at(node, 1) is not None:
        (length,) = required_ints(node, 1, "dft_length")
    if inverse and onesided:
        found = _of_real_inverse(op, dy, length, axis)
    else:
        if onesided:
            dy = zero_pad(op, dy, [0], [length - length // 2 - 1], [axis])
        found = op.DFT(dy, None, np.array(axis), inverse=int(not inverse))
        found = op.Mul(found, 1.0 / length if inverse else float(length))
    made = found.shape[axis] if found.shape is not None else None
    made = made if isinstance(made, int) else length
    found = _fit(op, found, made, size, axis)
    if parts == 1:
        found = op.Slice(found, [0], [1], [rank(x) - 1])
    return [shaped(found, x.shape)]


def _of_real_inverse(op: RuleEmitter, dy: ir.Value, length: int, axis: int) -> ir.Value:
    """A real signal's spectrum; what stands for two frequencies counts twice."""
    count = length // 2 + 1
    spectrum = op.DFT(dy, None, np.array(axis), onesided=1)
    weights = np.full(count, 2.0 / length)
    weights[0] = 1.0 / length
    if length % 2 == 0:
        weights[-1] = 1.0 / length
    shape = [1] * rank(dy)
    shape[axis] = count
    dtype = np.float32 if dy.dtype is None else dy.dtype.numpy()
    return op.Mul(spectrum, weights.reshape(shape).astype(dtype))


def _fit(op: RuleEmitter, value: ir.Value, have: int, want: int, axis: int) -> ir.Value:
    """Cut what was padded, or fill with zeros what was left out."""
    if have > want:
        return op.Slice(value, [0], [want], [axis])
    return zero_pad(op, value, [0], [want - have], [axis]) if have < want else value


@gradient("", "STFT")
def stft(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Frames, a window, a transform; through this definition."""
    return by_definition(op, node, [dy], lambda inputs: [_frames(op, node, inputs)])


def _frames(op: RuleEmitter, node: ir.Node, inputs: list[ir.Value | None]) -> ir.Value:
    """The operator's output."""
    signal, window = inputs[0], inputs[2] if len(inputs) > 2 else None
    size, parts = static_sizes(node, given(node, 0), [1, 2])
    (step,) = required_ints(node, 1, "frame_step")
    if input_at(node, 3) is not None:
        (length,) = required_ints(node, 3, "frame_length")
    else:
        length = size if window is None else static_sizes(node, window, [0])[0]
    count = (size - length) // step + 1
    places = np.arange(count)[:, None] * step + np.arange(length)
    frames = op.Gather(signal, places, axis=1)
    if window is not None:
        frames = op.Mul(frames, op.Unsqueeze(window, [1]))
    onesided = node.attributes.get_int("onesided", 1) if parts == 1 else 0
    return op.DFT(frames, None, np.array(2), onesided=onesided)
