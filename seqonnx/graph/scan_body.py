"""Building a Scan: a body graph whose values are the slices of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import onnx_ir as ir

from seqonnx.graph.emitter import Emitter
from seqonnx.graph.reading import Dim, dtype_name, static_shape
from seqonnx.graph.variable import Variable


class BodyEmitter(Emitter):
    """The emitter of a body: variables, their casts and noise come from the graph around it.

    Args:
        outer: emitter of the graph around.
        prefix: what the names of the body begin with.
        draw: gives noise of a shape for each step; default: every step gets the same, drawn once.
    """

    def __init__(
        self,
        outer: Emitter,
        prefix: str = "",
        draw: Callable[[Sequence[Dim]], ir.Value] | None = None,
    ) -> None:
        super().__init__()
        self._outer = outer
        self._draw = outer.random_uniform if draw is None else draw
        self.draws = outer.draws
        self.graph.name = prefix or self.graph.name
        self._scopes += [prefix] if prefix else []

    def read(self, variable: Variable) -> ir.Value:
        """Return the value of the graph around that stands for `variable`."""
        return self._outer.read(variable)

    def random_uniform(self, shape: Sequence[Dim]) -> ir.Value:
        """Return noise that is drawn in the graph around."""
        return self._draw(shape)

    @contextmanager
    def computing_in(self, dtype: str | None) -> Iterator[None]:
        """Read floating-point variables cast to `dtype` inside."""
        with self._outer.computing_in(dtype):
            yield

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix names made inside, here and in the graph around."""
        with super().scope(name), self._outer.scope(name):
            yield

    def update(self, variable: Variable, value: ir.Value) -> None:
        """Refuse: a value of one step is not known outside.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"Variable {variable.path} cannot be updated inside a step of a loop (layer "
            f"'{self._outer.scope_name}'). Carry what changes as a state of the cell."
        )

    def add_loss(self, value: ir.Value) -> None:
        """Refuse: a value of one step is not known outside.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "A loss cannot be added inside a step of a loop (layer "
            f"'{self._outer.scope_name}'). Add it to the layer that holds the cell."
        )


class ScanBody:
    """A Scan in the making.

    Declare the states, then the sequences; emit the step with `body`; close with `run`. The step
    may use values of the graph around it.

    Args:
        op: emitter of the graph around.
        name: what the Scan does.
        backwards: whether it starts at the end; its results keep the order of the sequences.

    Example:
        >>> scan = ScanBody(op, "sums")  # doctest: +SKIP
        >>> total = scan.state(zero)  # doctest: +SKIP
        >>> x = scan.element(sequence)  # doctest: +SKIP
        >>> [last], [sums] = scan.run([new := scan.body.Add(total, x)], [new])  # doctest: +SKIP
    """

    def __init__(self, op: Emitter, name: str, *, backwards: bool = False) -> None:
        self._outer = op
        self._prefix = op.unique_name(name)
        self.body = BodyEmitter(op, self._prefix, self._noise)
        self._backwards = backwards
        self._initial: list[ir.Value] = []
        self._sequences: list[ir.Value] = []

    def state(self, initial: ir.Value) -> ir.Value:
        """Declare a state; returns its value at the start of a step."""
        self._initial.append(initial)
        return self._input("state", initial, static_shape(initial))

    def element(self, sequence: ir.Value) -> ir.Value:
        """Declare a sequence (time first); returns its element of a step."""
        self._sequences.append(sequence)
        return self._input("element", sequence, static_shape(sequence)[1:])

    def run(
        self, states: Sequence[ir.Value], results: Sequence[ir.Value]
    ) -> tuple[list[ir.Value], list[ir.Value]]:
        """Close the step and append the Scan.

        Args:
            states: the new value of each state.
            results: what to collect at each step.

        Returns:
            The last states, and the results with the time as their first axis.
        """
        made = [*states, *results]
        kinds = [(dtype_name(value), static_shape(value)) for value in made]
        for value in made:
            self.body.output(value, f"{self._prefix}/result")
        qualify(self.body.graph, self._prefix)
        direction, inputs = int(self._backwards), len(self._sequences)
        outputs = self._outer.emit(
            "Scan",
            [*self._initial, *self._sequences],
            {
                "body": self.body.graph,
                "num_scan_inputs": inputs,
                "scan_input_directions": [direction] * inputs,
                **({"scan_output_directions": [direction] * len(results)} if results else {}),
                "_outputs": len(made),
            },
        )
        values = [outputs] if isinstance(outputs, ir.Value) else list(outputs)
        time = static_shape(self._sequences[0])[0]
        for i, (value, (_, shape)) in enumerate(zip(values, kinds, strict=True)):
            leading: list[Dim] = [] if i < len(states) else [time]
            known = static_shape(self._initial[i]) if i < len(states) else shape
            value.shape = ir.Shape([*leading, *known])
            value.type = ir.TensorType(made[i].dtype or ir.DataType.FLOAT)
        return values[: len(states)], values[len(states) :]

    def _noise(self, shape: Sequence[Dim]) -> ir.Value:
        """Noise for a step: a part of that for all steps, drawn with the samples first.

        Where samples or steps are not known, all steps get the same.
        """
        steps = static_shape(self._sequences[0])[0]
        if len(shape) == 0 or steps is None:
            return self._outer.random_uniform(shape)
        drawn = self._outer.random_uniform([shape[0], steps, *shape[1:]])
        turned = self._outer.Transpose(drawn, perm=[1, 0, *range(2, len(shape) + 1)])
        return self.element(turned)

    def _input(self, name: str, like: ir.Value, shape: Sequence[Dim]) -> ir.Value:
        return self.body.input(f"{self._prefix}/{name}", dtype_name(like), shape)


def qualify(graph: ir.Graph, prefix: str) -> None:
    """Give what a body holds names that the graph around it does not have."""
    taken: set[str] = set()
    nodes: set[str] = set()
    for value in list(graph.initializers.values()):
        graph.initializers.pop(str(value.name))
        value.name = _under(prefix, value.name, taken)
        graph.register_initializer(value)
    for value in graph.inputs:
        value.name = _under(prefix, value.name, taken)
    for node in graph:
        if node.name:
            node.name = _under(prefix, node.name, nodes)
        for value in node.outputs:
            value.name = _under(prefix, value.name, taken)


def _under(prefix: str, name: str | None, taken: set[str]) -> str:
    """A name that begins with the prefix and is not taken yet."""
    base = name if name is not None and name.startswith(f"{prefix}/") else f"{prefix}/{name}"
    made, number = base, 0
    while made in taken:
        number += 1
        made = f"{base}_{number}"
    taken.add(made)
    return made
