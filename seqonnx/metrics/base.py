"""Accumulators: named variables that every batch moves on, and what they come to on the host."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes, initializers
from seqonnx.configuration import Configured
from seqonnx.graph import Emitter, Variable, assign_together, current_trace, to_snake_case
from seqonnx.graph.signatures import adopt_renamed, warn_of_renamed
from seqonnx.graph.variable import Aggregation
from seqonnx.metrics.pending import PendingResult
from seqonnx.runtime.program import run_emission, value_key
from seqonnx.structures import take_out

State = Mapping[str, npt.NDArray[Any]]
Values = Mapping[str, ir.Value]
Result = float | npt.NDArray[Any]
TargetShape = Sequence[int | None]
UpdateFunction = Callable[[Emitter, Values, "list[ir.Value]"], Mapping[str, ir.Value]]


_RENAMED: Final = {"build": ("_build", "y_true_shape")}
"""Hooks of a user's class by their names until version 0.1."""


class Accumulators(list[Variable]):
    """The accumulators of a metric; called, as a method was until version 0.1, their first values.

    Args:
        held: the accumulators.
        first: their values before the first batch, by name.
    """

    def __init__(self, held: Iterable[Variable], first: Mapping[str, npt.NDArray[Any]]) -> None:
        super().__init__(held)
        self._first = first

    def __call__(self) -> dict[str, npt.NDArray[Any]]:
        """Return the first values by name."""
        warnings.warn(
            "`variables` of a metric is a property, a list: read `metric.variables`. Calling it "
            "works until the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return dict(self._first)


class Held:
    """An attribute of a metric that is one of its accumulators, made when it is first asked for.

    Args:
        name: name of the accumulator; default: that of the attribute.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name if self.name is None else self.name

    def __get__(self, metric: Accumulator | None, owner: type) -> Any:
        """Return the accumulator."""
        return self if metric is None else metric._accumulators()[str(self.name)]


class Accumulator(Configured):
    """Accumulators, and what they come to: shared by metrics and running means.

    Args:
        name: name shown and logged; default: the class name in snake case.
        dtype: dtype of the accumulators; default float32.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let a class of the user's define hooks by the names of before."""
        super().__init_subclass__(**arguments)
        adopt_renamed(cls, "Metric", _RENAMED)
        if inspect.isfunction(vars(cls).get("variables")):
            warn_of_renamed(
                f"Metric {cls.__name__}: declare accumulators with `add_variable` in the "
                "constructor, in place of a method `variables`"
            )

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        self.name = to_snake_case(type(self).__name__) if name is None else name
        self.dtype = dtypes.standardize(dtype)
        self._declared: dict[str, npt.NDArray[Any]] = {}
        self._held: dict[str, Variable] = {}
        self._seen: State | None = None
        """The accumulators of a training, until somebody looks."""

    @property
    def variables(self) -> list[Variable]:
        """The accumulators, with the values that `update_state` or training has left in them."""
        return Accumulators(self._accumulators().values(), self._start())

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: Aggregation = "sum",
        name: str | None = None,
    ) -> Variable:
        """Declare an accumulator; call it in the constructor.

        Args:
            shape: its shape.
            initializer: name or initializer of its value before the first batch; None: zeros.
            dtype: its dtype; default: that of the metric.
            aggregation: how replicas of a model agree on it.
            name: its name; default: `variable`, numbered.

        Returns:
            The accumulator.

        Raises:
            ValueError: if the name is taken.
        """
        name = f"variable_{len(self._declared)}" if name is None else name
        if name in self._declared:
            raise ValueError(f"Metric '{self.name}' has an accumulator '{name}' already.")
        chosen = self.dtype if dtype is None else dtypes.standardize(dtype)
        start = initializers.get("zeros" if initializer is None else initializer)
        self._declared[name] = start(tuple(shape), chosen)
        self._held[name] = self._new(name, self._declared[name], aggregation)
        return self._held[name]

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = None,
        dtype: str | None = None,
        name: str | None = None,
    ) -> Variable:
        """Declare an accumulator (see `add_variable`)."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def result(self, state: State | None = None) -> Result:
        """Return the metric's value.

        Args:
            state: accumulators after the last batch, by name; default: what `update_state` or
                training has accumulated here. In a `train_step` this gives what stands for the
                value after it.
        """
        if state is None and current_trace() is not None:
            pending: Any = PendingResult(self)
            return pending  # type: ignore[no-any-return]  # a placeholder
        if state is None:
            state = {name: held.numpy() for name, held in self._accumulators().items()}
        own = type(self).compute is not Accumulator.compute
        return self.compute(state) if own else self._compute(state)

    def reset_state(self) -> None:
        """Forget what `update_state` or training has accumulated."""
        self._seen = None
        for name, start in self._own_start().items():
            if name in self._held and self._held[name].shape == start.shape:
                self._held[name].assign(start)
            else:
                self._held.pop(name, None)
        for _, inner in self._inner():
            inner.reset_state()

    def compute(self, state: State) -> Result:
        """Return what the accumulators come to; for classes of one's own.

        Args:
            state: accumulators after the last batch, arrays by name.
        """
        if not defines_later(type(self), "result", "_compute"):
            return self._compute(state)
        held = self._accumulators()  # a user's own `result` reads them
        for name, value in state.items():
            held[name].assign(value)
        return self.result()

    def _start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the accumulators by name, as they are declared."""
        start = self._own_start()
        for prefix, inner in self._inner():
            start |= {f"{prefix}/{name}": value for name, value in inner._start().items()}
        return start

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the accumulators by name, but for those of metrics in attributes."""
        before: Any = type(self).variables
        if callable(before):  # a user's method, as it was until version 0.1
            return {name: np.asarray(start) for name, start in before(self).items()}
        return dict(self._declared)

    def _inner(self) -> Iterator[tuple[str, Accumulator]]:
        """Yield the metrics that attributes hold, alone or in lists and dicts, each once."""
        seen: set[int] = set()
        for attribute, value in list(vars(self).items()):
            found: list[Accumulator] = []
            take_out(value, lambda part: isinstance(part, Accumulator), found)
            for number, inner in enumerate(found):
                if id(inner) not in seen:
                    seen.add(id(inner))
                    yield attribute if len(found) == 1 else f"{attribute}_{number}", inner

    def _reset(self) -> dict[str, npt.NDArray[Any]]:
        """Return the accumulators by name, as a reset leaves them; those kept here stay."""
        plain = type(self).reset_state is Accumulator.reset_state
        if plain and next(self._inner(), None) is None:
            return self._start()
        held = self._accumulators()
        kept = {name: variable.numpy() for name, variable in held.items()}
        self.reset_state()
        first = {name: variable.numpy() for name, variable in held.items()}
        for name, value in kept.items():
            held[name].assign(value)
        return first

    def _keep(self, state: State) -> None:
        """Take over what a training has accumulated: at once where attributes hold it."""
        self._seen = state
        if len(self._declared) > 0 or next(self._inner(), None) is not None:
            self._accumulators()

    def _compute(self, state: State) -> Result:
        """Return what the accumulators come to, for the classes of this package."""
        raise NotImplementedError(
            f"Metric {type(self).__name__} does not define `compute`. Write `compute(self, "
            "state)`, which returns the value of the accumulators `state`, arrays by name."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _zeros(self, *names: str, shape: Sequence[int] = ()) -> dict[str, npt.NDArray[Any]]:
        return {name: np.zeros(tuple(shape), self.dtype) for name in names}

    def _accumulators(self) -> dict[str, Variable]:
        """The accumulators by name, made where they are not yet there."""
        for name, start in self._own_start().items():
            if name not in self._held:
                self._held[name] = self._new(name, start)
        held = dict(self._held)
        for prefix, inner in self._inner():
            held |= {f"{prefix}/{name}": v for name, v in inner._accumulators().items()}
        if self._seen is not None:
            seen, self._seen = self._seen, None
            for name, value in seen.items():
                held[name].assign(value)
        return held

    def _new(
        self, name: str, start: npt.NDArray[Any], aggregation: Aggregation = "sum"
    ) -> Variable:
        path = f"{self.name}/{name}"
        held = Variable(
            start, name, trainable=False, path=path, autocast=False, aggregation=aggregation
        )
        held._measures = True
        return held

    def _advance(self, update: UpdateFunction, arrays: Sequence[Any]) -> None:
        """Run one update of the accumulators kept here; in a trace, emit it."""
        held, trace = self._accumulators(), current_trace()
        if trace is not None:
            state = {name: trace.read(variable) for name, variable in held.items()}
            for name, value in update(trace.op, state, list(arrays)).items():
                trace.assign(held[name], value)
            return
        names = list(held)

        def emit(op: Emitter, values: list[ir.Value]) -> list[ir.Value]:
            known = dict(zip(names, values[len(arrays) :], strict=True))
            changed = known | dict(update(op, known, values[: len(arrays)]))
            return [changed[name] for name in names]

        key = value_key(self, ignore=("name", "_declared", "_held", "_seen"))
        values = [held[name].numpy() for name in names]
        outputs = run_emission(emit, arrays, key=key, fixed=values)
        assign_together(zip(held.values(), outputs, strict=True))


def defines_later(cls: type, method: str, other: str) -> bool:
    """Whether a class defines a method in a class further down than another method.

    Example:
        >>> class Base:
        ...     def result(self): ...
        ...     def _compute(self): ...
        >>> class Own(Base):
        ...     def result(self): ...
        >>> defines_later(Own, "result", "_compute"), defines_later(Base, "result", "_compute")
        (True, False)
    """
    for base in cls.__mro__:
        if other in vars(base):
            return False
        if method in vars(base):
            return True
    return False
