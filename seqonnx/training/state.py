"""State on a device: named arrays that a step reads and writes without copies.

Every array that a step changes has two buffers. A step reads one side and writes the other
(ping-pong), so nothing is copied between steps. Values come back to the host when someone asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.graph import Variable, last_change, note_change
from seqonnx.runtime import Device, DeviceArray


@dataclass
class _Held:
    """The arrays of one variable: two, or the same one twice where no step writes it."""

    sides: tuple[DeviceArray, DeviceArray]
    written: bool
    pushed: int
    """Number of the newest assignment on the host that the arrays have taken over."""


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
        self.side = 0
        self._held: dict[Variable, _Held] = {}
        self._changed_at = 0
        self._fetched = True
        self._seen = 0
        self._wait: Callable[[], None] | None = None
        # A batch may be staged, and a graph built, in another thread than the one that steps.
        self._lock = threading.RLock()

    @property
    def changed_at(self) -> int:
        """Number of the newest change made by a step."""
        return self._changed_at

    def hold(self, variables: Iterable[Variable], written: Collection[Variable]) -> None:
        """Bring variables to the device; those that are here already stay as they are.

        Args:
            variables: what a graph reads.
            written: those of them that a step replaces.
        """
        with self._lock:
            for variable in variables:
                if variable not in self._held:
                    pushed = variable.assigned_at
                    first = self._upload(variable)
                    changes = variable in written
                    second = self._upload(variable) if changes else first
                    self._held[variable] = _Held((first, second), changes, pushed)
                    variable.move_to(self)

    def buffers(self, variable: Variable) -> tuple[DeviceArray, DeviceArray]:
        """Both buffers of a variable: a step on side 0 reads the first and writes the second."""
        return self._held[variable].sides

    def take_step(self, step: Callable[[int], None]) -> None:
        """Run a step; afterwards the side that it wrote is the newest.

        The step before has ended when this one begins. If the step fails, the state stays as it
        was.

        Args:
            step: takes the side to read, and writes the other.
        """
        with self._lock:
            self.wait()
            step(self.side)
            self.side = 1 - self.side
            undisturbed = last_change() == self._seen
            self._changed_at = note_change()
            if undisturbed:
                self._seen = self._changed_at
            self._fetched = False

    def leave_running(self, wait: Callable[[], None]) -> None:
        """Note that the step inside `take_step` goes on after it.

        Args:
            wait: waits for its end, and keeps until then what the step reads.
        """
        self._wait = wait

    def wait(self) -> None:
        """Wait for a step that may still be running on the device."""
        with self._lock:
            wait, self._wait = self._wait, None
            if wait is not None:
                wait()

    def fetch(self) -> None:
        """Bring the newest values back into the variables."""
        with self._lock:
            if self._fetched:
                return
            self.wait()
            self._fetched = True
            for variable, held in self._held.items():
                if held.written and variable.home is self:
                    variable.receive(held.sides[self.side].numpy())

    def push_changes(self) -> bool:
        """Take over what was assigned on the host, or trained elsewhere, since the last step.

        Returns:
            Whether anything at all, here or elsewhere, has changed since.
        """
        seen = last_change()
        if seen == self._seen:
            return False
        with self._lock:
            self.wait()
            for variable, held in self._held.items():
                if variable.home is not self:
                    variable.move_to(self)
                if variable.assigned_at > held.pushed:
                    held.pushed = variable.assigned_at
                    held.sides[self.side].update(variable.stored())
            self._seen = seen
        return True

    def overwrite(self, variable: Variable, value: npt.NDArray[Any]) -> None:
        """Set a variable that may be here, without bringing the others back to the host."""
        if variable in self._held:
            self.wait()
            self._held[variable].sides[self.side].update(value.astype(variable.dtype))

    def read(self, variable: Variable) -> npt.NDArray[Any]:
        """Return one variable's newest value without fetching the others."""
        self.wait()
        return self._held[variable].sides[self.side].numpy()

    def release(self) -> None:
        """Bring everything back to the host and let the variables go."""
        self.wait()
        self.fetch()
        for variable in self._held:
            if variable.home is self:
                variable.move_to(None)
        self._held.clear()

    def _upload(self, variable: Variable) -> DeviceArray:
        return DeviceArray.from_numpy(np.array(variable.stored(), order="C"), self.device)
