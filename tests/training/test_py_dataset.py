"""Data sets that make batches by number: their workers keep the order and leave nothing behind."""

from __future__ import annotations

import inspect
import os
import threading
import time
import warnings

import numpy as np
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.data.py_dataset import PyDataset
from seqonnx.data.workers import Workers
from seqonnx.training.data import make_batches
from support.data_sets import (
    Broken,
    Drawing,
    Endless,
    Large,
    Noting,
    Numbers,
    OpenError,
    Opening,
    Same,
    Stuck,
    Where,
)

KINDS = {
    "one thread": {},
    "threads": {"workers": 3},
    "processes": {"workers": 2, "use_multiprocessing": True},
}
every_kind = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


def rng(seed=0):
    return np.random.default_rng(seed)


def firsts(batches, source=None):
    """The first target of each batch of an epoch."""
    return [batch.y.flat[0] for batch in batches.epoch(source)]


@pytest.fixture
def made():
    """Makes batches that are closed at the end, after which no worker is left."""
    all_made = []

    def make(*args, **options):
        all_made.append(make_batches(*args, **options))
        return all_made[-1]

    yield make
    for batches in all_made:
        batches.close()
    assert workers() == []


def workers():
    """Threads and processes that make batches."""
    import multiprocessing

    threads = [t.name for t in threading.enumerate() if t.name.startswith("seqonnx-")]
    return threads + [p.name for p in multiprocessing.active_children()]


class Unmade(PyDataset):
    def __init__(self):
        pass

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.full((1, 1), index), np.full((1, 1), index)


# The class.


def test_signature_is_that_of_keras():
    assert [(p.name, p.default) for p in inspect.signature(PyDataset).parameters.values()] == [
        ("workers", 1),
        ("use_multiprocessing", False),
        ("max_queue_size", 10),
    ]
    from seqonnx import utils

    assert utils.PyDataset is utils.Sequence is PyDataset


def test_arguments_are_attributes_that_can_be_set():
    data = Numbers(workers=3, use_multiprocessing=True, max_queue_size=4)
    assert (data.workers, data.use_multiprocessing, data.max_queue_size) == (3, True, 4)
    data.workers, data.use_multiprocessing, data.max_queue_size = 2, False, 5
    assert (data.workers, data.use_multiprocessing, data.max_queue_size) == (2, False, 5)


