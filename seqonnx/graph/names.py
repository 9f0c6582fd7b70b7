"""Names: the batch's, and what an object is called when the user does not say."""

from __future__ import annotations

import gc
import re
from collections import Counter

BATCH = "batch"
"""Name of the first dimension of every model input in the graphs that seqonnx emits."""

_counts: Counter[str] = Counter()
_uids: Counter[str] = Counter()


def to_snake_case(name: str) -> str:
    """Return a class name in the spelling that Keras uses for automatic names.

    Example:
        >>> to_snake_case("MaxPooling2D"), to_snake_case("HTTPLayer2D")
        ('max_pooling2d', 'http_layer2d')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(class_name: str) -> str:
    """Return the next automatic name of a class: `dense`, `dense_1`, `dense_2`, …"""
    base = to_snake_case(class_name)
    count = _counts[base]
    _counts[base] += 1
    return base if count == 0 else f"{base}_{count}"


def check_name(name: object) -> str:
    """Return `name` if it can name a layer or a model.

    Raises:
        ValueError: if it is not a string or contains `/`, which separates scopes.
    """
    if not isinstance(name, str) or "/" in name:
        raise ValueError(
            "Argument `name` must be a string and cannot contain character `/`. "
            f"Received: name={name} (of type {type(name)})"
        )
    return name


def get_uid(prefix: str = "") -> int:
    """Return how often this was called with a prefix since the last `clear_session`.

    Example:
        >>> get_uid("block"), get_uid("block")
        (1, 2)
    """
    _uids[prefix] += 1
    return _uids[prefix]


def clear_session(free_memory: bool = True) -> None:
    """Start the automatic names and numbers anew: the next Dense is `dense` again.

    Args:
        free_memory: whether to collect what is no longer used at once; else Python does so later.

    Example:
        >>> clear_session()
    """
    _counts.clear()
    _uids.clear()
    if free_memory:
        gc.collect()
