"""Quantisation of a model's layers: weights as integers, or rounded while they train."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from seqonnx import dtypes
from seqonnx.layers.base import Layer
from seqonnx.layers.fake_quantization import round_layer
from seqonnx.layers.network import Network
from seqonnx.layers.quantizable import Quantizable
from seqonnx.quantizers.config import resolved_config

Filters = str | Sequence[str] | Callable[[Layer], bool] | None
"""Which layers: regular expressions for their names, or a function that says so; None for all."""


QAT: Final = "qat"
"""The mode in which layers are rounded while they train."""


def quantize(
    network: Network, form: Any, config: Any, filters: Filters, mode: Any, *, type_check: bool
) -> None:
    """Quantise the layers of a network (see `Model.quantize`)."""
    if not (filters is None or callable(filters) or isinstance(filters, str | list | tuple)):
        raise ValueError(
            "The `filters` argument must be a regex string, a list of regex strings, or a "
            f"callable. Received: {type(filters)}"
        )
    if mode == QAT:
        _round(network, form, config, filters)
        return
    if None not in {form, mode} and form != mode:
        raise ValueError(
            'A model is quantised by `quantize("int8")` or `quantize("int4")`; while it trains by '
            '`quantize("int8", mode="qat")`; a file is by `export(path, quantize="int8", '
            f"calibration_data=x)`. Received: {form!r}, mode={mode!r}"
        )
    _store_integers(network, form or mode, config, filters, type_check)


def _round(network: Network, form: Any, config: Any, filters: Filters) -> None:
    """Put fake quantisation around the layers of a network."""
    if form != "int8" or config is not None:
        raise ValueError(
            "Only int8 is there for training with the rounding, without a configuration. "
            f"Received: {form!r}, mode='qat', config={config}"
        )
    if not network.built:
        raise ValueError(
            f"Model '{network.name}' has not yet been built, so it has no weights to quantise. "
            "Call it on data or call `build()` first."
        )
    chosen = [layer for layer in network._leaf_layers() if _wanted(layer, filters)]
    rounded = [round_layer(layer) for layer in chosen]
    if not any(rounded):
        raise ValueError(
            "There is nothing to quantise: no layer has a matrix of floating-point numbers that "
            f"trains. Received: filters={filters!r}, of layers "
            f"{[layer.name for layer in network._leaf_layers()]}"
        )


def _store_integers(
    network: Network, mode: Any, config: Any, filters: Filters, type_check: bool
) -> None:
    """Turn the large weights of layers into integers, as Keras does."""
    given = resolved_config(mode, config) if mode is not None or config is not None else None
    if given is None:
        raise ValueError("You must provide either a form, such as 'int8', or `config`.")
    chosen = [layer for layer in _innermost(network) if _wanted(layer, filters)]
    known = [layer for layer in chosen if isinstance(layer, Quantizable)]
    own: list[Any] = [layer for layer in chosen if layer not in known and _has_method(layer)]
    refused = {x for x in chosen if x not in known and x not in own and _has_matrix(x)}
    for layer in known:
        try:
            layer._check_quantizable(given, type_check)
        except NotImplementedError:
            refused.add(layer)
    for layer in [*known, *own]:
        if layer not in refused:
            layer.quantize(mode, type_check=type_check, config=config)
    if len(refused) > 0 or len(known) + len(own) == 0:
        warnings.warn(_left(chosen, refused), stacklevel=4)


def _innermost(network: Network) -> list[Layer]:
    """Layers without layers inside, each once, in order."""
    found: dict[int, Layer] = {}
    stack: list[Any] = list(reversed(network.layers))
    while stack:
        layer = stack.pop()
        inner = layer._inner_layers
        stack.extend(reversed(inner))
        if len(inner) == 0:
            found.setdefault(id(layer), layer)
    return list(found.values())


def _has_method(layer: Layer) -> bool:
    """Whether a class of the user's has a `quantize` of its own."""
    return callable(getattr(layer, "quantize", None))


def _has_matrix(layer: Layer) -> bool:
    """Whether a layer has a large weight of floating-point numbers."""
    return any(len(v.shape) > 1 and dtypes.is_float(v.dtype) for v in layer._variables)


def _left(chosen: Sequence[Layer], refused: Collection[Layer]) -> str:
    """The warning about layers that stay as they are."""
    if len(refused) == 0:
        return f"No layer was quantised. Layers considered: {[layer.name for layer in chosen]}."
    names = [f"'{layer.name}' ({type(layer).__name__})" for layer in chosen if layer in refused]
    return (
        f"These layers keep their floating-point weights: {', '.join(names)}. Dense, EinsumDense, "
        "Embedding and ReversibleEmbedding have a form of integers; `export(quantize=...)` "
        "quantises files of any layers."
    )


def _wanted(layer: Layer, filters: Filters) -> bool:
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)
