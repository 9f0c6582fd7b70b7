"""The skeleton of a model file: all of it but the values of large tensors, which are not read."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from seqonnx.graph.skeleton import KEPT_BYTES, is_skipped, skeleton_of

LARGE = 3000
"""Elements of a float32 tensor that is stepped over."""


class Counted(bytes):
    """Bytes that count how many of them were looked at or copied."""

    looked = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        self.looked += 1 if isinstance(key, int) else len(found)
        return found


def large(name, field="raw"):
    """A tensor above the limit, its values in one of the fields that tensors have for them."""
    numbers = np.arange(LARGE)
    if field == "raw":
        return numpy_helper.from_array(numbers.astype(np.float32), name)
    kinds = {
        "float_data": TensorProto.FLOAT,
        "int32_data": TensorProto.INT32,
        "int64_data": TensorProto.INT64,
        "double_data": TensorProto.DOUBLE,
        "uint64_data": TensorProto.UINT64,
        "string_data": TensorProto.STRING,
    }
    values = [b"text"] * LARGE if field == "string_data" else [int(n) for n in numbers]
    tensor = TensorProto(name=name, data_type=kinds[field], dims=[LARGE])
    getattr(tensor, field).extend(values)
    return tensor


def model_of(nodes=(), tensors=(), **fields):
    graph = helper.make_graph(list(nodes), "g", [], [], list(tensors), doc_string="text " * 2000)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], **fields)


def without(tensor):
    """The tensor as it should be left: its name, type and shape."""
    return tensor.name, tensor.data_type, list(tensor.dims)


def skeleton(model):
    return onnx.ModelProto.FromString(skeleton_of(model.SerializeToString()))


FIELDS = ["raw", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"]


@pytest.mark.parametrize("field", [*FIELDS, "string_data"])
def test_a_large_tensor_keeps_all_but_its_values(field):
    tensor = large("w", field)
    (left,) = skeleton(model_of(tensors=[tensor])).graph.initializer
    assert without(left) == without(tensor)
    assert is_skipped(left)
    assert left.data_location == TensorProto.EXTERNAL  # so that no reader takes it for empty
    assert left.ByteSize() < 100


def test_small_tensors_and_everything_else_stay_as_they_are():
    small = numpy_helper.from_array(np.arange(KEPT_BYTES // 4 - 20, dtype=np.float32), "s")
    node = helper.make_node("If", ["c"], ["y"], "name")
    model = model_of([node] * 500, [small], producer_name="p" * 9000, functions=[])
    model.metadata_props.add(key="k", value="v" * 9000)
    assert skeleton(model) == model


def test_tensors_everywhere_in_a_file_are_stepped_over():
    weight = large("w")
    sparse = helper.make_sparse_tensor(large("v"), large("i", "int64_data"), [10**6])
    inner = helper.make_graph([helper.make_node("Constant", [], ["a"], value=weight)], "i", [], [])
    lists = helper.make_node("Lists", [], ["b"], domain="own")
    lists.attribute.add(name="t", type=AttributeProto.TENSORS).tensors.append(weight)
    lists.attribute.add(name="g", type=AttributeProto.GRAPHS).graphs.append(inner)
    lists.attribute.add(name="s", type=AttributeProto.SPARSE_TENSOR).sparse_tensor.CopyFrom(sparse)
    model = model_of([helper.make_node("If", ["c"], ["y"], then_branch=inner), lists])
    model.graph.sparse_initializer.append(sparse)
    model.training_info.add().algorithm.CopyFrom(inner)
    model.functions.add(name="f").node.append(inner.node[0])
    values = model.ByteSize() - len(model.graph.doc_string)
    assert values > 8 * 4 * LARGE
    left = skeleton(model)
    assert left.ByteSize() - len(model.graph.doc_string) < 1500
    assert is_skipped(left.graph.node[0].attribute[0].g.node[0].attribute[0].t)
    assert is_skipped(left.functions[0].node[0].attribute[0].t)


def test_a_tensor_in_another_file_stays_so():
    tensor = TensorProto(name="w", data_type=1, dims=[LARGE], doc_string="d" * 5000)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights")
    model = model_of(tensors=[tensor])
    assert skeleton(model) == model
    tensor.raw_data = bytes(9000)  # which the standard does not have
    (left,) = skeleton(model_of(tensors=[tensor])).graph.initializer
    assert left == model.graph.initializer[0]


def test_values_are_not_read():
    weights = [numpy_helper.from_array(np.zeros(10**6, np.float32), f"w{i}") for i in range(5)]
    data = Counted(model_of(tensors=weights).SerializeToString())
    skeleton_of(data)
    assert data.looked < 15_000  # 10,000 of them are the text


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_a_file_that_ends_inside_of_a_field_is_refused(kept):
    data = model_of(tensors=[large("w"), large("v")]).SerializeToString()
    with pytest.raises(DecodeError, match="bytes too late"):
        skeleton_of(data[: int(len(data) * kept)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x00\x01", "byte 0 begins no field"),
        (b"\x0b\x01", "byte 0 begins no field"),
        (b"\x08\xff", "the number at byte 1 does not end"),
        (b"\x08" + b"\xff" * 20, "the number at byte 1 does not end"),
        (b"\x08\x07\x3a\x05ab", "the field at byte 2 ends 3 bytes too late"),
        (b"\x09ab", "the field at byte 0 ends 6 bytes too late"),
    ],
)
def test_what_is_no_message_is_named_by_its_place(data, reason):
    with pytest.raises(DecodeError, match=reason):
        skeleton_of(data)
