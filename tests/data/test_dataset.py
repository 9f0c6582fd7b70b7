"""A data set gives the elements that tf.data's methods of the same names describe."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, ops
from seqonnx.data import Dataset


def values(dataset):
    return [element.tolist() for element in dataset]


def counted(count=6):
    return Dataset.range(count)


def test_rows_of_arrays_are_elements_in_their_structure():
    x, y = np.arange(6.0).reshape(3, 2), np.array(["a", "bb", "c"])
    elements = list(Dataset.from_tensor_slices(({"x": x}, y)))
    assert [e[0]["x"].tolist() for e in elements] == x.tolist()
    assert [e[1].item() for e in elements] == ["a", "bb", "c"]
    assert elements[0][0]["x"].dtype == np.float64


def test_lists_of_numbers_have_the_dtypes_of_tf_data():
    def dtype(data):
        return next(iter(Dataset.from_tensor_slices(data))).dtype

    assert dtype([1.5, 2.0]) == np.float32
    assert dtype([1, 2]) == np.int32
    assert dtype([1, 1 << 40]) == np.int64
    assert dtype([np.float64(1), np.float64(2)]) == np.float64


def test_rows_that_differ_in_number_are_refused():
    with pytest.raises(ValueError, match=r"same size along their first axis.*\(2,\), \(3,\)"):
        Dataset.from_tensor_slices((np.zeros(2), np.zeros(3)))
    with pytest.raises(ValueError, match="no arrays"):
        Dataset.from_tensor_slices(())


def test_each_pass_begins_anew_and_a_generator_function_is_called_again():
    calls = []

    def generator():
        calls.append(1)
        buffer = np.zeros(1)
        for number in range(3):
            buffer[0] = number
            yield buffer

    dataset = Dataset.from_generator(generator)
    assert [values(dataset), values(dataset)] == [[[0.0], [1.0], [2.0]]] * 2
    assert len(calls) == 2
    assert values(dataset.batch(3)) == [[[0.0], [1.0], [2.0]]]  # a buffer that is filled anew
    with pytest.raises(TypeError, match="must be callable"):
        Dataset.from_generator([1, 2])


def test_stages_follow_their_definition():
    assert values(counted().batch(4)) == [[0, 1, 2, 3], [4, 5]]
    assert values(counted().batch(4, drop_remainder=True)) == [[0, 1, 2, 3]]
    assert values(counted().batch(4).unbatch()) == list(range(6))
    assert values(counted().take(2)) == [0, 1]
    assert values(counted().take(-1)) == list(range(6))
    assert values(counted().skip(4)) == [4, 5]
    assert values(counted().skip(-1)) == []
    assert values(counted().shard(4, 1)) == [1, 5]
    assert values(counted(2).repeat(2)) == [0, 1, 0, 1]
    assert values(counted(2).repeat().take(5)) == [0, 1, 0, 1, 0]
    assert values(counted(0).repeat()) == []
    assert values(counted(2).concatenate(Dataset.range(7, 9))) == [0, 1, 7, 8]
    assert values(counted().filter(lambda x: x % 2 == 1)) == [1, 3, 5]
    assert values(counted(3).map(lambda x: x**2)) == [0, 1, 4]
    assert [(a.item(), b.item()) for a, b in counted(2).enumerate(5)] == [(5, 0), (6, 1)]
    pair = (counted(2), counted(3))
    for zipped in (Dataset.zip(*pair), Dataset.zip(pair)):
        assert [(a.item(), b.item()) for a, b in zipped] == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("dataset", "cardinality"),
    [
        (counted(), 6),
        (counted().batch(4), 2),
        (counted().batch(4, drop_remainder=True), 1),
        (counted().batch(4).unbatch(), -2),
        (counted().repeat(3).skip(1), 17),
        (counted().skip(9), 0),
        (counted().repeat(), -1),
        (counted().repeat().batch(2).take(4), 4),
        (counted(0).repeat(), 0),
        (counted().filter(bool), -2),
        (counted().filter(bool).take(3), -2),
        (counted().shard(4, 1), 2),
        (counted().concatenate(counted(2)), 8),
        (counted().concatenate(counted(2).repeat()), -1),
        (Dataset.zip(counted(), counted(4), counted().repeat()), 4),
        (Dataset.zip(counted(), counted().filter(bool)), -2),
        (Dataset.from_tensors((np.ones(2), np.ones(1))).cache().prefetch(1), 1),
    ],
)
def test_the_cardinality_is_known_where_it_can_be(dataset, cardinality):
    assert dataset.cardinality() == cardinality
    assert bool(dataset)
    if cardinality >= 0:
        assert len(dataset) == len(list(dataset)) == cardinality
    else:
        with pytest.raises(TypeError, match="never ends" if cardinality == -1 else "not known"):
            len(dataset)


def test_a_mapped_function_gets_the_parts_of_a_tuple_and_may_use_ops_and_layers():
    x, y = np.arange(4, dtype=np.float32).reshape(2, 2), np.array([3, 4])
    dense = layers.Rescaling(0.5)
    mapped = (
        Dataset.from_tensor_slices((x, y)).batch(2).map(lambda a, b: (dense(a), ops.one_hot(b, 5)))
    )
    [(scaled, hot)] = mapped
    assert scaled.tolist() == [[0.0, 0.5], [1.0, 1.5]]
    assert hot.argmax(-1).tolist() == [3, 4]
    [named] = Dataset.from_tensors({"a": 1.0}).map(lambda e: {"b": e["a"] + 1})
    assert named["b"] == 2.0


def test_a_mapped_function_that_writes_leaves_the_data_as_they_are():
    x = np.ones((2, 3))

    def halve(row):
        row /= 2
        return row

    for dataset in (Dataset.from_tensor_slices(x), Dataset.from_tensor_slices(x).cache()):
        assert [values(dataset.map(halve)) for _ in range(2)] == [[[0.5] * 3] * 2] * 2
    assert x.tolist() == [[1.0] * 3] * 2


def test_threads_work_at_once_and_keep_the_order():
    together = threading.Barrier(3, timeout=10)

    def wait(x):
        together.wait()
        time.sleep(0.002 * (5 - int(x)))
        return x

    assert values(counted().map(wait, num_parallel_calls=3)) == list(range(6))
    assert values(counted().map(lambda x: x + 1, num_parallel_calls=Dataset.AUTOTUNE))[-1] == 6


@pytest.mark.parametrize("threads", [None, 2])
def test_what_a_mapped_function_raises_comes_out(threads):
    def fail(x):
        raise KeyError(int(x))

    with pytest.raises(KeyError, match="0"):
        list(counted().map(fail, num_parallel_calls=threads).prefetch(1))


def test_a_shuffle_is_a_permutation_drawn_from_the_buffer():
    dataset = counted(100).shuffle(10, seed=3)
    first, second = values(dataset), values(dataset)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    for place, number in enumerate(first):
        assert number <= place + 10  # the buffer never reaches further
    assert values(counted(100).shuffle(10, seed=3)) == first
    fixed = counted(100).shuffle(10, seed=3, reshuffle_each_iteration=False)
    assert values(fixed) == values(fixed)


def test_a_full_buffer_gives_every_order_alike():
    orders = counted(3).shuffle(3, seed=1)
    seen = [tuple(values(orders)) for _ in range(1200)]
    counts = [seen.count(order) for order in set(seen)]
    assert len(counts) == 6
    assert max(abs(count - 200) for count in counts) < 60  # 4.6 standard deviations


def test_without_a_seed_the_order_follows_from_set_random_seed():
    def order():
        keras.set_random_seed(5)
        return values(counted(50).shuffle(50))

    assert order() == order()
    assert values(counted(50).shuffle(50)) != order()


def test_a_cache_makes_each_element_once():
    made = []

    def note(x):
        made.append(int(x))
        return x

    dataset = counted(3).map(note).cache()
    next(iter(dataset))  # a pass that is broken off keeps nothing
    assert values(dataset) == values(dataset) == [0, 1, 2]
    assert made == [0, 0, 1, 2]


def test_a_prefetched_set_is_made_in_a_thread_that_ends_with_its_reader():
    before = threading.active_count()
    names = []
    dataset = counted(1000).map(lambda x: names.append(threading.current_thread().name) or x)
    for element in dataset.prefetch(Dataset.AUTOTUNE):
        if element == 2:
            break
    del element
    assert set(names) == {"seqonnx-prefetch"}
    assert len(names) < 20
    assert values(dataset.prefetch(0))[:2] == [0, 1]
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_elements_that_do_not_fit_in_a_batch_are_named():
    ragged = Dataset.range(2).map(lambda n: np.zeros(int(n) + 1)).batch(2)
    with pytest.raises(ValueError, match=r"\(1,\), \(2,\). Pad, crop or resize"):
        list(ragged)
    mixed = Dataset.range(2).map(lambda n: (n, n) if n else n).batch(2)
    with pytest.raises(ValueError, match="elements of one structure"):
        list(mixed)
    with pytest.raises(ValueError, match="Put arrays of different shapes in a tuple"):
        list(counted(1).map(lambda n: [np.zeros(2), np.zeros(3)]))


@pytest.mark.parametrize(
    "call",
    [
        lambda d: d.batch(0),
        lambda d: d.take(-2),
        lambda d: d.skip(1.5),
        lambda d: d.shard(2, 2),
        lambda d: d.repeat(-2),
        lambda d: d.shuffle(0),
        lambda d: d.shuffle(2, seed=-1),
        lambda d: d.prefetch(-2),
        lambda d: d.map(abs, num_parallel_calls=0),
    ],
)
def test_numbers_that_are_out_of_range_are_refused_at_once(call):
    with pytest.raises(ValueError, match="Received: "):
        call(counted())


def test_a_model_trains_measures_and_predicts_on_batches():
    keras.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32)
    train = Dataset.from_tensor_slices((x, y)).shuffle(64, seed=1).batch(16).prefetch(2)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("adam", "mse")
    model.optimizer.learning_rate = 0.1
    history = model.fit(train, epochs=12, validation_data=train, verbose=0)
    assert history.history["loss"][-1] < 0.05 * history.history["loss"][0]
    plain = Dataset.from_tensor_slices((x, y)).batch(16)
    assert model.evaluate(plain, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    np.testing.assert_allclose(model.predict(plain, verbose=0), model.predict(x, verbose=0), 1e-6)
