"""Vocabularies of Keras's files: those that the layers of a model have learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seqonnx.errors import ModelFileError
from seqonnx.export.keras_weights import class_name
from seqonnx.importers.keras.hdf5 import Group, find_dataset, read_dataset
from seqonnx.importers.keras.parts import numbered_names
from seqonnx.importers.keras.weights import IDF
from seqonnx.layers.base import Layer
from seqonnx.layers.network import Network
from seqonnx.layers.preprocessing.index_lookup import IndexLookup
from seqonnx.layers.preprocessing.text_vectorization import TextVectorization


def load_vocabularies(model: Network, texts: Mapping[str, str], weights: Group) -> None:
    """Give the layers of a model the vocabularies that a `.keras` file holds.

    Args:
        model: the model.
        texts: the text of each vocabulary, by the path of its layer.
        weights: root group of the file's weights.

    Raises:
        ModelFileError: if a vocabulary does not fit its layer, or its weights are broken.
    """
    for path, lookup in _lookups(model):
        if path in texts:
            load_vocabulary(lookup, path, texts[path], weights)


def load_vocabulary(lookup: IndexLookup, path: str, text: str, weights: Group) -> None:
    """Give a layer the vocabulary that a `.keras` file holds at its path; see above."""
    idf = find_dataset(weights, f"{path}/vars/{IDF}")
    try:
        lookup._load_text(text, None if idf is None else read_dataset(idf))
    except ValueError as error:
        raise ModelFileError(
            f"The vocabulary of layer '{lookup.name}' does not fit it. {error}"
        ) from error


def _lookups(model: Network, below: str = "") -> Iterator[tuple[str, IndexLookup]]:
    """The lookups of a model with their paths in Keras's files."""
    names = numbered_names([class_name(layer) for layer in model.layers])
    for name, layer in zip(names, model.layers, strict=True):
        path = f"{below}layers/{name}"
        if isinstance(layer, Network):
            yield from _lookups(layer, f"{path}/")
        elif (lookup := _lookup_of(layer)) is not None:
            yield path, lookup


def _lookup_of(layer: Layer) -> IndexLookup | None:
    if isinstance(layer, TextVectorization):
        return layer._lookup
    return layer if isinstance(layer, IndexLookup) else None
