"""Weights that several graphs have, in one file beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import onnx

from seqonnx.graph.files import SMALL_TENSOR

_ALIGNMENT = 4096
"""The offset that a file can be mapped from."""


def share_weights(models: Sequence[onnx.ModelProto], location: str) -> bytes:
    """Move the large weights that more than one graph has out of the graphs, in place.

    Args:
        models: the ModelProtos.
        location: name of the file that the weights are to lie in, beside those of the graphs.

    Returns:
        The content of that file; empty where there are no such weights.

    Example:
        >>> make = lambda: onnx.ModelProto(graph=onnx.GraphProto(initializer=[
        ...     onnx.TensorProto(name="kernel", data_type=1, dims=[512], raw_data=bytes(2048))]))
        >>> models = [make(), make()]
        >>> len(share_weights(models, "frozen.bin")), len(models[0].graph.initializer[0].raw_data)
        (2048, 0)
    """
    in_graphs = [{t.raw_data for t in model.graph.initializer} for model in models]
    found = Counter(data for graph in in_graphs for data in graph if len(data) >= SMALL_TENSOR)
    content, places = bytearray(), dict[bytes, int]()
    for model in models:
        for tensor in model.graph.initializer:
            data = tensor.raw_data
            if found[data] < 2:
                continue
            if data not in places:
                content.extend(bytes(-len(content) % _ALIGNMENT))
                places[data] = len(content)
                content.extend(data)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            place = {"location": location, "offset": places[data], "length": len(data)}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
    return bytes(content)