def test_data_set_is_a_sequence_of_its_batches():
    assert [int(y[0, 0]) for _, y in Numbers(3)] == [0, 1, 2]
    assert (len(Numbers(3)), Numbers(3).num_batches) == (3, 3)
    stream = iter(Endless())
    assert [int(next(stream)[1][0, 0]) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(TypeError, match="Endless has no length: its batches never end"):
        len(Endless())


def test_number_of_batches_stands_for_the_length():
    class Told(Endless):
        num_batches = 3

    assert len(Told()) == 3
    assert len(list(Told())) == 3
    assert firsts(make_batches(Told())) == [0, 1, 2]


def test_data_set_that_does_not_call_init_works_and_is_told_so():
    with pytest.warns(UserWarning, match=r"`Unmade.__init__` should call `super\(\).__init__") as w:
        batches = make_batches(Unmade())
    assert len(w) == 1
    assert firsts(batches) == [0, 1]


@pytest.mark.parametrize("bad", [{"workers": -1}, {"max_queue_size": 0}, {"workers": 1.5}])
def test_numbers_of_workers_are_checked(bad):
    ((name, value),) = bad.items()
    with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: {name}={value}"):
        make_batches(Numbers(**bad))


# Workers.


@every_kind
def test_batches_come_in_order_and_once(made, options):
    batches = made(Numbers(slow=0.002, **options), shuffle=True)
    assert firsts(batches) == [0, 1, 2, 3, 4, 5]
    shuffled = firsts(batches, rng(1))
    assert sorted(shuffled) == [100, 101, 102, 103, 104, 105]
    assert shuffled != sorted(shuffled)
    assert firsts(batches, rng(1)) == [value + 100 for value in shuffled]


@every_kind
def test_hooks_change_the_batches_of_the_next_epoch_and_none_before(made, options):
    batches = made(Numbers(4, **options), steps=3)
    seen = [firsts(batches, rng()) for _ in range(3)]
    assert seen == [[0, 1, 2], [103, 100, 101], [202, 203, 200]]


@every_kind
def test_endless_data_goes_on_in_each_epoch(made, options):
    batches = made(Endless(**options), steps=3)
    assert [firsts(batches, rng()) for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="This data never ends: pass `steps_per_epoch`"):
        made(Endless(**options))


def test_threads_make_batches_at_the_same_time(made):
    together = threading.Barrier(3, timeout=20)

    class Meeting(Numbers):
        def __getitem__(self, index):
            together.wait()
            return super().__getitem__(index)

    batches = made(Meeting(3, workers=3))
    assert firsts(batches) == [0, 1, 2]


def test_processes_make_the_batches(made):
    class_of = Where(3, workers=2, use_multiprocessing=True)
    assert os.getpid() not in firsts(made(class_of))


@pytest.mark.parametrize("queue", [2, 4])
def test_no_more_batches_are_made_ahead_than_the_queue_is_long(made, queue):
    asked = []

    class Noted(Numbers):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    batches = made(Noted(20, workers=3, max_queue_size=queue))
    epoch = batches.epoch()
    next(epoch)
    time.sleep(0.1)
    assert sorted(asked) == list(range(queue))
    epoch.close()


def test_a_process_makes_the_next_batch_while_one_is_being_taken(tmp_path):
    begun: list[bool] = []

    def take(index, make):
        make(index)
        until = time.monotonic() + 5
        while not (tmp_path / str(index + 1)).exists() and time.monotonic() < until and index < 2:
            time.sleep(0.001)
        begun.append((tmp_path / str(index + 1)).exists() or index == 2)
        return index

    crew = Workers(Noting(str(tmp_path)), 1, processes=True)
    try:
        assert list(crew.items(take, range(3), 10, 0)) == [0, 1, 2]
    finally:
        crew.close()
    assert begun == [True, True, True]


def test_what_was_looked_at_is_not_made_again_by_a_process(tmp_path, made):
    batches = made(Noting(str(tmp_path)))
    batches.peek()
    (tmp_path / "0").unlink()
    assert len(list(batches.epoch())) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_large_batches_and_a_data_set_that_changes_pass_each_other(made):
    batches = made(Large(3, workers=1, use_multiprocessing=True), steps=3)
    for epoch in range(3):
        assert [batch.y.flat[0] for batch in batches.epoch()] == [epoch, epoch + 1, epoch + 2]


def test_random_numbers_in_processes_do_not_depend_on_who_makes_the_batch(made):
    batches = made(Drawing(6, workers=2, use_multiprocessing=True))
    other = made(Drawing(6, workers=1, use_multiprocessing=True))
    drawn = firsts(batches, rng(1))
    assert len(set(drawn)) == 6
    assert firsts(other, rng(1)) == drawn
    assert firsts(batches, rng(2)) != drawn


def test_what_a_batch_opens_does_not_keep_the_data_from_going_to_processes(made):
    batches = made(Opening(3, workers=1, use_multiprocessing=True))
    assert batches.peek().y.tolist() == [[0], [0]]
    assert firsts(batches) == [0, 1, 2]


# What goes wrong.


@every_kind
def test_error_of_a_batch_arrives_in_its_place_and_names_it(made, options):
    seen = []
    batches = made(Broken("raises", **options))
    kind = RuntimeError if "use_multiprocessing" in options else OpenError
    with pytest.raises(kind, match="no such picture: 2") as caught:
        seen.extend(batch.y.flat[0] for batch in batches.epoch())
    notes = "\n".join(caught.value.__notes__)
    assert "This is from batch 2 of Broken." in notes
    if "use_multiprocessing" in options:
        assert 'raise OpenError("no such picture", index)' in notes


@every_kind
def test_bad_data_of_a_batch_names_it(made, options):
    batches = made(Broken("is no data", **options))
    with pytest.raises(ValueError, match="`x` must hold numbers") as caught:
        firsts(batches)
    assert "This is from batch 2 of Broken." in caught.value.__notes__


def test_process_that_dies_is_told_with_its_batch(made):
    batches = made(Broken("dies", workers=2, use_multiprocessing=True))
    with pytest.raises(
        RuntimeError,
        match=r"worker process of Broken died while it made batch 2 \(exit code -9",
    ):
        firsts(batches)


def test_data_that_cannot_go_to_a_process_says_why(made):
    data = Numbers(workers=2, use_multiprocessing=True)
    data.lock = threading.Lock()
    with pytest.raises(TypeError, match=r"Numbers cannot go to worker processes: .*lock.*threads"):
        firsts(made(data))


def test_class_that_a_process_cannot_find_says_so(made):
    class Local(Numbers):
        pass

    with pytest.raises(TypeError, match=r"Local cannot go to worker processes: .*in a module"):
        firsts(made(Local(use_multiprocessing=True)))


# In training.


def model():
    seqonnx.set_random_seed(1)
    net = seqonnx.Sequential([layers.Dense(1, kernel_initializer="ones")])
    net.compile("sgd", "mse")
    return net


@every_kind
def test_training_measuring_and_predicting_are_those_of_the_arrays(options):
    x = np.repeat(np.arange(6, dtype=np.float32), 2)[:, None]
    own = model()
    wanted = own.fit(x, x, batch_size=2, epochs=2, shuffle=False, verbose=0).history["loss"]
    net = model()

    class_of = Same(**options)
    got = net.fit(class_of, epochs=2, shuffle=False, verbose=0, validation_data=Same(**options))
    np.testing.assert_allclose(got.history["loss"], wanted, rtol=1e-6)
    np.testing.assert_allclose(net.evaluate(Same(**options), verbose=0), own.evaluate(x, x, 2, 0))
    np.testing.assert_array_equal(net.predict(Same(**options), verbose=0), own.predict(x, 2, 0))
    assert workers() == []


class Interrupt(seqonnx.callbacks.Callback):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            if self.how == "interrupt":
                raise KeyboardInterrupt
            self.model.stop_training = True


@pytest.mark.parametrize("how", ["interrupt", "stop"])
@every_kind
def test_workers_end_with_the_training(options, how):
    net = model()
    stop = Interrupt(how)
    if how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            net.fit(Same(50, slow=0.001, **options), verbose=0, callbacks=[stop])
    else:
        net.fit(Same(50, slow=0.001, **options), verbose=0, callbacks=[stop])
    assert workers() == []


def test_process_in_the_middle_of_a_long_batch_is_ended(monkeypatch):
    monkeypatch.setattr("seqonnx.data.prefetch._PATIENCE", 0.2)
    monkeypatch.setattr("seqonnx.data.workers._PATIENCE_WITH_PROCESSES", 0.2)
    net = model()
    begun = time.monotonic()
    net.fit(
        Stuck(6, workers=2, use_multiprocessing=True),
        verbose=0,
        callbacks=[Interrupt("stop")],
        shuffle=False,
    )
    assert time.monotonic() - begun < 20
    assert workers() == []


def test_data_that_turns_out_wrong_leaves_no_workers():
    net = model()
    net.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match="expected"),
    ):
        net.fit(Same(workers=2), verbose=0)
    import gc

    gc.collect()
    assert workers() == []
