"""An emission runs on arrays at once, and its session is kept."""

from __future__ import annotations

import copy

import numpy as np

from seqonnx.runtime.program import run_emission, value_key


def counting(made):
    """An emission that notes when it is emitted."""

    def emit(op, values):
        made.append([list(value.shape) for value in values])
        return [op.Add(values[0], values[-1])]

    return emit


def test_another_batch_size_needs_no_new_graph():
    made = []
    emit = counting(made)
    for size in (1, 3, 5):
        x = np.ones((size, 2), np.float32)
        result = run_emission(emit, [x], key=made.append, fixed=[np.float32([1, 2])])[0]
        np.testing.assert_array_equal(result, x + np.array([1, 2]))
    assert len(made) == 1


def test_another_trailing_size_type_or_key_needs_a_new_graph():
    made = []
    emit = counting(made)
    for array, key in (
        (np.ones((2, 2), np.float32), "a"),
        (np.ones((2, 3), np.float32), "a"),
        (np.ones((2, 2), np.int64), "a"),
        (np.ones((2, 2), np.float32), "b"),
        (np.ones((2, 2), np.float32), "a"),
    ):
        result = run_emission(emit, [array], key=(id(made), key))[0]
        np.testing.assert_array_equal(result, 2 * array)
    assert len(made) == 4


def test_fixed_arrays_have_a_fixed_shape():
    made = []
    run_emission(counting(made), [], key=made.append, fixed=[np.ones((3, 2), np.float32)])
    assert made == [[[3, 2]]]


def test_value_key_is_by_class_and_attributes():
    class Thing:
        def __init__(self, **attributes):
            vars(self).update(attributes)

    class Other(Thing):
        pass

    assert value_key(Thing(a=1, name="x"), ignore=("name",)) == value_key(
        Thing(a=1, name="y"), ignore=("name",)
    )
    assert value_key(Thing(a=1)) != value_key(Thing(a=2))
    assert value_key(Thing(a=1)) != value_key(Thing(a=1.0))
    assert value_key(Thing(a=1)) != value_key(Other(a=1))


def test_value_key_sees_into_arrays_lists_and_dicts():
    class Thing:
        def __init__(self, content):
            self.content = content

    contents = [
        np.ones(2),
        np.ones((2, 1)),
        np.ones(2, np.int64),
        [1.0, 2.0],
        [1.0, 3.0],
        (1.0, 2.0),
        [1, 2],
        {"a": [np.zeros(1)]},
        {"a": [np.ones(1)]},
        0.0,
        -0.0,
        float("nan"),
        {1},
    ]
    keys = [value_key(Thing(content)) for content in contents]
    assert len(set(keys)) == len(contents)
    assert [value_key(Thing(copy.copy(content))) for content in contents[:-1]] == keys[:-1]


def test_a_program_without_a_key_is_not_kept():
    made = []
    for _ in range(2):
        run_emission(counting(made), [np.ones(3, np.float32)], key=None)
    assert len(made) == 2
