"""Variables: named arrays that live longer than a graph (weights, slots, accumulators).

A graph refers to a variable as an initializer (its value baked in) or as an input (its value
given at every run). While a model trains, the newest value lies on the device; `Home` is the way
back to it.

Whoever reads sees a change of several variables whole or not at all, in any thread and whatever
interrupts the writer: values are never written into, and what counts is replaced by storing one
reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt

from seqonnx.graph.changes import commit, committing
from seqonnx.graph.mapped import is_mapped
from seqonnx.graph.operable import TRACE, Operable

Array = npt.NDArray[Any]
Aggregation = Literal["none", "mean", "sum", "only_first_replica"]
"""How replicas of a model agree on the value of a variable."""


class Copy(NamedTuple):
    """The content of a home at one moment.

    Args:
        values: the variables that live there, in the ONNX layout.
        changed_at: number of the newest change that they have seen.
    """

    values: Mapping[Variable, Array]
    changed_at: int


class Home(Protocol):
    """Keeps the newest value of variables somewhere else, such as a device."""

    def fetch(self) -> Copy:
        """Return the newest values of all variables that live here."""

    @property
    def changed_at(self) -> int:
        """Number of the newest change made here (see `last_change`)."""


class Change:
    """A change of one or several variables: it counts once it has a number."""

    __slots__ = ("number",)

    def __init__(self, number: int = 0) -> None:
        self.number = number


class Value:
    """The content of a variable: an array here, or the home that has it; and the change behind it.

    `before` is what counts until the change has its number.
    """

    __slots__ = ("array", "before", "change", "home")

    def __init__(
        self, array: Array | None, home: Home | None, change: Change, before: Value | None = None
    ) -> None:
        self.array = array
        self.home = home
        self.change = change
        self.before = before


class Variable(Operable):
    """A named array, shown in the Keras layout and stored in the ONNX layout.

    Args:
        value: initial value in the Keras layout, such as `(h, w, in, out)` for a kernel.
        name: last part of the path, such as `"kernel"`.
        trainable: whether training may change it (the layer's own flag also counts).
        layout: axes that turn the Keras layout into the ONNX layout (as `numpy.transpose`
            takes them), or None where both are the same.
        path: full path, such as `"dense/kernel"`; default `name`.
        autocast: whether a layer that computes in another dtype gets it in that dtype.
        aggregation: how replicas of a model agree on it.

    Attributes:
        name: last part of the path.
        path: full path.
        trainable: whether training may change it.
        aggregation: how replicas of a model agree on it.
        regularizer: what a layer has declared it with; None for none.
        constraint: what a layer has declared it with; None for none.

    Raises:
        ValueError: if `aggregation` is not one of those that there are.

    Example:
        >>> step = Variable(np.zeros(2, np.float32), "step")
        >>> step.assign_add([1, 2])
        >>> step.numpy().tolist()
        [1.0, 2.0]
    """

    regularizer: Any = None
    constraint: Any = None

    def __init__(
        self,
        value: Array,
        name: str,
        *,
        trainable: bool = True,
        layout: Sequence[int] | None = None,
        path: str | None = None,
        autocast: bool = True,
        aggregation: Aggregation = "none",
    ) -> None:
        if aggregation not in get_args(Aggregation):
            raise ValueError(
                f"`aggregation` must be one of {get_args(Aggregation)}. "
                f"Received: aggregation={aggregation!r}"
            )
        self.name = name
        self.aggregation = aggregation
        self._autocast = autocast
        self._measures = False
        """Whether it belongs to a metric: then only training and evaluation move it."""
        self._sparse = False
        """Whether a step of an optimizer moves only the rows that the batch has met."""
        self.path = name if path is None else path
        self.trainable = trainable
        self._to_stored = None if layout is None else tuple(layout)
        self._to_shown = None if layout is None else tuple(int(i) for i in np.argsort(layout))
        self._shape: tuple[int, ...] = value.shape
        self._dtype = value.dtype
        change = Change()
        self._value = Value(self._store(value), None, change)
        commit(partial(setattr, change, "number"))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the Keras layout."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Rank."""
        return len(self._shape)

    @property
    def value(self) -> Array:
        """A copy of the value in the Keras layout, as `numpy()` gives it."""
        return self.numpy()

    @property
    def dtype(self) -> str:
        """Kind of the elements, such as `"float32"`."""
        return str(self._dtype.name)

    @property
    def _size(self) -> int:
        """Number of elements."""
        return math.prod(self._shape)

    @property
    def _nbytes(self) -> int:
        """Number of bytes of the value."""
        return self._size * self._dtype.itemsize

    @property
    def _emitted_name(self) -> str:
        """Its name in a graph, in the scope where it is read."""
        return self.name

    @property
    def _file_path(self) -> str:
        """Its name in a file of the state of training."""
        return self.path

    @property
    def _changed_at(self) -> int:
        """Number of the newest change of this variable, here or at its home."""
        value = self._newest()
        return max(value.change.number, 0 if value.home is None else value.home.changed_at)

    @property
    def _assigned_at(self) -> int:
        """Number of the newest change made by `assign`."""
        return self._newest().change.number

    @property
    def _home(self) -> Home | None:
        """Where the newest value is kept; None: here."""
        return self._newest().home

    @property
    def _layout(self) -> tuple[int, ...] | None:
        """Axes that turn the Keras layout into the stored one; None where they are the same."""
        return self._to_stored

    @property
    def _stored_shape(self) -> tuple[int, ...]:
        """Shape in the ONNX layout."""
        return (
            self._shape
            if self._to_stored is None
            else tuple(self._shape[axis] for axis in self._to_stored)
        )

    def numpy(self) -> Array:
        """Return a copy of the value in the Keras layout."""
        return self._shown(self._stored())

    def _shown(self, stored: Array) -> Array:
        """Return a copy, in the Keras layout, of a value in the ONNX layout."""
        shown = stored if self._to_shown is None else stored.transpose(self._to_shown)
        return np.array(shown, order="C")

    def _stored(self) -> Array:
        """Return the value in the ONNX layout; do not write into it."""
        return self._read(self._newest())

    def _newest(self) -> Value:
        """Return what the variable holds now."""
        value = self._value
        before = value.before
        return value if before is None or value.change.number > 0 else before

    def _read(self, value: Value) -> Array:
        """Return the array, in the ONNX layout, of something that the variable held."""
        if value.home is not None:
            return value.home.fetch().values[self]
        assert value.array is not None
        return value.array

    def assign(self, value: npt.ArrayLike) -> None:
        """Replace the value.

        Args:
            value: array in the Keras layout with the variable's shape; cast to its dtype.

        Raises:
            ValueError: if the shape differs.

        In a trace, such as a user's `call`, a run of the graph replaces the value.
        """
        trace = TRACE.get()
        if trace is not None:
            trace.assign(self, value)
            return
        array = np.asarray(value)
        if array.shape != self._shape:
            raise ValueError(
                f"The shape of the target variable and the shape of the target value must match. "
                f"Variable {self.path} has shape {self._shape}. Received: value.shape={array.shape}"
            )
        self._assign_stored(self._fitted(array))

    def assign_add(self, value: npt.ArrayLike) -> None:
        """Add to the value; shapes and errors as `assign`."""
        self.assign(self.numpy() + np.asarray(value) if TRACE.get() is None else self + value)

    def assign_sub(self, value: npt.ArrayLike) -> None:
        """Subtract from the value; shapes and errors as `assign`."""
        self.assign(self.numpy() - np.asarray(value) if TRACE.get() is None else self - value)

    def _fitted(self, value: Array) -> Array:
        """Return an array in the Keras layout as it is stored here: ONNX layout, own dtype."""
        return self._store(value.astype(self._dtype, copy=False))

    def _assign_stored(self, stored: Array) -> None:
        """Replace the value by one in the ONNX layout, of the right shape and dtype."""
        assign_together([(self, stored)])

    def _receive(self, stored: Array) -> None:
        """Take over the value that lies at the home, in the ONNX layout, and keep it here."""
        value = self._newest()
        self._replace(value, Value(stored, None, Change(self._changed_at)))

    def _move_to(self, home: Home | None, since: Value | None = None) -> bool:
        """Say where the newest value is kept from now on (None: here).

        Args:
            home: who has it.
            since: returned by `_newest` when `home` took the value; default: it has the newest.

        Returns:
            Whether nothing newer has come meanwhile.
        """
        value = self._newest() if since is None else since
        if value.home is home:
            return True
        array = self._read(value) if home is None else None
        return self._replace(value, Value(array, home, Change(self._changed_at)))

    def _replace(self, value: Value, new: Value) -> bool:
        """Hold `new`, unless `value` has been replaced by something else meanwhile."""
        with committing():
            same = self._newest() is value
            if same:
                self._value = new
            return same

    def _store(self, value: Array) -> Array:
        shown = value if self._to_stored is None else value.transpose(self._to_stored)
        if is_mapped(shown):  # read-only: nobody else can change it
            return shown
        return np.array(shown, order="C")

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        value = self.numpy()
        return value if dtype is None else value.astype(dtype)

    def __len__(self) -> int:
        return self._shape[0]

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.numpy())

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy: with the value, at home nowhere."""
        return vars(self) | {"_value": self._stored()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        change = Change()
        self._value = Value(state["_value"], None, change)
        commit(partial(setattr, change, "number"))


def assign_together(values: Iterable[tuple[Variable, Array]]) -> None:
    """Replace the values of several variables: nobody ever sees only some of them replaced.

    Args:
        values: variables, each with an array in the ONNX layout, of its shape and dtype.

    Example:
        >>> kernel, bias = (Variable(np.zeros(2, np.float32), name) for name in ("kernel", "bias"))
        >>> assign_together([(kernel, np.ones(2, np.float32)), (bias, np.ones(2, np.float32))])
        >>> kernel.numpy().tolist(), bias.numpy().tolist()
        ([1.0, 1.0], [1.0, 1.0])
    """
    pairs = list(values)
    if len(pairs) == 0:
        return
    change = Change()
    with committing():
        for variable, array in pairs:
            variable._value = Value(array, None, change, before=variable._newest())
        commit(partial(setattr, change, "number"))
    for variable, _ in pairs:
        value = variable._value
        if value.change is change:
            value.before = None  # which would keep the array alive


def read_together(variables: Sequence[Variable]) -> tuple[int, list[Array]]:
    """Return the values of several variables as they are at one moment.

    Returns:
        The number of the newest change of these variables, and an array for each in the ONNX
        layout; do not write into them.

    Example:
        >>> _, (value,) = read_together([Variable(np.zeros(1, np.float32), "bias")])
        >>> value.tolist()
        [0.0]
    """
    while True:
        found = [(variable, variable._newest()) for variable in variables]
        copies = {value.home: value.home.fetch() for _, value in found if value.home is not None}
        # What is the same at a second look was there, all of it, at the end of the first.
        if all(variable._newest() is value for variable, value in found):
            break
    seen = [copy.changed_at for copy in copies.values()]
    number = max([*seen, *(value.change.number for _, value in found)], default=0)
    return number, [
        variable._read(value) if value.home is None else copies[value.home].values[variable]
        for variable, value in found
    ]
