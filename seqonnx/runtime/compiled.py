"""An emission, compiled: a graph with its session, its variables and its noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from seqonnx.graph import Emitter, assign_together, read_together, static_shape
from seqonnx.graph.apart import to_session_model
from seqonnx.runtime.device import Device, select_device
from seqonnx.runtime.noise import noise_feeds, sizes_in
from seqonnx.runtime.session import Session


class Compiled:
    """Runs what was emitted into one graph on arrays.

    Variables that entered the graph as inputs are given their current value at every run, so the
    session outlives training. Variables that the emission updates get their new value at every
    run.

    Args:
        op: the emitter, with its inputs and outputs declared.
        device: where to run; default: the device of the process.

    Example:
        >>> op = Emitter()
        >>> x = op.input("x", "float32", ("batch", 2))
        >>> _ = op.output(op.Neg(x), "y")
        >>> Compiled(op).run([np.ones((1, 2), np.float32)])[0].tolist()
        [[-1.0, -1.0]]
    """

    def __init__(self, op: Emitter, device: Device | None = None) -> None:
        self._fed = {v.name: variable for variable, v in op.variables.items() if v.is_graph_input()}
        self._noise = op.draws.declared()
        special = self._fed.keys() | self._noise.keys()
        self._inputs = [value for value in op.graph.inputs if value.name not in special]
        self._names = [str(value.name) for value in self._inputs]
        self._count = len(op.graph.outputs)
        self._updated = list(op.updates)
        for variable, value in op.updates.items():
            op.output(value, f"next/{variable.path}")
        self._model = to_session_model(op.graph)
        self._device = device or select_device()
        self._session = Session(self._model, self._device)

    def run(
        self,
        arrays: Sequence[npt.NDArray[Any]],
        *,
        seed: int = 0,
        seconds: float | None = None,
    ) -> list[npt.NDArray[Any]]:
        """Run the graph.

        Args:
            arrays: one array for each declared input, in order.
            seed: seed of the noise, where the graph has any.
            seconds: when to give up; None for never.

        Returns:
            The outputs.
        """
        if self._session.inherited:
            self._session = Session(self._model, self._device)
        feeds: dict[str, npt.NDArray[Any]] = dict(zip(self._names, arrays, strict=True))
        if self._fed:
            _, values = read_together(list(self._fed.values()))
            feeds.update(zip(map(str, self._fed), values, strict=True))
        if self._noise:
            shapes = {str(value.name): static_shape(value) for value in self._inputs}
            feeds |= noise_feeds(self._noise, sizes_in(shapes, feeds), seed)
        results = self._session.run(feeds, seconds=seconds)
        assign_together(zip(self._updated, results[self._count :], strict=True))
        return results[: self._count]

    @property
    def inherited(self) -> bool:
        """Never: a forked child opens a session of its own at its first run."""
        return False
