"""State on a device: named arrays that a step reads and writes without copies.

Every array that a step changes has two buffers. A step reads one side and writes the other
(ping-pong), so nothing is copied between steps. Values come back to the host when someone asks.

What the state is, is said by one record (`_Moment`), which is replaced by storing one reference:
side, step counter and the copy on the host belong together at any time, whatever interrupts a
step or a fetch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqonnx.graph import Copy, Variable, commit, last_change, settled_change
from seqonnx.runtime import Device, DeviceArray
from seqonnx.runtime.forking import renewed_in_children
from seqonnx.runtime.freed_memory import give_back


@dataclass
class _Held:
    """The arrays of one variable: two, or the same one twice where no step writes it."""

    sides: tuple[DeviceArray, DeviceArray]
    written: bool
    pushed: int
    """Number of the newest change elsewhere that the arrays have taken over."""


class _Moment(NamedTuple):
    """The state between two steps: which side is the newest, and what goes with it."""

    side: int
    steps: int
    changed_at: int
    copy: Copy | None
    """The written variables on the host; None until someone asks."""


class DeviceState:
    """The variables of one compiled model, on its device.

    A variable lives in one state at a time. Where two models train the same weights, each takes
    them over from the other before its next step.

    Args:
        device: where the arrays live.

    Example:
        >>> state = DeviceState(select_device("cpu"))
        >>> state.hold([Variable(np.zeros(3, np.float32), "w")], written=())
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._now = _Moment(0, 0, 0, None)
        self._held: dict[Variable, _Held] = {}
        self._changing = 0
        self._alike: set[Variable] = set()
        """Written variables of which both arrays hold the newest values."""
        self.layout = 0
        """Changes when a variable gets other arrays: what was bound before must be bound anew."""
        self._seen = 0
        self._running: tuple[Callable[[], None], _Moment] | None = None
        self._renew_lock()
        renewed_in_children(self, DeviceState._renew_lock)

    def _renew_lock(self) -> None:
        # A batch may be staged, and a graph built, in another thread than the one that steps.
        self._lock = threading.RLock()

    @property
    def side(self) -> int:
        """The side that holds the newest values."""
        return self._now.side

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return self._now.steps

    @property
    def changed_at(self) -> int:
        """Number of the newest change made by a step."""
        return self._now.changed_at

    def hold(self, variables: Iterable[Variable], written: Collection[Variable]) -> None:
        """Bring variables to the device; those that are here already stay as they are.

        Args:
            variables: what a graph reads.
            written: those of them that a step replaces.
        """
        given = 0
        for variable in variables:
            known, changes = self._held.get(variable), variable in written
            if known is not None and (known.written or not changes):
                continue
            changed_at, value = variable._changed_at, variable._newest()
            array = variable._read(value)
            full = self._upload(array)
            other = DeviceArray.empty(array.shape, array.dtype, self.device) if changes else full
            with self._lock:
                # The next step writes all of the side that it does not read.
                sides = (full, other) if self._now.side == 0 else (other, full)
                # Whatever happens before it has moved, the next step looks where it is.
                self._seen = -1
                self._held[variable] = _Held(sides, changes, changed_at)
                self.layout += known is not None
                if changes:
                    self._changing += 1
                    self._now = self._now._replace(copy=None)
                    variable._move_to(self, since=value)
            given += full.nbytes
        give_back(given)  # the arrays that the variables had until now

    def buffers(self, variable: Variable) -> tuple[DeviceArray, DeviceArray]:
        """Both buffers of a variable: a step on side 0 reads the first and writes the second."""
        return self._held[variable].sides

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let no step begin inside, so that what is read there is of one moment."""
        with self._lock:
            self.wait()
            yield

    @property
    def turn(self) -> AbstractContextManager[Any]:
        """Held from `begin_step` to `end_step`, so that nothing else happens in between."""
        return self._lock

    def begin_step(self, written: Collection[Variable] | None = None) -> int:
        """Return the side to read; a step writes the other. The step before has ended.

        Args:
            written: the variables that this step writes, where it may be only some of those that
                steps write: the others stay as they are. Default: all of them.
        """
        self.wait()
        side = self._now.side
        if written is None or len(written) == self._changing:
            self._alike.clear()
            return side
        self._alike.difference_update(written)
        for variable, held in self._held.items():
            if held.written and variable not in written and variable not in self._alike:
                held.sides[1 - side].update(held.sides[side].numpy())
                self._alike.add(variable)
        return side

    def end_step(self, steps: int = 1) -> None:
        """Make the side that a step wrote the newest. Without this, the state is as it was.

        Args:
            steps: how many training steps it is.
        """
        side, taken, _, _ = self._now
        number = commit(partial(self._become, 1 - side, taken + steps))
        if number == self._seen + 1:  # nothing has changed elsewhere
            self._seen = number

    def leave_running(self, wait: Callable[[], None]) -> None:
        """Note that the step that is being taken goes on after it.

        Args:
            wait: waits for its end, and keeps until then what the step reads.
        """
        self._running = (wait, self._now)

    def wait(self) -> None:
        """Wait for a step that may still be running on the device.

        Raises:
            ExecutionError: if it failed. The state is as it was before that step.
        """
        if self._running is None:
            return
        with self._lock:
            if self._running is None:
                return
            wait, before = self._running
            try:
                wait()
            except Exception:
                commit(partial(self._become, before.side, before.steps))
                self._running = None
                raise
            self._running = None

    def fetch(self) -> Copy:
        """Return the newest values of the variables that steps write, of one moment."""
        copy = self._now.copy
        if copy is not None:
            return copy
        with self._lock:
            self.wait()
            now = self._now
            copy = now.copy
            if copy is None:
                values = {
                    variable: held.sides[now.side].numpy()
                    for variable, held in self._held.items()
                    if held.written
                }
                copy = Copy(values, now.changed_at)
                self._now = now._replace(copy=copy)
            return copy

    def push_changes(self) -> bool:
        """Take over what was assigned on the host, or trained elsewhere, since the last step.

        Returns:
            Whether anything at all, here or elsewhere, has changed since.
        """
        if last_change() == self._seen:
            return False
        seen = settled_change()
        # Read before the lock is taken: another state may have to be asked.
        changed = [
            (variable, value, variable._changed_at, variable._read(value))
            for variable, held in self._held.copy().items()
            if (value := variable._newest()).home is not self
            and (held.written or variable._changed_at > held.pushed)
        ]
        with self._lock:
            self.wait()
            arrived = True
            for variable, value, changed_at, array in changed:
                held = self._held[variable]
                self._alike.discard(variable)
                held.sides[self.side].update(array)
                held.pushed = changed_at
                if held.written:
                    self._now = self._now._replace(copy=None)
                    arrived = variable._move_to(self, since=value) and arrived
            if arrived:
                self._seen = seen
        return True

    def overwrite(self, variable: Variable, value: npt.NDArray[Any]) -> None:
        """Set a variable that may be here, without bringing the others back to the host."""
        if variable in self._held:
            with self._lock:
                self.wait()
                self._alike.discard(variable)
                self._held[variable].sides[self.side].update(value.astype(variable.dtype))
                self._now = self._now._replace(copy=None)

    def read(self, variable: Variable) -> npt.NDArray[Any]:
        """Return one variable's newest value without fetching the others."""
        self.wait()
        return self._held[variable].sides[self.side].numpy()

    def release(self) -> None:
        """Bring everything back to the host and let the variables go."""
        with self._lock:
            copy = self.fetch()
            for variable, array in copy.values.items():
                if variable._home is self:
                    variable._receive(array)
            self._held.clear()
            self._changing = 0
            self._alike.clear()

    def _become(self, side: int, steps: int, changed_at: int) -> None:
        self._now = _Moment(side, steps, changed_at, None)

    def _upload(self, array: npt.NDArray[Any]) -> DeviceArray:
        return DeviceArray.from_numpy(np.array(array, order="C"), self.device)
