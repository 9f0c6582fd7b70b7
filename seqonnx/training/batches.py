"""Batches: passes over the data, cut into epochs."""

from __future__ import annotations

import itertools
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from seqonnx import defaults
from seqonnx.structures import take_out
from seqonnx.training.class_weight import ClassWeights
from seqonnx.training.columns import (
    Column,
    InputDtype,
    RowIndex,
    StoredColumn,
    cast,
    check_cardinality,
    make_column,
    separate_inputs,
    whole_number,
)
from seqonnx.training.targets import (
    Structure,
    by_class,
    columns_in,
    each,
    packed,
    rows_of,
    samples_of,
    to_columns,
)

RAN_OUT: Final = (
    "Your input ran out of data; interrupting training. Make sure that your dataset or generator "
    "can generate at least `steps_per_epoch * epochs` batches. You may need to use the "
    "`.repeat()` function when building your dataset."
)


_FEW_NUMBERS = 1 << 16
"""Smaller batches are gathered in less time than handing them between threads takes (measured:
a step of 0.29 ms in place of 0.34 ms)."""


CheckTargets = Callable[[Structure], None]
CheckInputs = Callable[[Sequence[npt.NDArray[Any]]], None]


class Batch(NamedTuple):
    """Samples that go through a graph together.

    Args:
        x: one C-contiguous array per model input, samples first.
        y: targets: an array, a list or dict of arrays for several outputs, or None.
        sample_weight: float32 weights in the same form, or None.
        size: number of samples.
        structure: for a step that the user has written, the data with a slot in the place of each
            array; the arrays are all in `x` then.
    """

    x: tuple[npt.NDArray[Any], ...]
    y: Structure
    sample_weight: Structure
    size: int
    structure: Any = None


def free_batch(data: Any) -> Batch:
    """Return a batch of data in a structure of their own.

    Args:
        data: arrays in lists, tuples and dicts, samples first.

    Raises:
        ValueError: if they hold no samples.
    """
    arrays: list[npt.NDArray[Any]] = []
    structure = take_out(data, lambda part: isinstance(part, np.ndarray), arrays)
    size = check_cardinality(arrays, [], [])
    if size == 0:
        raise ValueError("A batch must hold at least one sample. Received a batch of none.")
    return Batch(tuple(arrays), None, None, size, structure)


