"""User data of every kind becomes the batches that it says, and wrong data a clear error."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqonnx.training.data import (
    ArrayBatches,
    IteratorBatches,
    PyDataset,
    make_batches,
    split_validation,
)

RAN_OUT = "Your input ran out of data; interrupting training"


def rng(seed=0):
    return np.random.default_rng(seed)


def rows(batches, source=None):
    """First inputs of an epoch, as lists."""
    return [batch.x[0].tolist() for batch in batches.epoch(source)]


class Foreign:
    """An array of another library: nothing but `__array__`."""

    def __init__(self, data):
        self.data = np.asarray(data)
        self.ndim = self.data.ndim

    def __array__(self, dtype=None, copy=None):
        return np.array(self.data, dtype=dtype)


# Arrays.


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64"],
)
def test_arrays_of_every_numeric_type_are_cast_per_batch(dtype):
    data = np.array([[0, 1], [1, 1], [1, 0]], dtype)
    batches = make_batches(data, batch_size=2, input_dtype="float32")
    assert [batch.x[0].dtype.name for batch in batches.epoch()] == ["float32"] * 2
    assert rows(batches) == [[[0, 1], [1, 1]], [[1, 0]]]


@pytest.mark.parametrize(
    "x",
    [
        [[1, 2], [3, 4]],
        ([1, 2], [3, 4]),
        [np.array([[1, 2], [3, 4]])],
        (np.array([[1, 2], [3, 4]]),),
        [Foreign([[1, 2], [3, 4]])],
        Foreign([[1, 2], [3, 4]]),
        [np.array([1, 2]), np.array([3, 4])],
        np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
    ],
)
def test_all_ways_to_give_one_input_mean_the_same(x):
    (batch,) = make_batches(x, [0, 1], input_dtype="float32").epoch()
    assert len(batch.x) == 1
    assert batch.x[0].tolist() == [[1, 2], [3, 4]]
    assert batch.x[0].flags.c_contiguous
    assert (batch.y.tolist(), batch.sample_weight, batch.size) == ([0, 1], None, 2)


def test_torch_tensors_are_taken():
    torch = pytest.importorskip("torch")
    x, y = torch.arange(6, dtype=torch.float64).reshape(3, 2), torch.tensor([0, 1, 2])
    batches = make_batches(x, y, batch_size=2, input_dtype="float32", target_dtype="int32")
    first, last = batches.epoch()
    assert first.x[0].tolist() == [[0, 1], [2, 3]]
    assert (first.y.dtype, last.y.tolist()) == (np.int32, [2])


class Table:
    """A table as pandas makes it: an array of objects, but columns of numbers.

    Args:
        columns: values by name; None in a column of "boolean" or "Int64" is missing.
    """

    def __init__(self, **columns):
        self.columns = list(columns)
        self._series = {name: TableColumn(*column) for name, column in columns.items()}

    def items(self):
        return self._series.items()

    def to_numpy(self):
        return np.array([series.values for series in self._series.values()], object).T

    def __array__(self, dtype=None, copy=None):
        return self.to_numpy()


class Nullable:
    """A dtype that NumPy does not have; for what is no number its kind is "O"."""

    def __init__(self, name):
        self.name, self.kind = name, {"boolean": "b", "category": "O"}[name]

    def __str__(self):
        return self.name


class TableColumn:
    def __init__(self, dtype, values):
        self.dtype = Nullable(dtype) if dtype in {"boolean", "category"} else np.dtype(dtype)
        self.values = values

    def to_numpy(self, dtype=None, na_value=None):
        return np.array([na_value if v is None else v for v in self.values], dtype)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, self.dtype if isinstance(self.dtype, np.dtype) else object)


def test_columns_of_bools_and_missing_values_are_numbers():
    table = Table(a=("float64", [0.5, 2.0]), b=("bool", [True, False]), c=("boolean", [None, True]))
    (batch,) = make_batches(table, input_dtype="float32").epoch()
    np.testing.assert_array_equal(batch.x[0], [[0.5, 1, np.nan], [2, 0, 1]])


def test_columns_that_hold_no_numbers_are_named():
    table = Table(
        a=("float64", [0.5, 2.0]), kind=("category", ["x", "y"]), s=("object", ["1", "2"])
    )
    with pytest.raises(
        ValueError,
        match=r"`x` must hold numbers, which these columns of the Table do not: 'kind' \(dtype "
        r"category\), 's' \(dtype object\)\. Encode text, categories and dates",
    ):
        make_batches(table)


def test_frames_of_pandas_are_taken_column_by_column():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(
        {
            "a": [0.5, 2.0, 3.0],
            "b": [True, False, True],
            "c": pandas.array([1, None, 3], dtype="Int64"),
            "d": pandas.array([None, True, False], dtype="boolean"),
        }
    )
    numbers = [[0.5, 1, 1, np.nan], [2, 0, np.nan, 1], [3, 1, 3, 0]]
    (batch,) = make_batches(frame, frame["c"], frame["d"], input_dtype="float32").epoch()
    np.testing.assert_array_equal(batch.x[0], numbers)
    np.testing.assert_array_equal(batch.y, [1, np.nan, 3])
    np.testing.assert_array_equal(batch.sample_weight, [np.nan, 1, 0])
    frame["when"] = pandas.date_range("2020", periods=3)
    frame["kind"] = pandas.Categorical(["x", "y", "x"])
    with pytest.raises(ValueError, match=r"'when' \(dtype datetime64.*'kind' \(dtype category\)"):
        make_batches(frame)


@pytest.mark.parametrize("kind", ["csr_matrix", "coo_matrix", "csc_array"])
def test_sparse_matrices_become_dense_batch_by_batch(kind):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array([[0, 1, 0], [2, 0, 0], [0, 0, 3]])
    data = getattr(sparse, kind)(dense)
    batches = make_batches(data, [0, 1, 2], batch_size=2, shuffle=True, input_dtype="float32")
    assert rows(batches) == [dense[:2].tolist(), dense[2:].tolist()]
    order = np.concatenate([batch.y for batch in batches.epoch(rng())])
    shuffled = np.concatenate([batch.x[0] for batch in batches.epoch(rng())])
    np.testing.assert_array_equal(shuffled, dense[order])


def test_several_inputs_have_their_own_types():
    x = [np.zeros((3, 2)), np.arange(3)]
    first, last = make_batches(x, batch_size=2, input_dtype=["float32", "int64"]).epoch()
    assert [a.dtype.name for a in first.x] == ["float32", "int64"]
    assert [a.shape for a in last.x] == [(1, 2), (1,)]


@pytest.mark.parametrize("x", [np.zeros((2, 2)), [np.zeros(2)] * 3, [np.zeros(2)]])
def test_several_inputs_need_an_array_each(x):
    with pytest.raises(ValueError, match="The model has 2 inputs: `x` must be a list or tuple of"):
        make_batches(x, input_dtype=["float32", "float32"])


def test_batch_that_needs_no_cast_shares_memory_and_shuffled_one_does_not():
    data = np.arange(12, dtype=np.float32).reshape(6, 2)
    batches = make_batches(data, batch_size=2, shuffle=True, input_dtype="float32")
    assert all(np.shares_memory(batch.x[0], data) for batch in batches.epoch())
    for batch in batches.epoch(rng()):
        assert not np.shares_memory(batch.x[0], data)
        assert batch.x[0].flags.c_contiguous


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[:, ::2], lambda a: a.T])
def test_whole_data_is_never_copied(shuffle, view):
    data = view(np.zeros((1024, 1024), np.uint8))
    order = rng()
    tracemalloc.start()
    try:
        batches = make_batches(data, batch_size=8, shuffle=shuffle, input_dtype="float32")
        for _ in batches.epoch(order):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < data.size // 4


def test_nan_passes_through():
    (batch,) = make_batches([[np.nan, 1.0]], [np.nan], input_dtype="float32").epoch()
    assert np.isnan(batch.x[0][0, 0])
    assert np.isnan(batch.y[0])


def test_default_batch_size_is_32_and_the_last_batch_is_kept():
    batches = make_batches(np.zeros(70))
    assert [batch.size for batch in batches.epoch()] == [32, 32, 6]
    assert (batches.steps, batches.count) == (3, 70)


@given(count=st.integers(1, 40), size=st.integers(1, 12), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_every_epoch_holds_every_sample_once_with_its_target_and_weight(count, size, seed):
    x = np.arange(count)
    batches = ArrayBatches(x, x * 2, x * 3, batch_size=size, shuffle=True)
    source = rng(seed)
    for _ in range(2):
        epoch = list(batches.epoch(source))
        assert len(epoch) == batches.steps
        assert all(batch.size == len(batch.x[0]) == size for batch in epoch[:-1])
        seen = np.concatenate([batch.x[0] for batch in epoch])
        assert sorted(seen) == x.tolist()
        np.testing.assert_array_equal(np.concatenate([batch.y for batch in epoch]), seen * 2)
        weights = np.concatenate([batch.sample_weight for batch in epoch])
        np.testing.assert_array_equal(weights, seen * 3)
        assert weights.dtype == np.float32


def test_same_seed_gives_the_same_order_and_each_epoch_another():
    batches = make_batches(np.arange(50), batch_size=50, shuffle=True)
    source = rng(1)
    first, second = rows(batches, source), rows(batches, source)
    assert first != second
    assert rows(batches, rng(1)) == first
    assert rows(batches) == [list(range(50))]  # measuring does not shuffle
    assert rows(make_batches(np.arange(50), batch_size=50), rng(1)) == [list(range(50))]


def test_limited_training_epochs_go_on_where_the_last_one_ended():
    batches = make_batches(np.arange(5), batch_size=2, steps=2)
    source = rng()
    assert batches.steps == 2
    assert rows(batches, source) == [[0, 1], [2, 3]]
    assert rows(batches, source) == [[4], [0, 1]]
    assert rows(batches, source) == [[2, 3], [4]]


def test_limited_training_epochs_pass_over_all_shuffled_samples():
    batches = make_batches(np.arange(6), batch_size=1, steps=2, shuffle=True)
    source = rng()
    seen = [rows(batches, source) for _ in range(3)]
    assert sorted(np.ravel(seen)) == list(range(6))


def test_limited_measuring_always_starts_at_the_first_sample():
    batches = make_batches(np.arange(5), batch_size=2, steps=2)
    assert rows(batches) == rows(batches) == [[0, 1], [2, 3]]


def test_more_steps_than_there_are_batches_warn_and_end_with_the_data():
    with pytest.warns(UserWarning, match=RAN_OUT):
        batches = make_batches(np.arange(5), batch_size=2, steps=4)
    assert batches.steps == 3
    assert rows(batches, rng()) == [[0, 1], [2, 3], [4]]


def test_peek_shows_a_batch_and_uses_up_none():
    batches = make_batches(np.arange(3), batch_size=2, input_dtype="float32")
    assert batches.peek().x[0].tolist() == [0, 1]
    assert batches.ready()
    assert rows(batches) == [[0, 1], [2]]
    assert make_batches(np.zeros((0, 2)), allow_empty=True).peek() is None


def test_targets_are_checked_once_where_they_are_an_array():
    seen = []
    batches = make_batches(np.zeros((5, 2)), [0.5, 1, 2, 3, 4], batch_size=2, target_dtype="int64")
    batches.check_targets(lambda targets: seen.append(targets.tolist()))
    assert [batch.y.tolist() for batch in batches.epoch(None)] == [[0, 1], [2, 3], [4]]
    assert seen == [[0.5, 1, 2, 3, 4]]


def test_targets_that_are_yielded_are_checked_each_before_their_cast():
    seen = []
    batches = make_batches(((np.zeros((1, 2)), [i + 0.5]) for i in range(3)), target_dtype="int64")
    assert batches.peek().y.tolist() == [0.5]
    batches.check_targets(lambda targets: seen.append(targets.tolist()))
    assert [batch.y.tolist() for batch in batches.epoch(None)] == [[0], [1], [2]]
    assert seen == [[0.5], [1.5], [2.5]]


# Wrong arrays.


def test_arrays_of_different_lengths_are_refused():
    message = (
        "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples."
        "'x' sizes: 3\n'y' sizes: 2\n"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_batches(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match=r"'x' sizes: 3, 2\n'sample_weight' sizes: 3\n$"):
        make_batches([np.zeros(3), np.zeros(2)], None, np.zeros(3), input_dtype=[None, None])


def test_no_samples_are_refused_unless_allowed():
    with pytest.raises(ValueError, match="Expected at least one sample in `x`, received 0 samples"):
        make_batches(np.zeros((0, 4)), np.zeros(0))
    with pytest.raises(ValueError, match="received 0 samples"):
        make_batches([])
    batches = make_batches(np.zeros((0, 4)), allow_empty=True)
    assert (list(batches.epoch()), batches.steps, batches.count) == ([], 0, 0)


@pytest.mark.parametrize("x", [np.array(["a"]), ["a", "b"], "text", np.array([object()])])
def test_text_and_objects_are_refused(x):
    with pytest.raises(ValueError, match=r"`x` must hold numbers\. Received data of dtype"):
        make_batches(x)
    with pytest.raises(ValueError, match="`y` must hold numbers"):
        make_batches(np.zeros(1), x)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="`x` cannot be made an array"):
        make_batches([[1, 2], [3]])


def test_single_number_is_refused():
    with pytest.raises(
        ValueError, match=r"samples along the first axis\. Received a single number"
    ):
        make_batches(3.0)


def test_dict_is_refused_with_its_keys():
    with pytest.raises(ValueError, match=r"Received a dict with keys \['a'\]"):
        make_batches({"a": np.zeros(2)})


@pytest.mark.parametrize("size", [0, -1, True])
def test_batch_size_must_be_positive(size):
    with pytest.raises(
        ValueError, match=f"must be a positive integer. Received: batch_size={size}"
    ):
        make_batches(np.zeros(3), batch_size=size)


@pytest.mark.parametrize("steps", [0, -1])
def test_steps_must_be_positive(steps):
    with pytest.raises(ValueError, match=f"number of steps must be at least 1. Received: {steps}"):
        make_batches(np.zeros(3), steps=steps)


# Class weights.


def weights(y, class_weight):
    y = np.asarray(y)
    (batch,) = make_batches(np.zeros(len(y)), y, class_weight=class_weight).epoch()
    assert batch.sample_weight.dtype == np.float32
    return batch.sample_weight.tolist()


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 2, 1],
        [[0], [1], [2], [1]],
        [0.0, 1.0, 2.0, 1.0],
        np.array([0, 1, 2, 1], np.uint8),
        np.eye(3)[[0, 1, 2, 1]],
    ],
)
@pytest.mark.parametrize(
    "class_weight",
    [{0: 2.0, 2: 0.5}, {0: 2, 1: 1, 2: 0.5, 9: 7}, [2, 1, 0.5], np.array([2.0, 1.0, 0.5])],
)
def test_class_weights_become_sample_weights(y, class_weight):
    assert weights(y, class_weight) == [2.0, 1.0, 0.5, 1.0]


def test_targets_that_are_no_class_weigh_one():
    assert weights([-1, np.nan, np.inf, 5, 1], {1: 3.0}) == [1, 1, 1, 1, 3]


def test_class_weights_follow_the_shuffling():
    y = np.arange(20) % 3
    batches = make_batches(y, y, class_weight={0: 5, 1: 6, 2: 7}, shuffle=True, batch_size=3)
    for batch in batches.epoch(rng()):
        assert batch.sample_weight.tolist() == (batch.y + 5).tolist()


def test_class_and_sample_weights_exclude_each_other():
    with pytest.raises(
        ValueError, match=r"^You cannot `class_weight` and `sample_weight` at the sa"
    ):
        make_batches(np.zeros(2), np.zeros(2), np.ones(2), class_weight={0: 1.0})


def test_class_weights_without_targets_are_refused():
    with pytest.raises(ValueError, match=r"weighs targets by their class\. Received: y=None"):
        make_batches(np.zeros(2), class_weight={0: 1.0})


@pytest.mark.parametrize("bad", [3.0, "balanced", {"a": 1.0}, {1.5: 1.0}, np.ones((2, 2))])
def test_class_weights_of_another_kind_are_refused(bad):
    with pytest.raises(TypeError, match=r"`class_weight` must (be a dict|map class indices)"):
        make_batches(np.zeros(2), np.zeros(2), class_weight=bad)
    with pytest.raises(ValueError, match=r"A class index cannot be negative\. Received: -1"):
        make_batches(np.zeros(2), np.zeros(2), class_weight={-1: 2.0})


# Splitting.


def test_validation_takes_the_last_samples():
    x, y, w = np.arange(20).reshape(10, 2), list(range(10)), np.ones(10)
    (x1, y1, w1), (x2, y2, w2) = split_validation(x, y, w, 0.3)
    assert (len(x1), len(y1), len(w1)) == (7, 7, 7)
    assert x2.tolist() == x[7:].tolist()
    assert (y2.tolist(), len(w2)) == ([7, 8, 9], 3)
    assert np.shares_memory(x1, x)
    assert np.shares_memory(x2, x)


def test_split_keeps_several_inputs_and_sparse_data():
    (x1, y1, w1), (x2, _, _) = split_validation(
        [np.zeros(4), np.ones(4)], None, None, 0.5, inputs=2
    )
    assert (len(x1), len(x1[0]), y1, w1, len(x2), len(x2[1])) == (2, 2, None, None, 2, 2)
    sparse = pytest.importorskip("scipy.sparse")
    (x1, _, _), (x2, _, _) = split_validation(sparse.coo_matrix(np.eye(4)), None, None, 0.25)
    assert sparse.issparse(x1)
    assert (x1.shape, x2.toarray().tolist()) == ((3, 4), [[0, 0, 0, 1]])


@pytest.mark.parametrize(("count", "fraction"), [(1, 0.5), (3, 0.9), (0, 0.5), (5, 1e-20)])
def test_split_that_leaves_a_side_empty_is_refused(count, fraction):
    with pytest.raises(
        ValueError,
        match=f"Training data contains {count} samples, which is not sufficient to split it into "
        f"a validation and training set as specified by `validation_split={fraction}`",
    ):
        split_validation(np.zeros(count), None, None, fraction)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_split_outside_the_unit_interval_is_refused(fraction):
    with pytest.raises(ValueError, match="`validation_split` must be between 0 and 1, received:"):
        split_validation(np.zeros(4), None, None, fraction)


def test_split_of_what_yields_batches_is_refused():
    with pytest.raises(
        ValueError,
        match=r"^Argument `validation_split` is only supported for tensors or NumPy arrays\.Found "
        r"incompatible type in the input: \[<class 'generator'>\]$",
    ):
        split_validation((i for i in range(3)), None, None, 0.5)


def test_split_of_different_lengths_is_refused():
    with pytest.raises(ValueError, match="Data cardinality is ambiguous"):
        split_validation(np.zeros(4), np.zeros(3), None, 0.5)


# Generators.


def generate(count, size=2):
    for i in range(count):
        yield np.full((size, 1), i), np.full(size, i)


def firsts(batches, source=None):
    """The first target of each batch."""
    return [int(batch.y[0]) for batch in batches.epoch(source)]


def test_generator_gives_its_items_as_batches():
    batches = make_batches(generate(2), input_dtype="float32", target_dtype="int32")
    assert (batches.steps, batches.count) == (None, None)
    first, last = batches.epoch(rng())
    assert (first.x[0].dtype, first.y.dtype, first.size) == (np.float32, np.int32, 2)
    assert last.x[0].tolist() == [[1], [1]]


@pytest.mark.parametrize("wrap", [tuple, list])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_items_may_have_one_to_three_parts(wrap, parts):
    given_parts = (np.ones((2, 1)), [3, 4], [0.5, 2])[:parts]
    (batch,) = make_batches(iter([wrap(given_parts)])).epoch()
    assert batch.x[0].tolist() == [[1], [1]]
    assert (None if batch.y is None else batch.y.tolist()) == ([3, 4] if parts > 1 else None)
    weight = batch.sample_weight
    assert (None if weight is None else weight.tolist()) == ([0.5, 2] if parts > 2 else None)


def test_item_may_be_an_array_alone():
    (batch,) = make_batches(iter([np.ones((2, 1))])).epoch()
    assert (batch.x[0].shape, batch.y, batch.size) == ((2, 1), None, 2)


def test_item_of_four_parts_is_refused():
    with pytest.raises(ValueError, match=r"`\(x, y, sample_weight\)`, found: 4 parts"):
        list(make_batches(iter([(1, 2, 3, 4)])).epoch())


def test_items_of_several_inputs():
    item = ([np.zeros((2, 3)), np.zeros(2)], np.zeros(2))
    (batch,) = make_batches(iter([item]), input_dtype=["float32", "int64"]).epoch()
    assert [a.dtype.name for a in batch.x] == ["float32", "int64"]


def test_item_of_different_lengths_and_empty_item_are_refused():
    with pytest.raises(ValueError, match="Data cardinality is ambiguous"):
        list(make_batches(iter([(np.zeros(2), np.zeros(3))])).epoch())
    with pytest.raises(ValueError, match="A batch must hold at least one sample"):
        list(make_batches(iter([(np.zeros(0), np.zeros(0))])).epoch())


def test_limited_epochs_take_the_items_in_turn():
    batches = make_batches(generate(5), steps=2)
    assert batches.steps == 2
    assert firsts(batches, rng()) == [0, 1]
    assert firsts(batches, rng()) == [2, 3]
    assert batches.ready()
    with pytest.warns(UserWarning, match=RAN_OUT):
        assert firsts(batches, rng()) == [4]
    with pytest.warns(UserWarning, match=RAN_OUT):
        assert not batches.ready()


def test_limited_epoch_does_not_pull_an_item_too_many():
    pulled = []
    source = (pulled.append(item[1][0]) or item for item in generate(5))
    assert firsts(make_batches(source, steps=2), rng()) == [0, 1]
    assert pulled == [0, 1]


def test_generator_is_passed_over_once():
    batches = make_batches(generate(3))
    assert batches.ready()
    assert firsts(batches, rng()) == [0, 1, 2]
    with pytest.warns(UserWarning, match=RAN_OUT):
        assert not batches.ready()
    with pytest.warns(UserWarning, match=RAN_OUT):
        assert firsts(batches, rng()) == []


def test_generator_that_gives_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"The data gave no batch.*<class 'generator'>"):
        list(make_batches(generate(0)).epoch())
    with pytest.raises(ValueError, match="The data gave no batch"):
        make_batches(generate(0)).ready()


def test_peek_into_a_generator_uses_up_nothing():
    batches = make_batches(generate(3), steps=2)
    assert int(batches.peek().y[0]) == int(batches.peek().y[0]) == 0
    assert firsts(batches, rng()) == [0, 1]


def test_error_in_a_generator_is_passed_on():
    def broken():
        yield np.zeros(1)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(make_batches(broken()).epoch())


def test_targets_and_weights_beside_a_generator_are_refused():
    with pytest.raises(
        ValueError,
        match="^When providing `x` as a generator, `y` should not be passed. Instead, the targets "
        r"should be included as part of the generator\.$",
    ):
        make_batches(generate(1), np.zeros(2))
    with pytest.raises(
        ValueError, match=r"`sample_weight` should not be passed\. Instead, the sample"
    ):
        make_batches(generate(1), None, np.zeros(2))
    with pytest.raises(
        ValueError,
        match=r"`class_weight` is not supported for Python generator inputs. Received: class_weigh",
    ):
        make_batches(generate(1), class_weight={0: 1.0})


def test_what_holds_no_data_is_refused():
    with pytest.raises(ValueError, match=r"Unrecognized data type: x=None \(of type <class 'None"):
        make_batches(None)
    with pytest.raises(
        ValueError, match=r"Unrecognized data type.*generator.*the function.*call it"
    ):
        make_batches(generate)


# Iterables and data sets.


class Loader:
    """Iterable again and again, of known length or not."""

    def __init__(self, count, known=True):
        self.count = count
        self.known = known

    def __iter__(self):
        return generate(self.count)

    def __len__(self):
        if not self.known:
            raise TypeError("endless, for all it knows")
        return self.count


@pytest.mark.parametrize("known", [True, False])
def test_iterable_is_passed_over_in_every_epoch(known):
    batches = make_batches(Loader(3, known))
    assert batches.steps == (3 if known else None)
    assert batches.peek().size == 2
    for _ in range(2):
        assert batches.ready()
        assert firsts(batches, rng()) == [0, 1, 2]


@pytest.mark.parametrize("known", [True, False])
def test_limited_training_epochs_of_an_iterable_go_round(known):
    batches = make_batches(Loader(3, known), steps=2)
    assert [firsts(batches, rng()) for _ in range(3)] == [[0, 1], [2, 0], [1, 2]]
    assert [firsts(batches) for _ in range(2)] == [[0, 1], [0, 1]]


def test_measuring_more_steps_than_an_iterable_has_warns():
    batches = make_batches(Loader(2, known=False), steps=3)
    with pytest.warns(UserWarning, match=RAN_OUT):
        assert firsts(batches) == [0, 1]
    with pytest.warns(UserWarning, match=RAN_OUT):
        assert make_batches(Loader(2), steps=3).steps == 2


def test_iterable_that_gives_nothing_is_an_error():
    with pytest.raises(ValueError, match="The data gave no batch"):
        list(make_batches(Loader(0)).epoch(rng()))


def test_torch_data_loader_gives_batches():
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.arange(10.0).reshape(5, 2), torch.arange(5))
    loader = torch.utils.data.DataLoader(data, batch_size=2)
    batches = make_batches(loader, input_dtype="float32", target_dtype="int32")
    assert batches.steps == 3
    for _ in range(2):
        assert [batch.y.tolist() for batch in batches.epoch(rng())] == [[0, 1], [2, 3], [4]]
    with pytest.raises(ValueError, match="`x` as a torch DataLoader, `y` should not be passed"):
        make_batches(loader, np.zeros(5))
    with pytest.raises(ValueError, match="not supported for torch DataLoader inputs"):
        make_batches(loader, class_weight={0: 1.0})
    with pytest.raises(ValueError, match=r"Pass it through a torch\.utils\.data\.DataLoader"):
        make_batches(data)


class Numbers(PyDataset):
    """Batches by number, and a record of what was asked for."""

    def __init__(self, count, **options):
        super().__init__(**options)
        self.count = count
        self.calls = []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.calls.append(index)
        return np.full((2, 1), index), np.full(2, index)

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


@pytest.mark.parametrize("steps", [None, 3])
def test_dataset_is_asked_in_order_with_its_hooks_around(steps):
    data = Numbers(3)
    batches = make_batches(data, steps=steps)
    for _ in range(2):
        assert firsts(batches, rng()) == [0, 1, 2]
    assert data.calls == ["begin", 0, 1, 2, "end"] * 2


def test_dataset_is_shuffled_by_batches_in_training_only():
    batches = make_batches(Numbers(30), shuffle=True)
    shuffled = firsts(batches, rng())
    assert shuffled != list(range(30))
    assert sorted(shuffled) == list(range(30))
    assert firsts(batches) == list(range(30))


def test_dataset_takes_class_weights():
    (batch, _) = make_batches(Numbers(2), class_weight={0: 4.0}).epoch()
    assert batch.sample_weight.tolist() == [4.0, 4.0]


def test_class_of_another_library_with_the_same_methods_is_a_dataset():
    class Sequence:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return np.full((1, 1), index), np.full(1, index)

        def on_epoch_end(self):
            pass

    batches = make_batches(Sequence())
    assert isinstance(batches, IteratorBatches)
    assert (batches.steps, batches.depth) == (2, 2)
    assert firsts(batches) == [0, 1]


class Endless(PyDataset):
    @property
    def num_batches(self):
        return None

    def __getitem__(self, index):
        return np.full((1, 1), index), np.full(1, index)


def test_endless_dataset_needs_steps():
    batches = make_batches(Endless(), steps=2, shuffle=True)
    assert [firsts(batches, rng()) for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="This data never ends: pass `steps_per_epoch` to fit"):
        make_batches(Endless())


def test_dataset_without_its_methods_says_which():
    with pytest.raises(NotImplementedError, match="PyDataset must define `__len__`"):
        len(PyDataset())
    with pytest.raises(NotImplementedError, match="PyDataset must define `__getitem__`"):
        PyDataset()[0]
