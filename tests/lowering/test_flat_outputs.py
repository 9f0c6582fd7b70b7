"""An output that only Reshapes make of a computed value leaves the graph as that value."""

from __future__ import annotations

import numpy as np
from onnx.reference import ReferenceEvaluator

from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering.flat_outputs import flatten_outputs
from seqonnx.lowering.unused import drop_unused

X = np.arange(6, dtype=np.float32)


def lowered(build, size=6):
    """Outputs by name, of a graph whose outputs `build(op, x)` declares, and its operators."""
    op = Emitter()
    build(op, op.input("x", "float32", (size,)))
    flatten_outputs(op.graph)
    drop_unused(op.graph)
    names = [value.name for value in op.graph.outputs]
    model = to_proto(op.graph)
    found = ReferenceEvaluator(model).run(names, {"x": X})
    return dict(zip(names, found, strict=True)), [node.op_type for node in op.graph]


def shaped(op, value):
    return op.Reshape(value, np.array([2, 3]))


def test_a_reshape_before_an_output_goes_and_the_elements_stay():
    found, kinds = lowered(lambda op, x: op.output(shaped(op, op.Neg(x)), "y"))
    assert kinds == ["Neg"]
    np.testing.assert_array_equal(found["y"], -X)


def test_several_reshapes_before_an_output_go():
    def build(op, x):
        op.output(op.Reshape(shaped(op, op.Neg(x)), np.array([3, 2])), "y")

    found, kinds = lowered(build)
    assert kinds == ["Neg"]
    np.testing.assert_array_equal(found["y"], -X)


def test_a_matrix_that_is_read_inside_as_well_leaves_as_it_is():
    def build(op, x):
        y = op.Neg(shaped(op, x))
        op.output(op.Reshape(y, np.array([6])), "y")
        op.output(op.Abs(y), "z")

    found, kinds = lowered(build)
    assert kinds == ["Reshape", "Neg", "Abs"]
    np.testing.assert_array_equal(found["y"], -X.reshape(2, 3))


def test_a_reshape_of_an_input_stays():
    found, kinds = lowered(lambda op, x: op.output(shaped(op, x), "y"))
    assert kinds == ["Reshape"]
    assert found["y"].ndim == 2


def test_a_reshape_that_is_read_inside_as_well_stays():
    def build(op, x):
        y = shaped(op, op.Neg(x))
        op.output(op.Abs(y), "z")
        op.output(y, "y")

    found, _ = lowered(build)
    assert found["y"].shape == (2, 3)


def test_a_vector_of_unknown_size_stays_in_shape():
    found, _ = lowered(lambda op, x: op.output(shaped(op, op.Neg(x)), "y"), size="n")
    assert found["y"].shape == (2, 3)


def test_two_outputs_of_one_vector_keep_their_names_and_elements():
    def build(op, x):
        vector = op.Neg(x)
        op.output(shaped(op, vector), "first")
        op.output(shaped(op, vector), "second")

    found, _ = lowered(build)
    np.testing.assert_array_equal(found["first"].ravel(), -X)
    np.testing.assert_array_equal(found["second"].ravel(), -X)
    assert found["second"].shape == (2, 3)
