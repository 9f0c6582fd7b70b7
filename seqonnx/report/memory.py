"""Peak memory of activations: which values are alive at once when nodes run in file order."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from seqonnx.report.measure import Value, Visit
from seqonnx.report.tensors import bits


def peak_activation_bytes(
    visits: Sequence[Visit], feeds: Sequence[str], results: Sequence[str]
) -> int | None:
    """Return the largest sum of sizes of values that are alive at the same time.

    Inputs are alive from the start and results to the end; any other value from the node that
    makes it to the last one that reads it. Nothing is reused in place and weights do not count,
    so a runtime that plans its buffers needs no more than this, plus its scratch space.

    Args:
        visits: the walk, measured at static shapes; subgraph bodies keep outer values alive.
        feeds: names of the graph inputs.
        results: names of the graph outputs.

    Returns:
        Bytes, or None if the size of a value is unknown.
    """
    steps = _steps(visits)
    born: dict[str, int] = {}
    dies: dict[str, int] = {}
    values: dict[str, Value] = {}
    for visit, step in zip(visits, steps, strict=True):
        for value in visit.inputs:
            if value is not None and not value.stored:
                values.setdefault(value.name, value)
                dies[value.name] = step
        if visit.parent is None:
            for value in visit.outputs:
                if not value.stored:
                    values[value.name] = value
                    born[value.name] = step
                    dies.setdefault(value.name, step)
    end = len(visits)
    dies.update({name: end for name in results if name in values})
    born.update({name: -1 for name in feeds if name in values})
    return _largest_sum(values, born, dies)


def _steps(visits: Sequence[Visit]) -> list[int]:
    """Return for each visit the index of the top-level node that it runs in."""
    steps: list[int] = []
    for index, visit in enumerate(visits):
        steps.append(index if visit.parent is None else steps[visit.parent])
    return steps


def _largest_sum(
    values: dict[str, Value], born: dict[str, int], dies: dict[str, int]
) -> int | None:
    """Sweep over the steps, adding values where they are born and dropping them after death."""
    changes: list[tuple[int, int]] = []
    for name, first in born.items():
        size = _bytes(values[name])
        if size is None and dies[name] == first:  # an optional output that nothing reads
            continue
        if size is None:
            return None
        changes += [(first, size), (dies[name] + 1, -size)]
    alive = peak = 0
    for _, change in sorted(changes):
        alive += change
        peak = max(peak, alive)
    return peak


def _bytes(value: Value) -> int | None:
    """Return the bytes of a value of static shape, else None."""
    width = bits(value.dtype)
    sizes = [dim for dim in value.shape or () if isinstance(dim, int)]
    if width is None or value.shape is None or len(sizes) < len(value.shape):
        return None
    return (prod(sizes) * width + 7) // 8
