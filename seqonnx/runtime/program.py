"""Programs: an emission run on arrays at once, its session kept for the next call.

Losses, metrics and optimizers called on arrays run through here, so that each has one
implementation: the nodes that it emits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqonnx import defaults
from seqonnx.runtime.device import select_device
from seqonnx.structures import put_back, take_out

if TYPE_CHECKING:
    import onnx_ir as ir

    from seqonnx.graph import Dim, Emitter
    from seqonnx.runtime.compiled import Compiled

Emission = Callable[["Emitter", "list[ir.Value]"], Any]
"""A function that emits: `(op, inputs)` to the values that become outputs, in any structure."""


class _Program(NamedTuple):
    """An emission, compiled.

    Args:
        compiled: runs it; None where it gives no value of a graph.
        pattern: what it gives, with slots in the place of values.
    """

    compiled: Compiled | None
    pattern: Any


_CAPACITY = 128
_programs: OrderedDict[Hashable, _Program] = OrderedDict()


def run_emission(
    emit: Emission,
    arrays: Sequence[npt.NDArray[Any]],
    *,
    key: Hashable,
    fixed: Sequence[npt.NDArray[Any]] = (),
    seed: int = 0,
) -> Any:
    """Emit a graph, run it on arrays on the device of the process, and keep its session.

    Args:
        emit: emits the nodes; gets the values of `arrays`, then those of `fixed`.
        arrays: data whose first dimension is the batch: another batch size needs no new session.
            Where they do not share it, as with weights to broadcast, all shapes are fixed.
        key: what `emit` depends on besides ranks, sizes and dtypes; equal keys must mean
            equal graphs. See `value_key`. None where that cannot be told: nothing is kept.
        fixed: arrays whose shape is fixed in the graph, such as state and scalars.
        seed: seed of the noise, where the graph has any.

    Returns:
        What `emit` returned, with arrays in the place of values.

    Example:
        >>> import numpy as np
        >>> run_emission(
        ...     lambda op, values: [op.Add(values[0], 1.0)],
        ...     [np.zeros(2, np.float32)],
        ...     key="add one",
        ... )[0].tolist()
        [1.0, 1.0]
    """
    device = select_device()
    shapes: tuple[tuple[Dim, ...], ...] = _free_batch(arrays)
    shapes += tuple(array.shape for array in fixed)
    types = tuple(array.dtype.name for array in (*arrays, *fixed))
    chosen = (defaults.floatx(), defaults.epsilon(), defaults.image_data_format())
    known = (key, device, chosen, len(arrays), shapes, types)
    program = None if key is None else _programs.pop(known, None)
    if program is None:
        program = _compile(emit, shapes, types)
    if key is not None:
        _programs[known] = program
    if len(_programs) > _CAPACITY:
        _programs.popitem(last=False)
    if program.compiled is None:
        return program.pattern
    return put_back(program.pattern, program.compiled.run([*arrays, *fixed], seed=seed))


def value_key(obj: object, *, ignore: Collection[str] = ()) -> Hashable:
    """Return a key that is equal for objects of one class with equal attributes.

    Args:
        obj: object that emits nodes by the values of its attributes.
        ignore: attributes that its nodes do not depend on.

    Returns:
        A key by value, arrays and lists in attributes included.
    """
    items = sorted((name, value) for name, value in vars(obj).items() if name not in ignore)
    return (type(obj), tuple((name, _frozen(value)) for name, value in items))


class _Same(NamedTuple):
    """An object that is known by its identity alone, which lasts as long as a key holds it."""

    held: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)


def _frozen(value: Any) -> Hashable:
    """Return what has a hash, and is equal for values of one type that are the same."""
    if isinstance(value, np.ndarray):
        content = value.tolist() if value.dtype.kind == "O" else value.tobytes()
        return (value.dtype.str, value.shape, _frozen(content))
    if isinstance(value, Mapping):
        return (type(value), tuple((key, _frozen(part)) for key, part in value.items()))
    if isinstance(value, list | tuple):
        return (type(value), tuple(map(_frozen, value)))
    if isinstance(value, float):  # 0.0 equals -0.0, and nan not itself
        return (type(value), repr(value))
    try:
        hash(value)
    except TypeError:
        return _Same(value)
    return (type(value), value)


def _free_batch(arrays: Sequence[npt.NDArray[Any]]) -> tuple[tuple[Dim, ...], ...]:
    """Shapes with a free first size, or as they are where the arrays do not share one."""
    if len({array.shape[0] for array in arrays if array.ndim > 0}) > 1:
        return tuple(array.shape for array in arrays)
    return tuple(("batch", *array.shape[1:]) if array.ndim > 0 else () for array in arrays)


def _compile(emit: Emission, shapes: Sequence[tuple[Dim, ...]], types: Sequence[str]) -> _Program:
    """Build the graph and its session."""
    import onnx_ir as ir

    from seqonnx.graph import Emitter
    from seqonnx.runtime.compiled import Compiled

    op = Emitter(weights_as="input")
    inputs = [
        op.input(f"x{i}", dtype, shape)
        for i, (dtype, shape) in enumerate(zip(types, shapes, strict=True))
    ]
    outputs: list[ir.Value] = []
    pattern = take_out(
        copy_context().run(emit, op, inputs), lambda part: isinstance(part, ir.Value), outputs
    )
    for i, value in enumerate(outputs):
        op.output(value, f"y{i}")
    return _Program(Compiled(op) if len(outputs) > 0 else None, pattern)
