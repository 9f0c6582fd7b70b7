"""Batches out of whatever yields them: generators, data loaders, PyDatasets."""

from __future__ import annotations

import itertools
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.data.py_dataset import PyDataset
from seqonnx.data.workers import Workers
from seqonnx.training.batches import RAN_OUT, Batch, Batches, CheckInputs, CheckTargets, free_batch
from seqonnx.training.class_weight import ClassWeights
from seqonnx.training.columns import (
    InputDtype,
    cast,
    check_cardinality,
    make_column,
    separate_inputs,
    whole_number,
)
from seqonnx.training.targets import arrays_in, by_class, each, owned, to_arrays, to_columns

_END: Final = object()


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
        input_dtype: that of the one input, or a sequence with that of each; or what gives it for
            the inputs of the first item.
        target_dtype: that of the targets; None keeps theirs.
        class_weight: gives sample weights from targets.
        outputs: number of outputs of the model; None if it is not known.
        free: whether a step that the user has written takes the items in their own structure.

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
        input_dtype: InputDtype | Callable[[Any], InputDtype] = None,
        target_dtype: str | None = None,
        class_weight: ClassWeights | None = None,
        outputs: int | None = 1,
        free: bool = False,
    ) -> None:
        self._outputs, self._free = outputs, free
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
        self._workers: Workers[Batch] | None = None
        self._queue = 1
        if self._by_index:
            self._queue = whole_number(
                getattr(data, "max_queue_size", 10), "max_queue_size", least=1
            )
            self.depth = min(self.depth, self._queue)
            self._workers = _workers_of(data)
        if self._workers is not None:
            # For data that turns out to be wrong before any loop begins.
            weakref.finalize(self, self._workers.close)

    def close(self) -> None:
        """End the workers of a `PyDataset`; another epoch starts new ones."""
        self._pass = None
        if self._workers is not None:
            self._workers.close()

    def peek(self) -> Batch | None:
        """Return the batch that comes next; None if there is none."""
        if self._ahead is None:
            self._ahead = self._first() if self._by_index else self._draw()
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
        order: Iterator[int] = itertools.count()
        if self._length is not None and self._shuffle and rng is not None:
            order = iter(rng.permutation(self._length).tolist())
        elif self._length is not None:
            order = iter(range(self._length))
        if self._workers is None:
            yield from map(self._at, order)
            return
        seed = 0 if rng is None else int(rng.integers(1 << 32))
        made = -1
        while made != 0:
            # No more are made ahead than this epoch needs: the hooks between two may change them.
            share = itertools.islice(order, self._left)
            made = 0
            known = {} if self._ahead is None else {0: self._ahead}
            self._ahead = None
            items = self._workers.items(self._at, share, self._queue, seed, known)
            for made, batch in enumerate(items, start=1):  # noqa: B007 (counted)
                yield batch

    def _first(self) -> Batch | None:
        """The first batch of a `PyDataset`; None if it has none."""
        if self._length == 0:
            return None
        if self._workers is None:
            return self._at(0)
        # Not made here, where what it opens would keep the data set from going to a process.
        return next(self._workers.items(self._at, [0], 1, 0))

    def _at(self, index: int, make: Callable[[int], Any] | None = None) -> Batch:
        """Batch number `index` of a `PyDataset`."""
        if make is None and index == 0 and self._ahead is not None:
            batch, self._ahead = self._ahead, None
            return batch
        try:
            return self._convert(self._data[index] if make is None else make(index))
        except BaseException as error:
            error.add_note(f"This is from batch {index} of {type(self._data).__name__}.")
            raise

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
        if self._free:
            return free_batch(to_arrays(item))
        parts = tuple(item) if isinstance(item, tuple | list) else (item,)
        if not 1 <= len(parts) <= 3:
            raise ValueError(
                "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or "
                f"`(x, y, sample_weight)`, found: {len(parts)} parts."
            )
        data, target, weight = (*parts, None, None)[:3]
        if callable(self._input_dtype):
            self._input_dtype = self._input_dtype(data)
        x = tuple(
            _own(_dense(part, "x", dtype), dtype)
            for part, dtype in separate_inputs(data, self._input_dtype)
        )
        samples = len(x[0])
        y = owned(to_columns(target, "y", samples, self._outputs), None)
        several = self._outputs if isinstance(weight, list | tuple) else 1
        weights = owned(to_columns(weight, "sample_weight", samples, several), "float32")
        size = check_cardinality(x, arrays_in(y), arrays_in(weights))
        if size == 0:
            raise ValueError("A batch must hold at least one sample. Received a batch of none.")
        if self._class_weight is not None and y is not None:
            if weights is not None:
                raise ValueError(
                    "You cannot `class_weight` and `sample_weight` at the same time. Received: "
                    "class_weight for data that yields (x, y, sample_weight)."
                )
            weights = by_class(self._class_weight, y)
        return Batch(x, y, weights, size)

    def _finished(self, batch: Batch) -> Batch:
        """The batch with inputs and targets checked, and in the type that is wanted."""
        if self._check_inputs is not None:
            self._check_inputs(batch.x)
        if batch.y is None:
            return batch
        if self._check_targets is not None:
            self._check_targets(batch.y)
        return batch._replace(y=each(lambda part: cast(part, self._target_dtype), batch.y))


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


def _workers_of(data: Any) -> Workers[Batch] | None:
    """The workers that a `PyDataset` wants; None if its batches are made where they are drawn."""
    count = whole_number(getattr(data, "workers", 1), "workers", least=0)
    processes = bool(getattr(data, "use_multiprocessing", False))
    if count < 2 and not processes:
        return None
    return Workers(data, max(1, count), processes=processes)


def _nothing() -> None:
    """A hook that a data set does not define."""
