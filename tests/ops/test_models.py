"""The same calls on symbolic tensors: in a model, and in the model that a file gives back."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

import seqonnx as keras
from support.ops import CASES, arrays_of, call, flat, results_of

NEEDS_SIZES = {
    *("adaptive_average_pool", "array_split", "correlate", "fold", "split", "unfold", "unstack"),
    *("hsplit", "vsplit", "vander", "scatter_update", "shape", "size", "squeeze", "ndim"),
    "image.map_coordinates",
}
"""Functions whose outputs depend in number or form on a size that a batch leaves open."""


def groups():
    """Cases whose arrays have one first size: it becomes that of the batch."""
    found = defaultdict(list)
    for case in CASES:
        arrays = arrays_of(case)
        if not arrays or any(array.ndim == 0 for array in arrays):
            continue
        sizes = {len(array) for array in arrays}
        if case.name.startswith("image.") and arrays[0].ndim == 3:
            continue  # one image: its first size is a height
        if len(sizes) == 1 and case.name not in NEEDS_SIZES:
            found[case.number > 0, sizes.pop()].append(case)
    return {
        f"{'more-' if more else ''}{size}-{at}": cases[at : at + 60]
        for (more, size), cases in sorted(found.items())
        for at in range(0, len(cases), 60)
    }


GROUPS = groups()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * ("more" in name)) for name in GROUPS],
)
def test_functions_are_nodes_of_a_model_that_a_file_keeps(name, tmp_path):
    cases = GROUPS[name]
    arrays = [array for case in cases for array in arrays_of(case)]
    inputs = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in arrays]
    outputs, at, places = [], 0, {}
    for case in cases:
        count = len(arrays_of(case))
        made = flat(call(case, inputs[at : at + count]))
        at += count
        made = [part for part in made if not isinstance(part, int)]
        places[case.id] = (len(outputs), len(made))
        outputs += made
    model = keras.Model(inputs, outputs)
    wanted = results_of(cases)
    found = model(arrays)
    for case in cases:
        start, count = places[case.id]
        expected = [part for part in flat(wanted[case.id]) if not isinstance(part, int)]
        for have, want in zip(found[start : start + count], expected, strict=True):
            np.testing.assert_allclose(have, want, rtol=1e-5, atol=2e-6, err_msg=case.id)
            assert have.dtype == want.dtype, case.id
    model.save(tmp_path / "model.onnx")
    loaded = keras.models.load_model(tmp_path / "model.onnx")
    for have, want in zip(loaded(arrays), found, strict=True):
        np.testing.assert_array_equal(have, want)
