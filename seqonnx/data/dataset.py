"""Data sets: what is read again in each epoch, in stages, as tf.data does it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np

from seqonnx import config
from seqonnx.data import stages
from seqonnx.data.elements import as_element, rows, unwritable, with_each
from seqonnx.data.prefetch import prefetch

__all__ = ["Dataset"]

_AHEAD: Final = 2


class Dataset:
    """Elements on the host that can be passed over again and again, with tf.data's methods.

    Data sets of this package stand where Keras returns a `tf.data.Dataset`; `fit`, `evaluate` and
    `predict` take one whose elements are batches. An element is an array, or a tuple or dict of
    them. Each method returns another data set and computes nothing: elements are made as they are
    asked for. Functions given to `map` and `filter` get NumPy arrays and may use NumPy,
    `seqonnx.ops`, and layers.

    Args:
        source: called at the start of each pass; returns an iterator of elements.
        length: number of elements, `Dataset.INFINITE` or `Dataset.UNKNOWN`.

    Example:
        >>> squares = Dataset.from_tensor_slices(np.arange(4)).map(lambda x: (x, x**2)).batch(3)
        >>> [(x.tolist(), y.tolist()) for x, y in squares], len(squares)
        ([([0, 1, 2], [0, 1, 4]), ([3], [9])], 2)
    """

    INFINITE: Final = -1
    UNKNOWN: Final = -2
    AUTOTUNE: Final = stages.AUTOTUNE

    class_names: list[str]
    """Names of the classes, where files of a directory give the labels."""
    file_paths: list[str]
    """Paths of the files, where the elements are read from files."""

    def __init__(self, source: Callable[[], Iterator[Any]], length: int = UNKNOWN) -> None:
        self._source = source
        self._length = length
        self._batch_size: int | None = None  # of a data set of batches, as tf.data has it

    # Where elements come from.

    @classmethod
    def from_tensor_slices(cls, tensors: Any) -> Dataset:
        """Return a data set of the rows of arrays.

        Args:
            tensors: an array, or arrays in tuples and dicts; all of the same number of rows.

        Raises:
            ValueError: if their numbers of rows differ, or there are none.

        Example:
            >>> x, y = np.zeros((5, 2)), np.arange(5)
            >>> [label.item() for _, label in Dataset.from_tensor_slices((x, y)).take(2)]
            [0, 1]
        """
        whole = unwritable(as_element(tensors))
        count = rows(whole, "`from_tensor_slices`")
        return cls(lambda: (stages.row(whole, index) for index in range(count)), count)

    @classmethod
    def from_tensors(cls, tensors: Any) -> Dataset:
        """Return a data set of one element."""
        whole = unwritable(as_element(tensors))
        return cls(lambda: iter([whole]), 1)

    @classmethod
    def from_generator(cls, generator: Callable[[], Iterable[Any]]) -> Dataset:
        """Return a data set of what a function yields, called anew for each pass.

        Args:
            generator: takes no arguments; returns an iterable of arrays, or of tuples and dicts
                of them. Arrays are copied, so it may fill the same ones again.

        Raises:
            TypeError: if it is not callable.
        """
        if not callable(generator):
            raise TypeError(f"`generator` must be callable. Received: generator={generator!r}")

        def source() -> Iterator[Any]:
            for item in generator():
                yield with_each(as_element(item), np.copy)

        return cls(source)

    @classmethod
    def range(cls, *args: int) -> Dataset:
        """Return a data set of int64 numbers; its arguments are those of Python's `range`."""
        numbers = range(*args)
        return cls(lambda: (np.asarray(n, np.int64) for n in numbers), len(numbers))

    @classmethod
    def zip(cls, *datasets: Any) -> Dataset:
        """Return a data set of tuples with an element of each data set; ends with the shortest.

        Args:
            *datasets: the data sets, or one tuple of them.

        Example:
            >>> pairs = Dataset.zip(Dataset.range(3), Dataset.range(5, 9))
            >>> [(a.item(), b.item()) for a, b in pairs]
            [(0, 5), (1, 6), (2, 7)]
        """
        parts = datasets[0] if len(datasets) == 1 and isinstance(datasets[0], tuple) else datasets
        lengths = [part.cardinality() for part in parts]
        finite = [length for length in lengths if length >= 0]
        length = cls.INFINITE if len(finite) == 0 else min(finite)
        length = cls.UNKNOWN if cls.UNKNOWN in lengths else length
        return cls(lambda: iter(zip(*parts, strict=False)), length)

    # What a pass is.

    def __iter__(self) -> Iterator[Any]:
        return self._source()

    def as_numpy_iterator(self) -> Iterator[Any]:
        """Return an iterator of the elements, whose arrays are NumPy's in any case."""
        return iter(self)

    def cardinality(self) -> int:
        """Return the number of elements, or `Dataset.INFINITE` (-1) or `Dataset.UNKNOWN` (-2)."""
        return self._length

    def __len__(self) -> int:
        if self._length == self.INFINITE:
            raise TypeError("This data set never ends, so it has no length.")
        if self._length == self.UNKNOWN:
            raise TypeError("The length of this data set is not known before a pass over it.")
        return self._length

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        words = {self.INFINITE: "infinite", self.UNKNOWN: "unknown"}
        return f"<Dataset cardinality={words.get(self._length, self._length)}>"

    # What is made of the elements.

    def map(self, map_func: Callable[..., Any], num_parallel_calls: int | None = None) -> Dataset:
        """Return a data set of what a function makes of each element.

        Args:
            map_func: takes an element; the parts of a tuple as its arguments. Returns one.
            num_parallel_calls: how many elements threads work on at once, `Dataset.AUTOTUNE`
                (-1) for one for each core; None to work without threads. The order stays.

        Raises:
            ValueError: if `num_parallel_calls` is neither positive nor -1.

        Example:
            >>> numbers = Dataset.range(3).map(lambda x: x * 10, num_parallel_calls=2)
            >>> [x.item() for x in numbers]
            [0, 10, 20]
        """
        threads = num_parallel_calls
        if threads is not None and threads != stages.AUTOTUNE:
            _check_count("num_parallel_calls", threads, least=1)
        return Dataset(lambda: stages.mapped(self, map_func, threads), self._length)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """Return a data set of the elements of which a function says True."""
        return Dataset(
            lambda: (element for element in self if bool(stages.call_on(predicate, element)))
        )

    def enumerate(self, start: int = 0) -> Dataset:
        """Return a data set of pairs: the number of an element, counted from `start`, and it."""
        return Dataset(
            lambda: ((np.asarray(n, np.int64), e) for n, e in enumerate(self, start)),
            self._length,
        )

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Return a data set of batches: elements stacked along a new first axis.

        Args:
            batch_size: elements in each; the last may have fewer.
            drop_remainder: whether to leave out a last batch that has fewer.

        Raises:
            ValueError: if `batch_size` is not positive; in a pass, if the shapes or structures of
                elements differ.
        """
        _check_count("batch_size", batch_size, least=1)
        whole, rest = divmod(self._length, batch_size)
        length = whole + (rest > 0 and not drop_remainder)
        batches = Dataset(
            lambda: stages.batched(self, batch_size, drop_remainder),
            self._length if self._length < 0 else length,
        )
        batches._batch_size = batch_size
        return batches

    def unbatch(self) -> Dataset:
        """Return a data set of the rows of each batch."""
        infinite = self._length == self.INFINITE
        return Dataset(lambda: stages.unbatched(self), self.INFINITE if infinite else self.UNKNOWN)

    # Which elements, in which order, and how often.

    def take(self, count: int) -> Dataset:
        """Return a data set of the first `count` elements; of all for -1."""
        if count == -1:
            return self
        _check_count("count", count, least=0)
        short = self._length == self.INFINITE or count == 0
        length = count if short else min(self._length, count)
        return Dataset(lambda: itertools.islice(self, count), length)

    def skip(self, count: int) -> Dataset:
        """Return a data set without the first `count` elements; of none for -1."""
        if count == -1:
            return self.take(0)
        _check_count("count", count, least=0)
        length = self._length if self._length < 0 else max(self._length - count, 0)
        return Dataset(lambda: itertools.islice(self, count, None), length)

    def shard(self, num_shards: int, index: int) -> Dataset:
        """Return a data set of every `num_shards`-th element, from number `index` on."""
        _check_count("num_shards", num_shards, least=1)
        _check_count("index", index, least=0)
        if index >= num_shards:
            raise ValueError(
                "`index` must be less than `num_shards`. Received: "
                f"num_shards={num_shards}, index={index}"
            )
        length = self._length if self._length < 0 else len(range(index, self._length, num_shards))
        return Dataset(lambda: itertools.islice(self, index, None, num_shards), length)

    def concatenate(self, dataset: Dataset) -> Dataset:
        """Return a data set of these elements, and then those of another data set."""
        lengths = (self._length, dataset.cardinality())
        length = sum(lengths) if min(lengths) >= 0 else self.UNKNOWN
        length = self.INFINITE if self.INFINITE in lengths else length
        return Dataset(lambda: itertools.chain(self, dataset), length)

    def repeat(self, count: int | None = None) -> Dataset:
        """Return a data set of `count` passes over this one; without end for None or -1."""
        if count is None or count == -1:
            length = 0 if self._length == 0 else self.INFINITE
            return Dataset(lambda: self._passes(itertools.count()), length)
        _check_count("count", count, least=0)
        length = self._length if self._length < 0 else self._length * count
        return Dataset(lambda: self._passes(range(count)), 0 if count == 0 else length)

    def _passes(self, numbers: Iterable[int]) -> Iterator[Any]:
        for _ in numbers:
            empty = True
            for element in self:
                empty = False
                yield element
            if empty:
                return

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = None,
    ) -> Dataset:
        """Return a data set in random order.

        Args:
            buffer_size: each element is drawn from this many that come next; the number of all
                elements, or more, gives every order the same probability.
            seed: what the order follows from; None draws one from `set_random_seed`.
            reshuffle_each_iteration: whether each pass has an order of its own; None for True.

        Raises:
            ValueError: if `buffer_size` is not positive, or `seed` is negative.
        """
        _check_count("buffer_size", buffer_size, least=1)
        if seed is not None:
            _check_count("seed", seed, least=0)
        entropy = config.next_seed() if seed is None else int(seed)
        again = reshuffle_each_iteration is None or reshuffle_each_iteration
        numbers = itertools.count() if again else itertools.repeat(0)

        def source() -> Iterator[Any]:
            words = np.random.SeedSequence(entropy, spawn_key=(next(numbers),))
            return stages.shuffled(self, buffer_size, np.random.default_rng(words))

        return Dataset(source, self._length)

    # How they are made.

    def cache(self) -> Dataset:
        """Return a data set that keeps the elements of its first whole pass in memory."""
        kept: list[list[Any]] = []

        def source() -> Iterator[Any]:
            if len(kept) > 0:
                yield from kept[0]
                return
            elements = []
            for element in self:
                elements.append(unwritable(element))
                yield elements[-1]
            kept.append(elements)

        return Dataset(source, self._length)

    def prefetch(self, buffer_size: int) -> Dataset:
        """Return a data set whose elements a thread makes ahead of time.

        Args:
            buffer_size: how many elements at most wait to be used; 0 for no thread,
                `Dataset.AUTOTUNE` (-1) for two.

        Raises:
            ValueError: if `buffer_size` is below -1.
        """
        _check_count("buffer_size", buffer_size, least=-1)
        depth = _AHEAD if buffer_size == stages.AUTOTUNE else buffer_size
        return Dataset(lambda: prefetch(iter(self), depth), self._length)


def _check_count(name: str, value: Any, *, least: int) -> None:
    """Raise a ValueError unless an argument is an integer that is large enough."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. Received: {name}={value!r}"
        )
