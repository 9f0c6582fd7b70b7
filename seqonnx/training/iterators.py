"""Batches out of whatever yields them: generators, data loaders, PyDatasets."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.training.batches import RAN_OUT, Batch, Batches, CheckInputs, CheckTargets
from seqonnx.training.class_weight import ClassWeights
from seqonnx.training.columns import (
    InputDtype,
    cast,
    check_cardinality,
    make_column,
    separate_inputs,
    unwrap,
)

_END: Final = object()


class PyDataset:
    """Base of data sets that make each batch by its number.

    A subclass defines `__len__`, the number of batches, and `__getitem__(index)`, which returns
    `(x,)`, `(x, y)` or `(x, y, sample_weight)`. It may define `on_epoch_begin` and
    `on_epoch_end`. An endless data set defines `num_batches` as None instead of `__len__`.

    Args:
        workers: how many batches to prepare ahead; one thread makes them.
        use_multiprocessing: warns, because a thread makes the batches in any case.
        max_queue_size: most batches to prepare ahead.

    Example:
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 2
        ...     def __getitem__(self, index):
        ...         x = np.arange(3.0)[:, None] + index
        ...         return x, x**2
    """

    # On the class, because subclasses often do not call `__init__`.
    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define `__len__`.")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define `__getitem__`.")

    @property
    def num_batches(self) -> int | None:
        """Number of batches; None if they never end."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before the first batch of each epoch, of measuring and predicting, too."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of each epoch, also where that is not the last of a pass."""


class IteratorBatches(Batches):
    """Batches out of a generator, an iterable such as a data loader, or a `PyDataset`.

    Each item is `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. It is drawn once, in order, and
    no sooner than an epoch needs it; an item that was only looked at comes first. What no epoch
    has asked for stays in a generator.

    Args:
        data: what yields the items. A generator can be passed over once; an iterable and a
            `PyDataset` again in each epoch.
        steps: items per epoch; None to go on until the data ends.
        shuffle: whether a `PyDataset` is asked for its batches in a new order each time.
        input_dtype: that of the one input, or a sequence with that of each.
        target_dtype: that of the targets; None keeps theirs.
        class_weight: gives sample weights from targets.

    Raises:
        ValueError: if `data` never ends and `steps` is None.

    Example:
        >>> batches = IteratorBatches((np.ones((2, 3)), np.ones(2)) for _ in range(2))
        >>> [batch.size for batch in batches.epoch()], batches.ready()  # doctest: +SKIP
        ([2, 2], False)
    """

    def __init__(
        self,
        data: Any,
        *,
        steps: int | None = None,
        shuffle: bool = False,
        input_dtype: InputDtype = None,
        target_dtype: str | None = None,
        class_weight: ClassWeights | None = None,
    ) -> None:
        self._data = data
        self._by_index = is_dataset(data)
        self._once = isinstance(data, Iterator)
        length = _length(data, self._by_index)
        if self._by_index and length is None and steps is None:
            raise ValueError(
                "This data never ends: pass `steps_per_epoch` to fit, `validation_steps` for "
                "validation data, or `steps` to evaluate and predict."
            )
        super().__init__(steps, length)
        self._length = length
        self._shuffle = shuffle
        self._input_dtype = input_dtype
        self._target_dtype = target_dtype
        self._class_weight = class_weight
        self._check_targets: CheckTargets | None = None
        self._check_inputs: CheckInputs | None = None
        self._items: Iterator[Any] | None = None
        self._ahead: Batch | None = None  # drawn to be looked at, and not used yet
        self._used = False  # whether a batch of the present pass was
        self._started = False
        if self._by_index:
            self.depth = _depth(data)

    def peek(self) -> Batch | None:
        """Return the batch that comes next; None if there is none."""
        if self._ahead is None:
            self._ahead = self._at(0) if self._by_index else self._draw()
        return self._ahead

    def ready(self) -> bool:
        """Whether there is data for another epoch; warns if a generator has run out."""
        if self._once and self.peek() is None:
            self._ended(0)
            return False
        return True

    def check_targets(self, check: CheckTargets) -> None:
        """Have the targets of each batch checked when it is used."""
        self._check_targets = check

    def check_inputs(self, check: CheckInputs) -> None:
        """Have the inputs of each batch checked when it is used."""
        self._check_inputs = check

    def _start(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Begin a pass over the data, or go on with what can be passed over once."""
        for batch in self._walk(rng) if self._by_index else self._iterate():
            self._started = True
            yield self._finished(batch)

    def _iterate(self) -> Iterator[Batch]:
        """All batches of one pass over what cannot be asked for a batch by its number."""
        if self._used and not self._once:
            self._items = self._ahead = None
        while (batch := self._draw()) is not None:
            self._used = True
            yield batch

    def _draw(self) -> Batch | None:
        """The next batch of a pass; None at its end."""
        if self._ahead is not None:
            batch, self._ahead = self._ahead, None
            return batch
        if self._items is None:
            self._items, self._used = iter(self._data), False
        item = next(self._items, _END)
        if item is _END:
            # An iterator that has ended is not asked again: one that waits would wait for ever.
            self._items = iter(()) if self._once else None
            return None
        return self._convert(item)

    def _walk(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        """All batches of a `PyDataset`, in a pass."""
        order: Iterable[int] = itertools.count()
        if self._length is not None:
            order = range(self._length)
            if self._shuffle and rng is not None:
                order = rng.permutation(self._length).tolist()
        for index in order:
            batch = self._at(index)
            if batch is not None:
                yield batch

    def _at(self, index: int) -> Batch | None:
        """Batch number `index` of a `PyDataset`; None if it has no batches."""
        if index == 0 and self._ahead is not None:
            batch, self._ahead = self._ahead, None
            return batch
        return None if self._length == 0 else self._convert(self._data[index])

    def _epoch_begins(self) -> None:
        """Call the hook of a `PyDataset`, after which its first batch may be another one."""
        hook = getattr(self._data, "on_epoch_begin", None) if self._by_index else None
        if hook is not None and getattr(hook, "__func__", None) is not PyDataset.on_epoch_begin:
            self._ahead = None
            hook()

    def _epoch_ends(self) -> None:
        """Call the hook of a `PyDataset`, after which all of its batches may be others."""
        if self._by_index:
            self._ahead = None
            getattr(self._data, "on_epoch_end", _nothing)()

    def _ended(self, step: int) -> None:
        """Warn if the data ended too early, raise if it never gave anything."""
        if not self._started:
            raise ValueError(
                "The data gave no batch: expected at least one item of the form (x,), (x, y) or "
                f"(x, y, sample_weight). Received: {type(self._data)}"
            )
        if self._limit is not None or step == 0:
            warnings.warn(RAN_OUT, stacklevel=3)

    def _convert(self, item: Any) -> Batch:
        """Make a batch of an item, its targets as they are."""
        parts = tuple(item) if isinstance(item, tuple | list) else (item,)
        if not 1 <= len(parts) <= 3:
            raise ValueError(
                "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or "
                f"`(x, y, sample_weight)`, found: {len(parts)} parts."
            )
        data, target, weight = (*parts, None, None)[:3]
        x = tuple(
            _own(_dense(part, "x", dtype), dtype)
            for part, dtype in separate_inputs(data, self._input_dtype)
        )
        y = None if target is None else _own(_dense(unwrap(target), "y"), None)
        weights = None if weight is None else _own(_dense(weight, "sample_weight"), "float32")
        size = check_cardinality(x, y, weights)
        if size == 0:
            raise ValueError("A batch must hold at least one sample. Received a batch of none.")
        if self._class_weight is not None and y is not None:
            if weights is not None:
                raise ValueError(
                    "You cannot `class_weight` and `sample_weight` at the same time. Received: "
                    "class_weight for data that yields (x, y, sample_weight)."
                )
            weights = self._class_weight.of(y)
        return Batch(x, y, weights, size)

    def _finished(self, batch: Batch) -> Batch:
        """The batch with inputs and targets checked, and in the type that is wanted."""
        if self._check_inputs is not None:
            self._check_inputs(batch.x)
        if batch.y is None:
            return batch
        if self._check_targets is not None:
            self._check_targets(batch.y)
        return batch._replace(y=cast(batch.y, self._target_dtype))


def is_dataset(data: object) -> bool:
    """Whether this is a `PyDataset`, or a class of another library with the same methods."""
    return isinstance(data, PyDataset) or all(
        callable(getattr(data, method, None))
        for method in ("__len__", "__getitem__", "on_epoch_end")
    )


def describe(data: object) -> str:
    """Describe data in the words of error messages."""
    if is_dataset(data):
        return "PyDataset"
    for cls in type(data).__mro__:
        library = cls.__module__.partition(".")[0]
        if (library, cls.__name__) == ("torch", "DataLoader"):
            return "torch DataLoader"
        if library == "tensorflow" and cls.__name__ in {"Dataset", "DatasetV2"}:
            return "tf.data.Dataset"
    return "generator" if isinstance(data, Iterator) else "iterable"


def check_iterable(data: Any) -> None:
    """Raise a ValueError unless batches can be had from `data`."""
    if is_dataset(data) or isinstance(data, Iterable):
        return
    hint = ""
    if callable(data):
        hint = " Pass the generator that the function makes: call it."
    elif any((c.__module__[:5], c.__name__) == ("torch", "Dataset") for c in type(data).__mro__):
        hint = " Pass it through a torch.utils.data.DataLoader, which makes batches."
    raise ValueError(f"Unrecognized data type: x={data!r} (of type {type(data)}).{hint}")


def _dense(data: Any, what: str, dtype: str | None = None) -> npt.NDArray[Any]:
    """One part of an item as an array with samples along its first axis."""
    rows = make_column(data, what, dtype).rows(slice(None))
    return dtypes.to_array(rows, "string" if dtype == "string" else None, what)


def _own(array: npt.NDArray[Any], dtype: str | None) -> npt.NDArray[Any]:
    """A copy: the source may fill its buffer anew before this batch is used."""
    return np.array(array, dtype=None if dtype == "string" else dtype, order="C")


def _length(data: Any, by_index: bool) -> int | None:
    """Number of items in a pass over `data`; None if it does not tell, or never ends."""
    if by_index and isinstance(data, PyDataset):
        return data.num_batches
    if isinstance(data, Iterator):
        return None
    try:
        return len(data)
    except (TypeError, NotImplementedError):
        return None


def _depth(data: Any) -> int:
    """How many batches of a `PyDataset` to prepare ahead."""
    if getattr(data, "use_multiprocessing", False):
        warnings.warn(
            f"`use_multiprocessing=True` of {type(data).__name__} has no effect: one thread makes "
            "its batches ahead of time.",
            stacklevel=4,
        )
    return max(2, min(getattr(data, "workers", 1), getattr(data, "max_queue_size", 10)))


def _nothing() -> None:
    """A hook that a data set does not define."""
