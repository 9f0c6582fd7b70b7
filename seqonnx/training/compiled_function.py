"""Functions of one's own, compiled: traced once for each kind of data, with state on a device."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx import config, dtypes
from seqonnx.graph import Variable, current_trace, last_setting
from seqonnx.graph.operable import Valueless
from seqonnx.metrics.pending import PendingResult
from seqonnx.optimizers import Optimizer
from seqonnx.optimizers.slots import SlotVariables
from seqonnx.optimizers.step_count import count_steps_of
from seqonnx.runtime import Device, select_device
from seqonnx.runtime.noise import GENERATOR
from seqonnx.runtime.session_cache import SessionCache
from seqonnx.structures import mapped, take_out
from seqonnx.training.blocks import block_for
from seqonnx.training.own_step import OwnGraph, SlotsOf, build_own_step
from seqonnx.training.runner import Staged, StepRunner
from seqonnx.training.several_steps import several_steps
from seqonnx.training.state import DeviceState


class OwnFunction:
    """A function of tensors, compiled for each kind of data; its variables live on a device.

    Args:
        function: the function.
        state: where its variables live.
        slots_of: gives the slots of optimizers.
    """

    def __init__(self, function: Callable[..., Any], state: DeviceState, slots_of: SlotsOf) -> None:
        self._function = function
        self._state = state
        self._slots_of = slots_of
        self._built: SessionCache[_BuiltFunction] = SessionCache()
        self._counted: dict[int, _Taken] = {}
        self._last: _BuiltFunction | None = None

    def stage(
        self,
        several: Sequence[tuple[Any, list[npt.NDArray[Any]]]],
        *,
        extra: Hashable = None,
        seed: int,
        step: int | None,
        generator: str = GENERATOR,
    ) -> Staged:
        """Put data on the device; see `StepRunner.stage`.

        Args:
            several: for each of several steps the arguments, with a slot in the place of each
                array, and the arrays.
            extra: what else the graph depends on.
            seed: seed of the noise.
            step: counter of the noise; None for a run that nothing counts.
            generator: generator of the noise.
        """
        pattern, first = several[0]
        kinds = tuple((array.shape, array.dtype.name) for array in first)
        kind = (repr(pattern), kinds, len(several), extra)
        built = self._built.find(kind, last_setting())
        if built is None:
            built = self._build(kind, pattern, kinds, len(several))
        arrays = [each for _, each in several]
        return built.runner.stage(kind, arrays, seed=seed, step=step, generator=generator)

    def run(self, staged: Staged) -> None:
        """Run on what was staged; the state moves on."""
        self._state.push_changes()
        built = self._built[staged.kind]
        scalars: list[list[float]] = []
        for each in built.own.applications:
            taken = self._counted[id(each.optimizer)].each
            first = each.optimizer._steps_taken + each.number
            numbers = [first + i * taken for i in range(staged.steps)]
            for owner in each.optimizer._rate_owners():
                scalars.append([owner._learning_rate_at(number) for number in numbers])
            scalars.append([number + 1 for number in numbers])
        built.runner.run(staged, *scalars)
        self._last = built

    def returned(self) -> Any:
        """Return what the function gave in the last run, as arrays."""
        assert self._last is not None

        def value(part: Any) -> Any:
            if isinstance(part, PendingResult):
                state = {key: self._state.read(v) for key, v in part.metric._accumulators().items()}
                return part.metric.compute(state)
            return self._state.read(part)

        return mapped(value, self._last.own.returned, Variable | PendingResult)

    def _build(
        self, kind: Hashable, pattern: Any, kinds: Sequence[tuple[Any, str]], steps: int
    ) -> _BuiltFunction:
        setting = last_setting()
        own = build_own_step(
            self._function,
            pattern,
            kinds,
            device=self._state.device.memory,
            slots_of=self._slots_of,
            block=block_for(self._state.device),
        )
        graph = own.graph if steps == 1 else several_steps(own.graph, steps)
        for optimizer in {id(a.optimizer): a.optimizer for a in own.applications}.values():
            if id(optimizer) not in self._counted:
                each = sum(a.optimizer is optimizer for a in own.applications)
                self._counted[id(optimizer)] = _Taken(optimizer, self._state, each)
        runner = StepRunner(graph, self._state, training=len(own.applications) > 0)
        return self._built.keep(kind, setting, _BuiltFunction(own, runner))


class _BuiltFunction:
    """A graph, ready to run."""

    def __init__(self, own: OwnGraph, runner: StepRunner) -> None:
        self.own = own
        self.runner = runner

    @property
    def inherited(self) -> bool:
        """Whether a parent process has opened its session."""
        return self.runner.inherited


class _Taken:
    """The steps that an optimizer takes in the steps of a state."""

    def __init__(self, optimizer: Optimizer, state: DeviceState, each: int) -> None:
        self._state = state
        self._before = state.steps
        self.each = each
        for counting in optimizer._inside():
            count_steps_of(counting, self)

    @property
    def steps(self) -> int:
        """Number of steps that the optimizer has taken here."""
        return (self._state.steps - self._before) * self.each


class CompiledFunction:
    """See `function`."""

    def __init__(self, f: Callable[..., Any]) -> None:
        update_wrapper(self, f)
        self._function = f
        self._made: tuple[Device, OwnFunction] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on arrays; in a trace, emit."""
        if current_trace() is not None:
            return self._function(*args, **kwargs)
        found: list[Any] = []
        pattern = take_out((args, kwargs), _is_data, found)
        arrays = [as_data(part) for part in found]
        own = self._own()
        seed = config.next_seed()
        staged = own.stage([(pattern, arrays)], seed=seed, step=None)
        own.run(staged)
        return own.returned()

    def __get__(self, owner: Any, _: Any = None) -> Any:
        """Bind to an object, so that methods can be compiled: once for each object."""
        if owner is None:
            return self
        name = f"_compiled_{self._function.__name__}"
        bound = vars(owner).get(name)
        if bound is None:
            bound = CompiledFunction(self._function.__get__(owner))
            vars(owner)[name] = bound
        return bound

    def _own(self) -> OwnFunction:
        device = select_device(None)
        if self._made is None or self._made[0] != device:
            self._made = (device, OwnFunction(self._function, DeviceState(device), own_slots))
        return self._made[1]


