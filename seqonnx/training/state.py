"""State on a device: named arrays that a step reads and writes without copies.

Every array that a step changes has two buffers. A step reads one side and writes the other
(ping-pong), so nothing is copied between steps. Values come back to the host when someone asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.graph import Variable, last_change, note_change
from seqonnx.runtime import Device, DeviceArray


class DeviceState:
    """The variables of one compiled model, on its device.

    Args:
        device: where the arrays live.

    Example:
        >>> state = DeviceState(select_device("cpu"))
        >>> state.hold([Variable(np.zeros(3, np.float32), "w")])
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.side = 0
        self._buffers: dict[Variable, tuple[DeviceArray, DeviceArray]] = {}
        self._changed_at = 0
        self._fetched = True
        self._seen = 0

    @property
    def changed_at(self) -> int:
        """Number of the newest change made by a step."""
        return self._changed_at

    def hold(self, variables: Iterable[Variable]) -> None:
        """Bring variables to the device; those that are here already stay as they are."""
        for variable in variables:
            if variable not in self._buffers:
                value = variable.stored()
                pair = tuple(
                    DeviceArray.from_numpy(np.array(value, order="C"), self.device)
                    for _ in range(2)
                )
                self._buffers[variable] = (pair[0], pair[1])
                variable.move_to(self)
        self._changed_at = max(self._changed_at, note_change())
        self._seen = last_change()

    def buffers(self, variable: Variable) -> tuple[DeviceArray, DeviceArray]:
        """Both buffers of a variable: a step on side 0 reads the first and writes the second."""
        return self._buffers[variable]

    def stepped(self) -> None:
        """Note that a step has written the other side."""
        self.side = 1 - self.side
        self._changed_at = self._seen = note_change()
        self._fetched = False

    def fetch(self) -> None:
        """Bring the newest values back into the variables."""
        if not self._fetched:
            self._fetched = True
            for variable, pair in self._buffers.items():
                variable.receive(pair[self.side].numpy())

    def push_changes(self) -> None:
        """Take over values that were assigned on the host since the last step."""
        if last_change() == self._seen:
            return
        for variable, pair in self._buffers.items():
            if variable.assigned_at > self._seen:
                pair[self.side].update(variable.stored())
        self._seen = last_change()

    def overwrite(self, variable: Variable, value: npt.NDArray[Any]) -> None:
        """Set a variable that may be here, without bringing the others back to the host."""
        if variable in self._buffers:
            self._buffers[variable][self.side].update(value.astype(variable.dtype))

    def read(self, variable: Variable) -> npt.NDArray[Any]:
        """Return one variable's newest value without fetching the others."""
        return self._buffers[variable][self.side].numpy()

    def release(self) -> None:
        """Bring everything back to the host and let the variables go."""
        self.fetch()
        for variable in self._buffers:
            variable.move_to(None)
        self._buffers.clear()
