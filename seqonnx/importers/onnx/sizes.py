"""Models that take far more memory or turns than their files are large, refused before they do.

A file of 173 bytes can ask for a Range of 11 GB, and everything that reads a model computes its
constants: ONNX Runtime when it opens a session, the optimizer when shapes are specialised. Another
can expand its input to 2**33 numbers, which a run on a few rows takes memory for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

from seqonnx.errors import ModelFileError
from seqonnx.importers.onnx.constants import KnownValue, walk
from seqonnx.importers.onnx.soundness import title_of

LIMIT = 1 << 28
"""Bytes that may be computed from constants by a model without weights.

Masks and position tables of a transformer for 4,096 tokens take a quarter of it.
"""
EXPANSION = 64
"""How many times the bytes of its weights a model may compute on top.

Weights of 4 bits become eight times as large, in a few operators each.
"""
MOST_TURNS = 1 << 24
"""Most turns of loops that never end early. One turn takes at least a microsecond."""


def data_of(data_type: int, shape: Sequence[int]) -> KnownValue:
    """Return an input of known shape, whose elements can be anything."""
    return KnownValue(helper.make_tensor_type_proto(data_type, list(shape)), given=True)


def refuse_large_constants(
    model: onnx.ModelProto,
    name: str,
    stored: int | None = None,
    inputs: Mapping[str, KnownValue] | None = None,
) -> None:
    """Raise a ModelFileError if a model computes too much from constants, before it does.

    Args:
        model: the model; it is not changed.
        name: what errors call it.
        stored: bytes of its weights; by default those that are in the ModelProto.
        inputs: its inputs as far as they are known; sizes that follow from theirs are constants.
    """
    held = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    allowed = LIMIT + EXPANSION * (held if stored is None else stored)
    total = 0
    for _, node, found, turns in walk(model, name, inputs):
        total += sum(c.nbytes for c in found.values() if not c.given)
        made = sum(c.nbytes for c in found.values())
        if total > allowed:
            raise ModelFileError(
                f"{name} is refused: {title_of(node)} makes {made:,} bytes from constants alone; "
                f"a model of this size may make {allowed:,} in all. Compute it outside the model "
                "and pass it as an input."
            )
        if turns > MOST_TURNS:
            raise ModelFileError(
                f"{name} is refused: {title_of(node)} takes {turns:,} turns, whatever its inputs "
                f"are; at most {MOST_TURNS:,} are run."
            )


def refuse_long_axes(model: onnx.ModelProto, name: str) -> None:
    """Raise a ModelFileError if shape inference would make a list of far too many axes.

    Args:
        model: the model; it is not changed.
        name: what errors call it.
    """
    for _ in walk(model, name):
        pass


def refuse_large_values(
    model: onnx.ModelProto, name: str, stored: int, inputs: Mapping[str, KnownValue]
) -> None:
    """Raise a ModelFileError if a run would hold too much at once.

    A value is held from the node that makes it to the last one that reads it. Values whose size
    cannot be inferred are left out, as is what an operator takes while it computes.

    Args:
        model: the model; it is not changed.
        name: what errors call it.
        stored: bytes of its weights.
        inputs: every input, and weights of which only the shape is known.
    """
    allowed = LIMIT + EXPANSION * stored
    fed = sum(inputs[v.name].nbytes for v in model.graph.input if v.name in inputs)
    if fed > allowed + stored:
        raise ModelFileError(
            f"{name} is refused: a few rows of its inputs take {fed:,} bytes; they may take "
            f"{allowed:,}."
        )
    graph: onnx.GraphProto | None = None
    held: dict[str, int] = {}
    last: dict[str, int] = {}
    index = total = 0
    for inner, node, found, _ in walk(model, name, inputs, growing=True):
        if inner is not graph or index == len(inner.node):
            graph, held, last, index, total = inner, {}, _last_uses(inner), 0, 0
        made = {key: constant.nbytes for key, constant in found.items()}
        total += sum(made.values())
        if total > allowed:
            raise ModelFileError(
                f"{name} is refused: {title_of(node)} makes {sum(made.values()):,} bytes from a "
                f"few rows of the inputs, so that {total:,} bytes are held at once; a model of "
                f"this size may hold {allowed:,}."
            )
        held.update(made)
        dead = {key for key in (*node.input, *made) if last.get(key, -1) <= index}
        total -= sum(held.pop(key, 0) for key in dead)
        index += 1


def _last_uses(graph: onnx.GraphProto) -> dict[str, int]:
    """Index of the last node that reads each value; beyond all for results, and from bodies."""
    uses = {name: index for index, node in enumerate(graph.node) for name in node.input}
    kept = [value.name for value in graph.output]
    bodies = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    for body in bodies:
        kept += [value.name for value in body.output]
        kept += [name for node in body.node for name in node.input]
        bodies += [a.g for node in body.node for a in node.attribute if a.HasField("g")]
    return uses | dict.fromkeys(kept, len(graph.node))