class Batches(ABC):
    """Data as epochs of batches.

    An epoch is one pass over the data, or `steps` batches of it. In training, an epoch of limited
    steps goes on where the one before ended, and into a new pass where the data can be passed
    over again.

    Args:
        steps: number of batches per epoch that was asked for; None for one pass.
        length: number of batches in a pass; None if it is not known.

    Attributes:
        steps: number of batches per epoch; None if it is not known.
        count: number of samples; None if it is not known.
        depth: how many batches are worth preparing ahead.
    """

    def __init__(self, steps: int | None, length: int | None) -> None:
        if steps is not None:
            if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
                raise ValueError(f"The number of steps must be an integer. Received: {steps!r}")
            if steps < 1:
                raise ValueError(f"The number of steps must be at least 1. Received: {steps}")
        if steps is not None and length is not None and steps >= length:
            if steps > length:
                warnings.warn(RAN_OUT, stacklevel=4)
            steps = None
        most = defaults.max_steps_per_epoch()
        if most is not None and most < min(n for n in (steps, length, math.inf) if n is not None):
            warnings.warn(f"Limiting steps_per_epoch to {most}", stacklevel=4)
            steps = most
        self._limit = steps
        self._left = steps  # batches that the present epoch still needs; None for a whole pass
        self._pass: Iterator[Batch] | None = None
        self.steps = length if steps is None else steps
        self.count: int | None = None
        self.depth = 2

    @property
    def limited(self) -> bool:
        """Whether an epoch is a part of a pass, so that the next one goes on where it ended."""
        return self._limit is not None

    @abstractmethod
    def peek(self) -> Batch | None:
        """Return a batch like those to come, without using it up; None if there is none."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether there is data for another epoch; warns if it has run out."""

    @abstractmethod
    def check_targets(self, check: CheckTargets) -> None:
        """Have all targets checked: now if they are here, else those of each batch as it comes.

        Args:
            check: raises an error for targets that cannot be right; called on targets in the
                data's own type.
        """

    @abstractmethod
    def _start(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Begin a pass over the data."""

    def epoch(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """Yield the batches of one epoch.

        Args:
            rng: in training, the source of the order of samples. None for measuring and
                predicting: then every epoch starts at the first sample.

        Yields:
            Batches; the last one of a pass may be smaller.
        """
        if rng is None or self._limit is None:
            self._pass = None
        steps = itertools.count() if self._limit is None else range(self._limit)
        self._epoch_begins()
        for step in steps:
            self._left = None if self._limit is None else self._limit - step
            batch = self._next(rng)
            if batch is None:
                self._ended(step)
                break
            yield batch
        self._epoch_ends()

    def _next(self, rng: np.random.Generator | None) -> Batch | None:
        """The next batch; None at the end of the pass, or of the data in limited epochs."""
        resumed = self._pass is not None
        if self._pass is None:
            self._pass = self._start(rng)
        batch = next(self._pass, None)
        if batch is None:
            self._pass = None
            # Measuring never goes round: it would count samples twice.
            if resumed and rng is not None and self._limit is not None:
                self._pass = self._start(rng)
                batch = next(self._pass, None)
        return batch

    def check_inputs(self, check: CheckInputs) -> None:  # noqa: B027 (arrays are of one shape)
        """Have the inputs of each batch checked as it comes, where they may differ in shape.

        Args:
            check: raises an error for inputs that the model does not take.
        """

    def close(self) -> None:  # noqa: B027 (arrays have nothing to end)
        """End what makes batches ahead of time, when no more are needed."""

    def _epoch_begins(self) -> None:  # noqa: B027 (a hook, for those who need it)
        """Called before the first batch of an epoch."""

    def _epoch_ends(self) -> None:  # noqa: B027 (a hook, for those who need it)
        """Called after the last batch of an epoch."""

    def _ended(self, step: int) -> None:
        """Note that the data ended before batch number `step` of an epoch."""
        if self._limit is not None:
            warnings.warn(RAN_OUT, stacklevel=3)


class ArrayBatches(Batches):
    """Batches out of arrays.

    The arrays stay as they are; each batch is gathered, cast and made dense on its own. Without
    shuffling a batch that needs no cast shares memory with the data.

    Args:
        x: data of the inputs: array, list of numbers, `scipy.sparse` matrix, anything with
            `__array__`; for a model of several inputs a list of them.
        y: targets, or None.
        sample_weight: weights of the samples, or None.
        batch_size: samples per batch; the last batch of a pass may be smaller.
        shuffle: whether each pass has a new order.
        steps: batches per epoch; None for a whole pass.
        input_dtype: that of the one input, or a sequence with that of each.
        target_dtype: that of the targets; None keeps theirs.
        class_weight: gives sample weights from targets.
        outputs: number of outputs of the model; None if it is not known.
        free: whether a step that the user has written takes the data in their own structure.

    Raises:
        ValueError: if the data does not hold numbers, or the numbers of samples differ.

    Example:
        >>> batches = ArrayBatches(np.zeros((5, 2)), np.arange(5), batch_size=2)
        >>> [batch.y.tolist() for batch in batches.epoch()]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        steps: int | None = None,
        input_dtype: InputDtype = None,
        target_dtype: str | None = None,
        class_weight: ClassWeights | None = None,
        outputs: int | None = 1,
        free: bool = False,
    ) -> None:
        inputs = [] if free else separate_inputs(x, input_dtype)
        self._x = [(make_column(data, "x", dtype), dtype) for data, dtype in inputs]
        self._free = to_columns(x, "x", samples_of(x), None) if free else None
        samples = samples_of(x) if free else self._x[0][0].shape[0]
        self._y = to_columns(y, "y", samples, outputs)
        several = outputs if isinstance(sample_weight, list | tuple) else 1
        self._weight = to_columns(sample_weight, "sample_weight", samples, several)
        self._target_dtype = target_dtype
        self._class_weight = class_weight
        self._batch_size = whole_number(batch_size, "batch_size", least=1)
        self._shuffle = shuffle
        columns: list[Column] = [*(column for column, _ in self._x), *columns_in(self._free)]
        self._samples = check_cardinality(columns, columns_in(self._y), columns_in(self._weight))
        super().__init__(steps, -(-self._samples // self._batch_size))
        self.count = self._samples
        numbers = sum(math.prod(column.shape[1:]) for column in columns) * self._batch_size
        stored = any(isinstance(column, StoredColumn) for column in columns)
        if numbers < _FEW_NUMBERS and not stored:
            self.depth = 0
        self._check_targets: CheckTargets | None = None

    def peek(self) -> Batch | None:
        """Return the first samples; None if there are none."""
        return None if self._samples == 0 else self._gather(slice(0, self._batch_size))

    def ready(self) -> bool:
        """Whether there is data for another epoch: arrays can always be passed over again."""
        return self._samples > 0

    def check_targets(self, check: CheckTargets) -> None:
        """Check the whole array; its batches need no more checks. Not so what is in a file."""
        if any(isinstance(column, StoredColumn) for column in columns_in(self._y)):
            self._check_targets = check
        elif self._y is not None:
            check(rows_of(self._y, slice(None)))

    def _start(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Begin a pass over the arrays."""
        order: npt.NDArray[np.intp] | None = None
        if self._shuffle and rng is not None:
            order = rng.permutation(self._samples)
        for start in range(0, self._samples, self._batch_size):
            rows = slice(start, min(start + self._batch_size, self._samples))
            yield self._gather(rows if order is None else order[rows])

    def _gather(self, rows: RowIndex) -> Batch:
        """Make a batch of some rows."""
        x = tuple(cast(column.rows(rows), dtype) for column, dtype in self._x)
        y = rows_of(self._y, rows)
        if self._check_targets is not None:
            self._check_targets(y)
        weight = rows_of(self._weight, rows, "float32")
        if self._class_weight is not None and y is not None:
            weight = by_class(self._class_weight, y)
        if self._target_dtype is not None:
            y = each(lambda part: cast(part, self._target_dtype), y)
        if self._free is not None:
            return free_batch(packed(rows_of(self._free, rows), y, weight))
        return Batch(x, y, weight, len(x[0]))
