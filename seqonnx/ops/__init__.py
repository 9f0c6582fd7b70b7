"""Functions of tensors by Keras's names.

On symbolic tensors they become nodes of the layer graph, in a `call` that works on tensors they
emit, on arrays they compute. Every module of this room enters its functions in the catalogue;
these are the names that are found here.
"""

from typing import Any

from seqonnx import catalogue
from seqonnx.ops import (
    activation,
    adaptive,
    arithmetic,
    arranging,
    attention,
    bits,
    blocks,
    comparison,
    control_flow,
    core,
    creation,
    cumulative,
    diagonals,
    elementary,
    encoding,
    indexing,
    integers,
    joining,
    linear_algebra,
    losses,
    normalization,
    not_a_number,
    patterns,
    pictures,
    products,
    reading,
    reduction,
    shaping,
    signals,
    sorting,
    special,
    statistics,
    trigonometry,
    warping,
    windowed,
    windows,
)
from seqonnx.ops.core import convert_to_numpy, dtype, is_tensor

from seqonnx.ops import image, linalg, nn, numpy  # isort: skip - after their functions
from seqonnx.ops.face import function

_FAMILIES = (
    activation,
    arithmetic,
    arranging,
    attention,
    blocks,
    integers,
    patterns,
    signals,
    pictures,
    warping,
    adaptive,
    bits,
    comparison,
    control_flow,
    core,
    creation,
    cumulative,
    diagonals,
    elementary,
    encoding,
    indexing,
    joining,
    linear_algebra,
    losses,
    normalization,
    not_a_number,
    products,
    reading,
    reduction,
    shaping,
    sorting,
    special,
    statistics,
    trigonometry,
    windowed,
    windows,
)
"""The modules whose functions are found here."""

_OTHERS = {
    "convert_to_numpy": convert_to_numpy,
    "dtype": dtype,
    "image": image,
    "is_tensor": is_tensor,
    "linalg": linalg,
    "nn": nn,
    "numpy": numpy,
}
"""Names of what is no function of tensors, and of the modules that Keras has, too."""

_NAMES = {*catalogue.entries("op"), *_OTHERS} - {*image.__all__}
__all__ = sorted(_NAMES)  # noqa: PLE0605 - it is a list, made of what the catalogue holds


def __getattr__(name: str) -> Any:
    return function(name, __name__)


def __dir__() -> list[str]:
    return __all__
