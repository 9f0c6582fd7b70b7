"""Attributes are typed as onnx_ir types them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from seqonnx.graph.attributes import to_attributes


@pytest.mark.parametrize(
    "value",
    [
        *(3, 0.5, "text", True, np.float64(0.5)),
        *([1, 2], (1, 2), [0.5, 1.5], ["a", "b"], [True, 2]),
        ir.Attr("given", ir.AttributeType.INTS, (1,)),
        ir.tensor(np.ones(2, np.float32)),
    ],
    ids=repr,
)
def test_an_attribute_is_what_onnx_ir_makes_of_it(value):
    (made,) = to_attributes({"given": value})
    expected = ir.convenience.convert_attribute("given", value)
    assert made == expected
    assert type(made.value) is type(expected.value)


def test_what_has_no_type_is_refused():
    with pytest.raises(TypeError, match="Unsupported attribute type"):
        to_attributes({"given": [1, 0.5]})
