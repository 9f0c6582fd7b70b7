"""Prefetching gives the same items in the same order, and leaves no thread behind."""

from __future__ import annotations

import contextlib
import threading
import traceback

import pytest

from seqonnx.data.prefetch import prefetch


def threads():
    return [t for t in threading.enumerate() if t.name == "seqonnx-prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    assert threads() == []
    yield
    assert threads() == []


@pytest.mark.parametrize("depth", [0, 1, 2, 50])
def test_items_come_in_order(depth):
    assert list(prefetch(range(20), depth)) == list(range(20))
    assert list(prefetch([], depth)) == []


def test_items_are_made_in_another_thread():
    makers = list(prefetch(threading.current_thread() for _ in range(3)))
    assert len(set(makers)) == 1
    assert makers[0] is not threading.current_thread()
    assert makers[0].daemon


def test_nothing_happens_before_the_first_item_is_asked_for():
    made = []
    stream = prefetch(made.append(i) for i in range(3))
    assert made == []
    assert threads() == []
    stream.close()
    assert made == []


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_than_depth_items_wait(depth):
    made = []
    reached, exceeded = threading.Event(), threading.Event()

    def source():
        for i in range(100):
            made.append(i)
            if len(made) == depth + 2:  # one used, `depth` waiting, one in the maker's hands
                reached.set()
            if len(made) > depth + 2:
                exceeded.set()
            yield i

    stream = prefetch(source(), depth)
    assert next(stream) == 0
    assert reached.wait(10)
    # The maker cannot go on before the consumer does, however long that takes.
    assert not exceeded.wait(0.2)
    stream.close()
    assert len(made) == depth + 2


def test_error_of_the_source_arrives_after_its_items_with_its_traceback():
    def source():
        yield 1
        raise ZeroDivisionError("in the source")

    stream = prefetch(source())
    assert next(stream) == 1
    with pytest.raises(ZeroDivisionError, match="in the source") as caught:
        next(stream)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "source"
    assert next(stream, "over") == "over"


def test_interrupt_in_the_source_arrives_too():
    def source():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        next(prefetch(source()))


def endless(closed):
    """An endless source that notes where it was closed."""
    try:
        i = 0
        while True:
            yield i
            i += 1
    finally:
        closed.append(threading.current_thread().name)


def test_break_ends_the_thread_and_closes_the_source_there():
    closed = []
    for item in prefetch(endless(closed)):
        if item == 3:
            break
    assert closed == ["seqonnx-prefetch"]


def test_close_ends_the_thread():
    closed = []
    stream = prefetch(endless(closed))
    assert next(stream) == 0
    assert len(threads()) == 1
    stream.close()
    assert threads() == []
    assert len(closed) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_error_in_the_consumer_ends_the_thread(error):
    closed = []

    def consume():
        with contextlib.closing(prefetch(endless(closed))) as stream:
            for _ in stream:
                raise error

    with pytest.raises(error):
        consume()
    assert len(closed) == 1


def test_consumer_that_is_left_alone_ends_the_thread():
    closed = []
    stream = prefetch(endless(closed))
    next(stream)
    del stream
    assert len(closed) == 1


def test_negative_depth_is_refused():
    with pytest.raises(ValueError, match=r"`depth` must not be negative\. Received: depth=-1"):
        next(prefetch([1], -1))
