"""Quantisation of large models, whose weights are never in a message: stand-ins take their places.

How ONNX Runtime quantises a weight follows from the smallest and the largest number of each of its
channels. A stand-in of these alone is all that its quantiser sees; the weights themselves are made
integers one at a time, when they are written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from seqonnx.export.calibration import CalibrationData, batches, calibration_feeds
from seqonnx.export.made_arrays import MadeArrays
from seqonnx.export.quantization import DYNAMIC, NOTES, tidied
from seqonnx.graph.apart import for_session, leave_apart
from seqonnx.graph.mapped import read_array
from seqonnx.runtime import CPU, Session

Array = npt.NDArray[Any]

_PRODUCTS: Final = ("MatMul", "Gemm", "Conv", "ConvTranspose")


@dataclass(frozen=True)
class _StandIn:
    """A large weight that a stand-in was given for.

    Args:
        tensor: its tensor, without numbers.
        axis: the axis of its channels; None where it has one scale for all.
        turned: whether the file holds it transposed.
    """

    tensor: TensorProto
    axis: int | None
    turned: bool = False

    @property
    def dims(self) -> list[int]:
        """Its shape in the file."""
        return list(self.tensor.dims)[::-1] if self.turned else list(self.tensor.dims)


def quantize_apart(
    model: onnx.ModelProto, made: MadeArrays, quantize: str, data: CalibrationData | None
) -> onnx.ModelProto:
    """Return a model quantised to int8, its large weights still apart.

    Args:
        model: the model, of float32.
        made: its large weights; they become integers.
        quantize: `"int8"` or `"int8_dynamic"`.
        data: the calibration data of `"int8"`.
    """
    prepared = onnx.shape_inference.infer_shapes(model)
    ranges = _ranges(prepared, made, data) if quantize == "int8" else None
    stand_ins = _put_stand_ins(prepared.graph, made, turn=ranges is None)
    closed = [n.name for n in prepared.graph.node if _reads_apart(n, prepared.graph, made)]
    for note in NOTES:
        prepared.metadata_props.add(key=note, value="onnxruntime.quant")
    described = prepared.graph
    for value in (*described.value_info, *described.input, *described.output):
        value.type.tensor_type.ClearField("shape")  # those of stand-ins would contradict them
    quantized = _quantized(prepared, ranges, closed)
    for field in ("value_info", "input", "output"):
        quantized.graph.ClearField(field)
    quantized.graph.input.extend(model.graph.input)
    quantized.graph.output.extend(model.graph.output)
    _put_weights(quantized.graph, made, stand_ins)
    return onnx.shape_inference.infer_shapes(tidied(quantized, model))


def _quantized(
    model: onnx.ModelProto, ranges: Mapping[str, tuple[Array, Array]] | None, closed: list[str]
) -> onnx.ModelProto:
    """Run ONNX Runtime's quantiser on a model in memory."""
    from onnxruntime.quantization import (
        CalibrationMethod,
        QDQQuantizer,
        QuantizationMode,
        QuantType,
        TensorsData,
    )
    from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    if ranges is None:
        work = ONNXQuantizer(
            model, True, False, QuantizationMode.IntegerOps, False, QuantType.QUInt8,
            QuantType.QUInt8, None, [], closed, list(DYNAMIC), {"MatMulConstBOnly": True},
        )  # fmt: skip
    else:
        found = TensorsData(CalibrationMethod.MinMax, dict(ranges))
        kinds = sorted({*QDQRegistry, *QLinearOpsRegistry})
        work = QDQQuantizer(
            model, True, False, QuantType.QInt8, QuantType.QUInt8, found, [], closed, kinds, {}
        )
    work.quantize_model()
    work.model.topological_sort()
    quantized: onnx.ModelProto = work.model.model
    return quantized