def function(f: Callable[..., Any]) -> CompiledFunction:
    """Compile a function of tensors: forward pass, gradients and updates become one graph.

    The function is called once for each kind of data (shapes and dtypes), with tensors; what it
    does with `seqonnx.ops`, layers, models, losses, metrics, `GradientTape` and optimizers becomes
    an ONNX graph, which every later call runs. Weights, slots and accumulators stay on the device.

    Args:
        f: the function. Numbers, strings and other objects among its arguments are constants.

    Returns:
        A function of the same arguments, which takes arrays and returns arrays.

    Example:
        >>> from seqonnx import ops
        >>> @function
        ... def length(x):
        ...     return ops.sqrt(ops.sum(x * x))
        >>> float(length(np.array([3.0, 4.0])))
        5.0
    """
    return CompiledFunction(f)


def own_slots(optimizer: Optimizer, weights: Sequence[Variable]) -> SlotVariables:
    """Return the slots that an optimizer keeps itself, made where there are none."""
    return optimizer._slots_of(weights)


def _is_data(part: Any) -> bool:
    """Whether an argument is data, as opposed to a constant."""
    if isinstance(part, Valueless | Variable | str | bytes | bool | int | float):
        return False
    return isinstance(part, np.ndarray | np.generic) or getattr(part, "__array__", None) is not None


def as_data(part: Any) -> npt.NDArray[Any]:
    """Return an argument as an array; float64 becomes float32, as in Keras."""
    array = dtypes.to_array(part, None, "data")
    wanted = "float32" if array.dtype == np.float64 else array.dtype
    return np.asarray(array, wanted, order="C")
