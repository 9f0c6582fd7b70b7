"""Rows of a model: the records behind `summary()` and what an exported file says of layers."""

from __future__ import annotations

import locale
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from rich.console import Console

from seqonnx.catalogue import saved_name
from seqonnx.graph import Variable
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.network import Network
from seqonnx.report import LayerRow, SummaryTotals, render_summary
from seqonnx.report.format import takes_boxes
from seqonnx.symbolic import Shape, SymbolicTensor
from seqonnx.symbolic.structure import unwrap

_NAMES = """
    ELU Activation AveragePooling1D AveragePooling2D AveragePooling3D Dropout
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalMaxPooling3D Identity LeakyReLU MaxPooling1D MaxPooling2D
    MaxPooling3D ReLU Reshape Softmax
"""
_BUILT_BY_ITSELF = frozenset(_NAMES.split())
"""Layers that Keras 3.15.1 shows as `0`, not as `0 (unbuilt)`, before they have seen an input."""


class TableOptions(NamedTuple):
    """How the table of a summary looks; see `render_summary`."""

    line_length: int | None
    positions: Sequence[float] | None
    expand_nested: bool
    show_trainable: bool
    layer_range: Sequence[str] | None


def summary(
    model: Network,
    slots: Sequence[Variable],
    options: TableOptions,
    print_fn: Callable[[str], Any] | None,
    style: Literal["rich", "plain"],
) -> None:
    """Lay the summary table out and print it (see `Model.summary`).

    Args:
        model: the model.
        slots: variables of its optimizer.
        options: how the table looks.
        print_fn: called once with the whole text; None for the terminal.
        style: of the table.
    """
    rows, totals = [row for row, _ in _rows(model)], _totals(model, slots)
    render = partial(render_summary, model.name, rows, totals, style=style, **options._asdict())
    console = Console()
    if print_fn is None:
        console.file.write(render(console=console))
        console.file.flush()
        return
    # Where the text will go is not known: perhaps to a file that was opened without an encoding.
    wide = takes_boxes(console.encoding) and takes_boxes(locale.getpreferredencoding(False))
    print_fn(render(encoding="utf-8" if wide else "ascii"))


class LayerFacts(NamedTuple):
    """A layer as an exported file describes it.

    Args:
        path: full scope of the layer, such as `base/conv1`.
        class_name: name of its class.
        trainable: whether training changes its weights.
        output_shape: shape of its output; None where it has not been called.
    """

    path: str
    class_name: str
    trainable: bool
    output_shape: Shape | None


def layer_facts(model: Network) -> list[LayerFacts]:
    """Return what an exported file says of each layer, nested ones with their full path."""
    return [
        LayerFacts(path, row.class_name, bool(layer.trainable), _only_shape(row.output_shape))
        for (row, layer), path in zip(_rows(model), _paths(model), strict=True)
        if not isinstance(layer, Network | InputLayer)
    ]


def _rows(model: Network) -> Iterator[tuple[LayerRow, Layer]]:
    """A row for each layer, nested ones after their model."""
    chain = not model.built or _is_chain(model)
    for owner, layer, depth in _walk(model):
        shapes = _shapes(owner, layer)
        weights = _weights(layer)
        connected = () if chain or depth > 0 else _sources(owner, layer)
        yield (
            LayerRow(
                name=layer.name,
                class_name=saved_name(type(layer)),
                output_shape=unwrap(shapes) if shapes else None,
                params=_size(weights),
                built=layer.built or _needs_no_build(layer),
                trainable=layer.trainable if weights else None,
                connected_to=connected,
                depth=depth,
            ),
            layer,
        )


def _walk(model: Network) -> Iterator[tuple[Network, Layer, int]]:
    """Layers in order with the network that holds them and their depth."""
    stack: list[tuple[Network, Layer, int]] = [(model, x, 0) for x in reversed(model.layers)]
    while stack:
        owner, layer, depth = stack.pop()
        yield owner, layer, depth
        if isinstance(layer, Network):
            stack.extend((layer, inner, depth + 1) for inner in reversed(layer.layers))


def _paths(model: Network) -> Iterator[str]:
    """Full scope of each layer that `_walk` gives, such as `base/conv1`."""
    prefixes: list[str] = []
    for _, layer, depth in _walk(model):
        del prefixes[depth:]
        prefixes.append(layer.name)
        yield "/".join(prefixes)


def _needs_no_build(layer: Layer) -> bool:
    """Whether Keras takes a layer for built from the start."""
    return any(base.__name__ in _BUILT_BY_ITSELF for base in type(layer).__mro__)


def _weights(layer: Layer, kind: str = "weights") -> list[Variable]:
    """Weights that exist: those of built layers where a model is not built as a whole."""
    parts = layer._leaf_layers() if isinstance(layer, Network) and not layer.built else [layer]
    return list(dict.fromkeys(variable for part in parts for variable in getattr(part, kind)))


def _totals(model: Network, slots: Sequence[Variable]) -> SummaryTotals:
    trained = _weights(model, "trainable_weights") if model.trainable else []
    kept = set(trained)
    others = [variable for variable in _weights(model) if variable not in kept]
    return SummaryTotals(
        trainable=_size(trained),
        non_trainable=_size(others),
        trainable_bytes=_bytes(trained),
        non_trainable_bytes=_bytes(others),
        optimizer=_size(slots) if slots else None,
        optimizer_bytes=_bytes(slots),
    )


def _is_chain(model: Network) -> bool:
    """Whether every layer takes the output of the one before, and nothing else."""
    calls = [call for call, _ in model._calls_inside]
    sources = {id(call.inputs[0]) for call in calls}
    layers = {id(call.layer) for call in calls}
    single = all(len(call.inputs) == 1 for call in calls) and len(model.inputs) == 1
    return single and len(sources) == len(layers) == len(calls)


def _shapes(owner: Network, layer: Layer) -> list[Shape]:
    """Shapes that a layer gives: those of its last call, as Keras shows them.

    In a model that is not built a layer may have been called elsewhere; none if it was not.
    """
    tensors = owner._outputs_of(layer)
    if not tensors and not owner.built:
        output = getattr(layer, "output", [])
        tensors = [output] if isinstance(output, SymbolicTensor) else list(output)
    return [tensor.shape for tensor in tensors if tensor._call is tensors[-1]._call]


def _sources(owner: Network, layer: Layer) -> tuple[str, ...]:
    """Names of what a layer is called on, as Keras writes them: `dense[0][0]`."""
    entries = {id(x.output): x.name for x in owner.layers if isinstance(x, InputLayer)}
    calls = dict.fromkeys(call for call, _ in owner._calls_inside if call.layer is layer)
    return tuple(
        f"{t._call.layer.name}[{t._call.index}][{t._index}]"
        if t._call is not None and id(t) not in entries
        else f"{entries.get(id(t), t.name)}[0][0]"  # a subclassed model lists no input layers
        for call in calls
        for t in call.inputs
    )


def _only_shape(shape: Any) -> Any:
    return shape[0] if isinstance(shape, list) else shape


def _size(variables: Sequence[Variable]) -> int:
    return sum(variable._size for variable in variables)


def _bytes(variables: Sequence[Variable]) -> int:
    return sum(variable._nbytes for variable in variables)