def _ranges(
    model: onnx.ModelProto, made: MadeArrays, data: CalibrationData
) -> dict[str, tuple[Array, Array]]:
    """The smallest and the largest number of every float of a graph, on calibration data."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    graph = watched.graph
    known = {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}
    made_here = [name for node in graph.node for name in node.output]
    names = [
        name
        for name in (*(value.name for value in graph.input), *made_here)
        if name in known and known[name].type.tensor_type.elem_type == TensorProto.FLOAT
    ]
    del graph.output[:]
    for name in names:
        for kind in ("ReduceMin", "ReduceMax"):
            graph.node.append(helper.make_node(kind, [name], [f"{name}/{kind}"], keepdims=0))
            graph.output.append(
                helper.make_tensor_value_info(f"{name}/{kind}", TensorProto.FLOAT, [])
            )
    session = Session(for_session(watched, made), CPU, name="calibration")
    runs = [session.run(batch) for batch in batches(calibration_feeds(model, data))]
    least = np.min([run[::2] for run in runs], axis=0)
    most = np.max([run[1::2] for run in runs], axis=0)
    return {name: (least[i], most[i]) for i, name in enumerate(names)}


def _put_stand_ins(graph: onnx.GraphProto, made: MadeArrays, *, turn: bool) -> dict[str, _StandIn]:
    """Put stand-ins in the place of large weights, in place.

    Args:
        graph: the graph.
        made: the large weights.
        turn: whether the second matrix of a Gemm is to stand as that of a MatMul does.
    """
    found = {}
    for tensor in graph.initializer:
        if tensor.name not in made or tensor.data_type != TensorProto.FLOAT:
            continue
        readers = [(n, i) for n in graph.node for i, name in enumerate(n.input)
                   if name == tensor.name]  # fmt: skip
        axes = {_channels(node, index) for node, index in readers}
        if len(axes) != 1 or (axis := axes.pop()) == -1:
            continue
        kept = TensorProto()
        kept.CopyFrom(tensor)
        turned = turn and axis == 0 and all(node.op_type == "Gemm" for node, _ in readers)
        stand_in = found[tensor.name] = _StandIn(kept, 1 if turned else axis, turned)
        for node, _ in readers if turned else ():
            next(a for a in node.attribute if a.name == "transB").i = 0
        array = read_array(made[tensor.name])
        small = _extremes(array.T if turned else array, stand_in.axis)
        tensor.CopyFrom(numpy_helper.from_array(small, tensor.name))
    return found


def _channels(node: onnx.NodeProto, index: int) -> int | None:
    """The axis along which an input of a node has its channels; None: all in one; -1: not known."""
    if node.op_type == "Gather" and index == 0:
        return None
    if node.op_type not in _PRODUCTS or (index != 1 and node.op_type != "MatMul"):
        return -1
    turned = any(a.name == "transB" and a.i == 1 for a in node.attribute)
    return 0 if node.op_type == "Conv" or turned else 1


def _extremes(array: Array, axis: int | None) -> Array:
    """The smallest and the largest number of each channel, as an array of as many axes."""
    others = tuple(i for i in range(array.ndim) if i != axis)
    both = [array.min(others, keepdims=True), array.max(others, keepdims=True)]
    return np.concatenate(both, axis=others[0])


def _reads_apart(node: onnx.NodeProto, graph: onnx.GraphProto, made: MadeArrays) -> bool:
    """Whether a node reads a float whose numbers are not in the message."""
    outside = {
        tensor.name
        for tensor in graph.initializer
        if tensor.name in made and tensor.data_location == TensorProto.EXTERNAL
    }
    return any(name in outside for name in node.input)


def _put_weights(
    graph: onnx.GraphProto, made: MadeArrays, stand_ins: Mapping[str, _StandIn]
) -> None:
    """Put weights in the place of their stand-ins, in place."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for name, stand_in in stand_ins.items():
        integers, left = stored.get(f"{name}_quantized"), stored.get(name)
        if left is not None:
            left.CopyFrom(stand_in.tensor)
            del left.dims[:]
            left.dims.extend(stand_in.dims)
            made.change(name, name, np.transpose if stand_in.turned else np.asarray)
        if integers is not None:
            scale = numpy_helper.to_array(stored[f"{name}_scale"])
            zero = numpy_helper.to_array(stored[f"{name}_zero_point"])
            work = _Integers(stand_in, scale, zero)
            del integers.dims[:]
            integers.dims.extend(stand_in.dims)
            leave_apart(integers, math.prod(stand_in.dims))
            made.change(name, integers.name, work, spent=left is None)


@dataclass(frozen=True)
class _Integers:
    """Makes the integers of a weight.

    Args:
        stand_in: the weight.
        scale: a number for each channel, or one.
        zero: the zero points.
    """

    stand_in: _StandIn
    scale: Array
    zero: Array

    def __call__(self, array: Array) -> Array:
        """Quantise the numbers of the weight, in parts that take little memory."""
        array = array.T if self.stand_in.turned else array
        scale, zero = (self._along(part, array.ndim) for part in (self.scale, self.zero))
        limits = np.iinfo(self.zero.dtype)
        made = np.empty(array.shape, self.zero.dtype)
        for i in range(len(array)):
            s, z = (part[i if len(part) > 1 else 0] for part in (scale, zero))
            made[i] = np.clip(np.rint(array[i] / s) + z, limits.min, limits.max)
        return made

    def _along(self, part: Array, ndim: int) -> Array:
        """Numbers of the channels, to be used with the weight."""
        shape = [1] * ndim
        if part.size > 1:
            shape[self.stand_in.axis or 0] = part.size
        return part.reshape(shape)
