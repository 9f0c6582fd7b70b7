"""Helpers on host data give what Keras 3.15.1 (torch backend) gives, recorded."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import preprocessing, utils
from seqonnx.data import Dataset


def test_classes_become_vectors():
    hot = utils.to_categorical([[1], [0]], 3)
    assert hot.tolist() == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    assert hot.dtype == np.float64
    assert utils.to_categorical(np.array([[0, 2], [1, 1]])).tolist() == [
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
    ]
    assert utils.to_categorical(2, 4).tolist() == [0.0, 0.0, 1.0, 0.0]
    assert utils.to_categorical([1.9]).tolist() == [[0.0, 1.0]]
    assert utils.to_categorical([], 2).shape == (0, 2)


def test_classes_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"0 to num_classes - 1 = 2. Received classes from 1 to 3"):
        utils.to_categorical([1, 3], 3)
    with pytest.raises(ValueError, match="from -1 to 1"):  # Keras takes the last class for -1
        utils.to_categorical([-1, 1])
    with pytest.raises(ValueError, match="pass `num_classes`"):
        utils.to_categorical([])


def test_vectors_are_divided_by_their_norm():
    x = np.array([[1.0, -2.0, 2.0], [0, 0, 0]])
    third = [[1 / 3, -2 / 3, 2 / 3], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(utils.normalize(x), third)
    np.testing.assert_allclose(utils.normalize(x, axis=None), third)
    np.testing.assert_allclose(utils.normalize(x, order=1)[0], [0.2, -0.4, 0.4])
    np.testing.assert_allclose(utils.normalize(x, 1, np.inf)[0], [0.5, -1.0, 1.0])
    cube = np.arange(12.0).reshape(2, 3, 2)
    expected = [
        [[0.0, 0.1690308509457033], [0.4472135954999579, 0.50709255283711]],
        [[0.4242640687119285, 0.4418360821684622], [0.565685424949238, 0.5680749627880228]],
    ]
    np.testing.assert_allclose(utils.normalize(cube, axis=1)[:, :2], expected)
    # By definition: Keras takes the last axis in place of the first.
    np.testing.assert_allclose(
        utils.normalize(np.array([[3.0, 0], [4, 2]]), axis=0).T, [[0.6, 0.8], [0, 1]]
    )
    assert utils.normalize([[3.0, 4.0]]).dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6], [0, 0]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5], [0, 0]]),
        ({"padding": "post", "value": -1}, [[1, -1, -1], [2, 3, -1], [4, 5, 6], [-1, -1, -1]]),
        (
            {"maxlen": 4, "dtype": "float32", "value": 0.5},
            [[0.5, 0.5, 0.5, 1], [0.5, 0.5, 2, 3], [0.5, 4, 5, 6], [0.5] * 4],
        ),
    ],
)
def test_sequences_are_padded_and_cut(arguments, expected):
    padded = utils.pad_sequences([[1], [2, 3], [4, 5, 6], []], **arguments)
    assert padded.tolist() == expected
    assert padded.dtype == arguments.get("dtype", "int32")
    assert preprocessing.sequence.pad_sequences is utils.pad_sequences


def test_steps_may_be_text_and_vectors():
    text = utils.pad_sequences([["a"], ["b", "cc"]], dtype=object, value="pad")
    assert text.tolist() == [["pad", "a"], ["b", "cc"]]
    vectors = utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]])
    assert vectors.tolist() == [[[0, 0], [1, 2]], [[3, 4], [5, 6]]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[1]], None, "int32", "mid"), '`padding` must be "pre" or "post"'),
        (([[1]], None, "int32", "pre", "mid"), '`truncating` must be "pre" or "post"'),
        (([[1]], None, "int32", "pre", "pre", "x"), "Pass `dtype=object`"),
        (([[1], 2],), "Received: 2 at place 1"),
        ((7,), "must be a list of sequences"),
        (([[[1, 2]], [[1, 2, 3]]],), r"Received: \(3,\) in sequence 1"),
    ],
)
def test_what_cannot_be_padded_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        utils.pad_sequences(*arguments)


def test_a_batch_is_packed_and_taken_apart():
    assert utils.unpack_x_y_sample_weight([1, 2]) == (1, 2, None)
    assert utils.unpack_x_y_sample_weight((1,)) == (1, None, None)
    assert utils.unpack_x_y_sample_weight((1, 2, 3)) == (1, 2, 3)
    assert utils.unpack_x_y_sample_weight({"a": 1}) == ({"a": 1}, None, None)
    with pytest.raises(ValueError, match=r"found: \(1, 2, 3, 4\)"):
        utils.unpack_x_y_sample_weight((1, 2, 3, 4))
    assert utils.pack_x_y_sample_weight(1, None, 3) == 1
    assert utils.pack_x_y_sample_weight((1, 2)) == ((1, 2),)
    assert utils.pack_x_y_sample_weight(1, 2) == (1, 2)
    assert utils.pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)


# Windows of a series. The numbers follow from the documented positions: window i begins at
# start + i * stride, its steps are `sampling_rate` apart, and its target is that of its first step.


def windows(dataset):
    return [batch.tolist() for batch in dataset]


def test_windows_slide_over_a_series():
    dataset = utils.timeseries_dataset_from_array(
        np.arange(99), None, sequence_length=10, sampling_rate=2, sequence_stride=3
    )
    [batch] = windows(dataset)
    assert batch[0] == list(range(0, 20, 2))
    assert batch[-1] == list(range(78, 98, 2))
    assert len(batch) == 27
    assert preprocessing.timeseries_dataset_from_array is utils.timeseries_dataset_from_array


def test_windows_come_with_their_targets_in_batches():
    data = np.arange(20, dtype=np.float32).reshape(10, 2)
    dataset = utils.timeseries_dataset_from_array(data, np.arange(100, 110), 3, batch_size=5)
    assert len(dataset) == 2
    (x, y), (last, _) = dataset
    assert (x.shape, last.shape, x.dtype) == ((5, 3, 2), (3, 3, 2), np.float32)
    assert x[4].tolist() == data[4:7].tolist()
    assert y.tolist() == [100, 101, 102, 103, 104]
    short = utils.timeseries_dataset_from_array(data[:-3], data[3:], 3)
    [(x, y)] = short
    assert len(x) == 5
    assert y[0].tolist() == data[3].tolist()


def test_a_part_of_a_series_can_be_taken():
    part = utils.timeseries_dataset_from_array(
        np.arange(10), np.arange(10) * 10, 2, start_index=4, end_index=8
    )
    [(x, y)] = part
    assert x.tolist() == [[4, 5], [5, 6], [6, 7]]
    assert y.tolist() == [40, 50, 60]
    single = utils.timeseries_dataset_from_array([1, 2, 3], None, 2, batch_size=None)
    assert windows(single) == [[1, 2], [2, 3]]
    assert windows(utils.timeseries_dataset_from_array([1, 2, 3], None, 9)) == []


def test_windows_are_shuffled_anew_in_each_pass():
    def made(format="tf"):
        return utils.timeseries_dataset_from_array(
            np.arange(60), np.arange(60), 2, batch_size=None, shuffle=True, seed=4, format=format
        )

    dataset = made()
    first, second = ([y.item() for _, y in dataset] for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second) == list(range(59))
    assert [y.item() for _, y in made()] == first
    assert all(x.tolist() == [y, y + 1] for x, y in dataset)
    steady = made("grain")
    assert windows(y for _, y in steady) == windows(y for _, y in steady)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"start_index": -1}, "`start_index` must be 0 or greater"),
        ({"start_index": 9}, "Received: start_index=9"),
        ({"end_index": 9}, "`end_index` must be greater than `start_index`"),
        ({"end_index": 0}, "end_index=0"),
        ({"start_index": 5, "end_index": 4}, "start_index=5, end_index=4"),
        ({"sampling_rate": 0}, "`sampling_rate` must be greater than 0"),
        ({"sequence_stride": 9}, "`sequence_stride` must be greater than 0 and less"),
        ({"format": "torch"}, '`format` must be "tf" or "grain"'),
    ],
)
def test_windows_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        utils.timeseries_dataset_from_array(np.arange(9), None, 2, **arguments)


# A data set in two parts.


def test_arrays_are_split_by_number_and_by_fraction():
    x = np.arange(10)
    left, right = utils.split_dataset(x, left_size=0.75)
    assert (len(left), windows(right)) == (8, [8, 9])
    left, right = utils.split_dataset((x, x * 2), left_size=3, right_size=2)
    assert [(a.item(), b.item()) for a, b in left] == [(0, 0), (1, 2), (2, 4)]
    assert [a.item() for a, _ in right] == [8, 9]
    shuffled, _ = utils.split_dataset(x, right_size=3, shuffle=True, seed=7)
    assert windows(shuffled) == [8, 3, 1, 4, 7, 0, 9]  # the order that Keras has for this seed


def test_batches_are_split_by_samples_and_made_anew():
    batches = Dataset.range(10).batch(4)
    left, right = utils.split_dataset(batches, left_size=0.6)
    assert (windows(left), windows(right)) == ([[0, 1, 2, 3], [4, 5]], [[6, 7, 8, 9]])
    assert windows(left) == [[0, 1, 2, 3], [4, 5]]  # again


def test_what_can_be_asked_for_its_elements_is_split():
    class Squares:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return np.array(index), np.array(index**2)

    left, right = utils.split_dataset(Squares(), left_size=1)
    assert [y.item() for _, y in left] == [0]
    assert [y.item() for _, y in right] == [1, 4, 9]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ValueError, "At least one of the `left_size` or `right_size`"),
        ({"left_size": "a"}, TypeError, "must be an int, a float or None"),
        ({"left_size": 4}, ValueError, "positive integer less than 4"),
        ({"right_size": 1.0}, ValueError, "a float between 0 and 1"),
        ({"left_size": 0.7, "right_size": 0.7}, ValueError, "must not be greater than 1"),
        ({"left_size": 3, "right_size": 2}, ValueError, "parts of 3 and 2"),
        ({"left_size": 0.1}, ValueError, "neither may be empty"),
        ({"left_size": 2, "preferred_backend": "jax"}, ValueError, "`preferred_backend` must be"),
    ],
)
def test_parts_that_cannot_be_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        utils.split_dataset(np.arange(4), **arguments)


def test_what_is_no_data_set_is_refused():
    with pytest.raises(TypeError, match="must be a Dataset, an array, or a list"):
        utils.split_dataset(3, left_size=1)
    with pytest.raises(ValueError, match="empty dataset"):
        utils.split_dataset(np.zeros(0), left_size=1)
    with pytest.raises(ValueError, match=r"list of NumPy arrays.*at index 0"):
        utils.split_dataset([[1, 2]], left_size=1)
