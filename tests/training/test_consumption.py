"""Every item of every source is trained or measured on once, in order; the rest stays there."""

from __future__ import annotations

import functools
import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqonnx as keras
from seqonnx import layers
from seqonnx.callbacks import Callback
from seqonnx.training.data import PyDataset

MOST = 12
RAN_OUT = "Your input ran out of data"


class Numbered(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a step is its number, counted from 1."""

    def __call__(self, step):
        return float(step) + 1.0

    def get_config(self):
        return {}


def item(number):
    """Item `number`: one-hot as input, a power of 2 as target."""
    x = np.zeros((1, MOST), np.float32)
    x[0, number] = 1.0
    return x, np.full((1, 1), 2.0**number, np.float32)


@functools.cache
def recorder(executions):
    """A model whose weight `i` becomes the sum of the numbers of the steps that item `i` trained.

    The loss is -y_pred, so that a step adds its learning rate to the weight of its item.
    """
    model = keras.Sequential([keras.Input((MOST,)), layers.Dense(1, use_bias=False)])
    model.compile(
        keras.optimizers.SGD(Numbered()),
        loss=lambda op, y_true, y_pred: op.Neg(y_pred),
        metrics=[keras.metrics.MeanMetricWrapper(lambda op, y_true, y_pred: y_true, name="seen")],
        steps_per_execution=executions,
    )
    return model


def fresh(executions):
    model = recorder(executions)
    model.set_weights([np.zeros((MOST, 1), np.float32)])
    model.optimizer.iterations = 0
    return model


def trained(model):
    return model.get_weights()[0][:, 0].tolist()


def steps_of(order):
    """The weights after training on items in this order."""
    weights = np.zeros(MOST)
    for position, number in enumerate(order):
        weights[number] += position + 1
    return weights.tolist()


# Sources. Each records what was drawn from it.


class Stream:
    """An iterator that is no generator, and cannot be referenced weakly."""

    __slots__ = ("count", "drawn")

    def __init__(self, count):
        self.count, self.drawn = count, []

    def __iter__(self):
        return self

    def __next__(self):
        if len(self.drawn) == self.count:
            raise StopIteration
        self.drawn.append(len(self.drawn))
        return item(self.drawn[-1])


class Loader:
    """An iterable whose every pass is a new iterator, of known length or not."""

    def __init__(self, count, known=True):
        self.count, self.known, self.drawn = count, known, []

    def __len__(self):
        if not self.known:
            raise TypeError("no length")
        return self.count

    def __iter__(self):
        for number in range(self.count):
            self.drawn.append(number)
            yield item(number)


class Numbers(PyDataset):
    def __init__(self, count):
        super().__init__()
        self.count, self.drawn = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.drawn.append(index)
        return item(index)


class Wrapper:
    """An iterable whose passes all go on with one and the same iterator."""

    def __init__(self, count):
        self.stream = Stream(count)

    @property
    def drawn(self):
        return self.stream.drawn

    def __iter__(self):
        return self.stream


def generator(stream):
    yield from stream


def source(kind, count):
    """The source, and what records its items."""
    if kind == "generator":
        stream = Stream(count)
        return generator(stream), stream
    made = {
        "iterator": Stream,
        "wrapper": Wrapper,
        "iterable": functools.partial(Loader, known=False),
        "loader": Loader,
        "dataset": Numbers,
    }[kind](count)
    return made, made


ONCE = ["generator", "iterator"]
AGAIN = ["iterable", "loader", "dataset"]


def training_order(kind, count, steps, epochs):
    """Items in the order of training on them."""
    if steps is None:
        return list(range(count)) * (1 if kind in ONCE else epochs)
    if kind in {"loader", "dataset"}:
        steps = min(steps, count)
    items = range(count) if kind in ONCE else itertools.cycle(range(count))
    return list(itertools.islice(items, steps * epochs))


def measured(kind, count, steps, epoch):
    """Items that are measured on in an epoch."""
    start = 0 if kind in AGAIN else epoch * (count if steps is None else steps)
    return list(range(count))[start : None if steps is None else start + steps]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([*ONCE, *AGAIN]),
    count=st.integers(1, MOST),
    steps=st.none() | st.integers(1, 5),
    epochs=st.integers(1, 4),
    executions=st.integers(1, 3),
    validation=st.none() | st.tuples(st.sampled_from([*ONCE, *AGAIN]), st.integers(1, 6)),
    validation_steps=st.none() | st.integers(1, 3),
)
def test_every_item_is_used_once_and_in_order_and_no_other_is_drawn(
    kind, count, steps, epochs, executions, validation, validation_steps
):
    model = fresh(executions)
    data, record = source(kind, count)
    held_out, measured_on = (None, None) if validation is None else source(*validation)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", RAN_OUT)
        warnings.filterwarnings("ignore", ".*without validation data")
        history = model.fit(
            data,
            steps_per_epoch=steps,
            epochs=epochs,
            validation_data=held_out,
            validation_steps=validation_steps,
            shuffle=False,
            verbose=0,
        )
    order = training_order(kind, count, steps, epochs)
    assert trained(model) == steps_of(order)
    # A pass that ends with an epoch is begun again only when the next epoch asks.
    assert record.drawn == order
    if kind in ONCE:
        rest = [int(x.argmax()) for x, _ in data]
        assert rest == list(range(len(order), count))
    if validation is not None:
        ran = range(len(history.epoch))
        passes = [measured(*validation, validation_steps, epoch) for epoch in ran]
        means = [np.mean([2.0**n for n in numbers]) for numbers in passes if len(numbers) > 0]
        assert history.history["val_seen"] == pytest.approx(means)
        assert measured_on.drawn == list(itertools.chain(*passes))


def test_what_is_left_of_an_iterator_stays_in_it():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    data = iter([(np.full((1, 1), i), np.zeros((1, 1))) for i in range(40)])
    model.fit(data, steps_per_epoch=4, epochs=4, verbose=0)
    assert next(data)[0] == 16
    model.evaluate(data, steps=3, verbose=0)
    assert next(data)[0] == 20
    assert model.predict((x for x, _ in data), steps=2, verbose=0).shape == (2, 1)
    assert next(data)[0] == 23


@pytest.mark.parametrize("kind", [*ONCE, *AGAIN, "wrapper"])
def test_first_look_that_builds_the_model_uses_up_nothing(kind):
    data, record = source(kind, 5)
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, shuffle=False, verbose=0)
    assert record.drawn == [0, 1, 2, 3, 4]
    assert model.optimizer.iterations == 5


@pytest.mark.parametrize("kind", [*AGAIN, "wrapper"])
@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_measuring_and_predicting_draw_each_item_once(kind, method):
    data, record = source(kind, 5)
    getattr(fresh(1), method)(data, steps=3, verbose=0)
    assert record.drawn == [0, 1, 2]


@pytest.mark.parametrize("kind", ONCE)
@pytest.mark.parametrize("end", ["stop", KeyboardInterrupt, RuntimeError])
def test_fit_that_is_stopped_has_drawn_no_more_than_its_epoch(kind, end):
    class End(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                if end != "stop":
                    raise end
                self.model.stop_training = True

    model = fresh(1)
    data, record = source(kind, MOST)
    arguments = {"steps_per_epoch": 4, "epochs": 3, "verbose": 0, "callbacks": [End()]}
    if end == "stop":
        model.fit(data, **arguments)
    else:
        with pytest.raises(end):
            model.fit(data, **arguments)
    assert trained(model) == steps_of([0])
    assert 1 <= len(record.drawn) <= 4
    drawn = len(record.drawn)
    assert int(next(iter(data))[0].argmax()) == drawn


def test_validation_data_that_has_run_out_gives_no_values():
    model = fresh(1)
    data, _ = source("generator", 4)
    held_out, _ = source("generator", 2)
    with pytest.warns(UserWarning, match=RAN_OUT):
        history = model.fit(
            data, steps_per_epoch=2, epochs=2, validation_data=held_out, verbose=0
        ).history
    assert (len(history["loss"]), len(history["val_loss"])) == (2, 1)


class Hooked(Numbers):
    """A data set that shuffles itself, as many do, and says when it is asked to."""

    def on_epoch_begin(self):
        self.drawn.append("begin")

    def on_epoch_end(self):
        self.drawn.append("end")


@pytest.mark.parametrize(
    ("count", "steps", "calls"),
    [
        (4, None, ["begin", 0, 1, 2, 3, "end"] * 2),
        (4, 2, ["begin", 0, 1, "end", "begin", 2, 3, "end"]),
        (3, 2, ["begin", 0, 1, "end", "begin", 2, 0, "end"]),
    ],
)
def test_hooks_of_a_dataset_are_called_in_every_epoch(count, steps, calls):
    """With 4 batches Keras 3.15.1 (torch) calls them so, after begin, 0, end for a first look."""
    data = Hooked(count)
    fresh(1).fit(data, steps_per_epoch=steps, epochs=2, shuffle=False, verbose=0)
    assert data.drawn == [0, *calls]


@pytest.mark.parametrize(("steps", "numbers"), [(None, [0, 1, 2]), (2, [0, 1])])
def test_hooks_of_validation_data_are_called_in_every_epoch(steps, numbers):
    data, held_out = Numbers(2), Hooked(3)
    fresh(1).fit(data, validation_data=held_out, validation_steps=steps, epochs=2, verbose=0)
    assert held_out.drawn == [0, *["begin", *numbers, "end"] * 2]
    for method in ("evaluate", "predict"):
        held_out.drawn.clear()
        getattr(fresh(1), method)(held_out, steps=steps, verbose=0)
        assert held_out.drawn == [0, "begin", *numbers, "end"]


def test_dataset_that_shuffles_itself_before_an_epoch_is_trained_on_whole():
    class Shuffled(Numbers):
        def __init__(self):
            super().__init__(4)
            self.order = [3, 2, 1, 0]

        def on_epoch_begin(self):
            self.order = [0, 1, 2, 3]

        def __getitem__(self, index):
            return item(self.order[index])

    model = fresh(1)
    model.fit(Shuffled(), shuffle=False, verbose=0)
    assert trained(model) == steps_of([0, 1, 2, 3])
