"""PyDataset: data that makes each batch by its number."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator
from typing import Any


class PyDataset:
    """Base of data sets that make each batch by its number.

    A subclass defines `__len__`, the number of batches, and `__getitem__(index)`, which returns
    `(x,)`, `(x, y)` or `(x, y, sample_weight)`. It may define `on_epoch_begin` and
    `on_epoch_end`. One that defines `num_batches` needs no `__len__`; None says that its batches
    never end.

    In `fit`, `evaluate` and `predict` its batches are made ahead of time, whatever the number of
    workers, and used in order. Going over it by hand makes them one by one.

    Processes are spawned: the data set goes to each by `pickle`, anew where its hooks have changed
    it, so its class must stand in a module, and a script must do its work under
    `if __name__ == "__main__":`. In a process, `random` and `numpy.random` are seeded for each
    batch, so that the same run draws the same numbers.

    Args:
        workers: how many threads or processes make batches at the same time. 0 and 1 mean one
            thread, or one process.
        use_multiprocessing: whether the workers are processes, for work in Python that threads
            cannot do at the same time.
        max_queue_size: most batches that are being made or wait to be used.

    Example:
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 2
        ...     def __getitem__(self, index):
        ...         x = np.arange(3.0)[:, None] + index
        ...         return x, x**2
        >>> [y.tolist() for x, y in Squares()]
        [[[0.0], [1.0], [4.0]], [[1.0], [4.0], [9.0]]]
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self._workers = workers
        self._use_multiprocessing = use_multiprocessing
        self._max_queue_size = max_queue_size

    @property
    def workers(self) -> int:
        """How many threads or processes make batches."""
        self._warn_if_not_made()
        return self._workers

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        """Whether the workers are processes."""
        self._warn_if_not_made()
        return self._use_multiprocessing

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        """Most batches that are being made or wait to be used."""
        self._warn_if_not_made()
        return self._max_queue_size

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    @property
    def num_batches(self) -> int | None:
        """Number of batches; None if they never end."""
        return len(self)

    def __len__(self) -> int:
        # `num_batches` of this class asks here; one that a subclass defines knows the number.
        if type(self).num_batches is PyDataset.num_batches:
            raise NotImplementedError(
                f"{type(self).__name__} must define `__len__`, the number of batches, or the "
                "property `num_batches`, which is None if they never end."
            )
        count = self.num_batches
        if count is None:
            raise TypeError(f"{type(self).__name__} has no length: its batches never end.")
        return count

    def __getitem__(self, index: int) -> Any:
        # As in Keras: a data set may define `num_batches` alone until it is asked for a batch.
        raise NotImplementedError(f"{type(self).__name__} must define `__getitem__`.")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        order: Iterable[int] = itertools.count() if count is None else range(count)
        for index in order:
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Called before the first batch of each epoch, of measuring and predicting, too."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of each epoch, also where that is not the last of a pass."""

    def _warn_if_not_made(self) -> None:
        """Warn, once, if a subclass has not called `__init__`; the defaults hold then."""
        defaults = {"_workers": 1, "_use_multiprocessing": False, "_max_queue_size": 10}
        missing = {name: value for name, value in defaults.items() if name not in vars(self)}
        if len(missing) > 0:
            vars(self).update(missing)
            warnings.warn(
                f"`{type(self).__name__}.__init__` should call `super().__init__(**kwargs)`: "
                "`**kwargs` can include `workers`, `use_multiprocessing` and `max_queue_size`. "
                "Without the call the defaults hold: one thread, 10 batches.",
                stacklevel=3,
            )
