"""`seqonnx inspect --fix-dims`: the same model with fixed shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from seqonnx.cli import main
from seqonnx.errors import ExecutionError
from seqonnx.runtime import CPU, Session
from support.report.diff_models import convnet


def sizes(values):
    """Shapes of inputs or outputs by name."""
    return {
        value.name: tuple(
            dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim
        )
        for value in values
    }


@pytest.fixture
def fixed(tmp_path, capsys):
    """Fix shapes of a model; return the path of the result."""

    def fix(model, *shapes, **saved):
        onnx.save(model, tmp_path / "model.onnx", **saved)
        out = tmp_path / "fixed.onnx"
        given = [part for shape in shapes for part in ("--shape", shape)]
        assert main(["inspect", str(tmp_path / "model.onnx"), *given, "--fix-dims", str(out)]) == 0
        capsys.readouterr()
        return out

    return fix


def test_the_fixed_model_computes_the_same_and_takes_nothing_else(fixed):
    out = fixed(convnet(), "x=3,3,8,8")
    model = onnx.load(out)
    onnx.checker.check_model(model, full_check=True)
    assert sizes(model.graph.input) == {"x": (3, 3, 8, 8)}
    assert sizes(model.graph.output) == {"y": (3, 5)}
    x = np.random.default_rng(0).normal(size=(3, 3, 8, 8)).astype(np.float32)
    before = Session(convnet().SerializeToString(), CPU).run({"x": x})[0]
    session = Session(Path(out), CPU)
    np.testing.assert_array_equal(session.run({"x": x})[0], before)
    with pytest.raises(ExecutionError):
        session.run({"x": x[:2]})


def concatenation():
    """Two inputs of their own lengths; the file says what the length of the output is."""
    info = helper.make_tensor_value_info
    node = helper.make_node("Concat", ["a", "b"], ["c"], "concat", axis=1)
    relu = helper.make_node("Relu", ["c"], ["d"], "relu")
    graph = helper.make_graph(
        [node, relu],
        "g",
        [
            info("a", TensorProto.FLOAT, ["batch", "past"]),
            info("b", TensorProto.FLOAT, ["batch", "n"]),
        ],
        [info("d", TensorProto.FLOAT, ["batch", "past + n"])],
        value_info=[info("c", TensorProto.FLOAT, ["batch", "past + n"])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_name_is_fixed_wherever_it_stands_and_others_stay(fixed):
    model = onnx.load(fixed(concatenation(), "a=2,5"))
    assert sizes(model.graph.input) == {"a": (2, 5), "b": (2, "n")}
    assert sizes(model.graph.output) == {"d": (2, "past + n")}


def test_an_expression_is_fixed_with_its_names(fixed):
    model = onnx.load(fixed(concatenation(), "a=2,5", "b=2,3"))
    assert sizes(model.graph.output) == {"d": (2, 8)}
    assert sizes(model.graph.value_info) == {"c": (2, 8)}


def test_dimensions_without_a_name_are_fixed(fixed):
    model = convnet()
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    model.graph.output[0].type.tensor_type.shape.dim[0].Clear()
    found = onnx.load(fixed(model, "x=3,3,8,8"))
    assert sizes(found.graph.output) == {"y": (3, 5)}


def wide():
    """The network with weights of some kilobytes."""
    model = convnet()
    shapes = [(64, 3, 3, 3), (64,), (64, 64, 3, 3), (64,), (5, 64), (5,)]
    for tensor, shape in zip(model.graph.initializer, shapes, strict=True):
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones(shape, np.float32), tensor.name))
    return model


def test_weights_beside_the_file_stay_beside_it(fixed):
    options = {"save_as_external_data": True, "size_threshold": 0, "location": "model.data"}
    model = wide()
    before = Session(model.SerializeToString(), CPU)
    out = fixed(model, "x=1,3,8,8", **options)
    assert out.stat().st_size < 10_000
    x = np.ones((1, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(Session(out, CPU).run({"x": x})[0], before.run({"x": x})[0])


def test_a_shape_that_does_not_fit_writes_nothing(tmp_path, capsys):
    onnx.save(convnet(), tmp_path / "model.onnx")
    out = tmp_path / "out.onnx"
    code = main(
        ["inspect", str(tmp_path / "model.onnx"), "--shape", "x=1,4,8,8", "--fix-dims", str(out)]
    )
    assert code == 2
    assert "dimension 1 is 3" in capsys.readouterr().err
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path, capsys):
    onnx.save(convnet(), tmp_path / "model.onnx")
    out = tmp_path / "absent" / "out.onnx"
    code = main(
        ["inspect", str(tmp_path / "model.onnx"), "--shape", "x=1,3,8,8", "--fix-dims", str(out)]
    )
    assert code == 2
    assert "there is no folder" in capsys.readouterr().err
