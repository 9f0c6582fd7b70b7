"""The table of expressions, and values as JSON holds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("recorded.json")
CASES: dict[str, Callable[[Any], Any]] = {}
"""By the path of a name, such as `layers.Average`: a function of the kit that gives a value."""


def case(*paths: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Note a function of the kit for a name; one of the kit and the name for several."""

    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        for path in paths:
            assert path not in CASES, path
            if len(paths) == 1:
                CASES[path] = function
            else:
                CASES[path] = lambda kit, path=path: function(kit, path.rpartition(".")[2])
        return function

    return note


def same(**aliases: str) -> Callable[[str], None]:
    """Note names of a module that are one object with others of it."""

    def note(module: str) -> None:
        for alias, name in aliases.items():
            CASES[f"{module}.{alias}"] = lambda kit, alias=alias, name=name: [
                at(kit, f"{module}.{alias}").__name__,
                at(kit, f"{module}.{alias}") is at(kit, f"{module}.{name}"),
            ]

    return note


def at(kit: Any, path: str) -> Any:
    """The thing at a path of a kit."""
    for part in path.split("."):
        kit = getattr(kit, part)
    return kit


def draw(*shape: int, seed: int = 0, low: float = -2.0, high: float = 2.0) -> Any:
    """Numbers that every run draws alike."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype("float32")


def near(value: Any, within: float) -> dict[str, Any]:
    """A value that only comes close: a statistic of random numbers."""
    return {"near": plain(value), "within": within}


def fitted(layer: Any, *inputs: Any, **arguments: Any) -> Any:
    """Call a layer on arrays, with weights that are drawn."""
    given = inputs[0] if len(inputs) == 1 else list(inputs)
    layer(given, **arguments)
    weights = [
        np.asarray(draw(*weight.shape, seed=9 + i, low=0.1, high=0.9))
        for i, weight in enumerate(layer.weights)
        if "seed" not in weight.name
    ]
    if len(weights) > 0:
        layer.set_weights(weights)
    return layer(given, **arguments)


def plain(value: Any) -> Any:
    """A value as JSON holds it: tensors as lists, numbers with nine digits."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) is False else float(f"{value:.9g}")
    if isinstance(value, bytes):
        return value.decode()
    value = value.detach() if hasattr(value, "detach") else value
    array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    return plain(array.tolist())


def differs(wanted: Any, found: Any, where: str = "") -> str:
    """Where two values differ, or ""."""
    if isinstance(wanted, dict) and "near" in wanted:
        return "" if np.allclose(wanted["near"], found["near"], 0, wanted["within"]) else where
    if isinstance(wanted, dict) and isinstance(found, dict):
        if set(wanted) != set(found):
            return f"{where}: keys {sorted(wanted)} and {sorted(found)}"
        parts = [differs(wanted[key], found[key], f"{where}/{key}") for key in wanted]
        return next((part for part in parts if part), "")
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"{where}: {len(wanted)} and {len(found)} entries: {wanted} and {found}"
        pairs = enumerate(zip(wanted, found, strict=True))
        parts = [differs(one, other, f"{where}/{i}") for i, (one, other) in pairs]
        return next((part for part in parts if part), "")
    numbers = all(isinstance(each, int | float) for each in (wanted, found))
    if numbers and (isinstance(wanted, float) or isinstance(found, float)):
        if np.isclose(found, wanted, rtol=3e-5, atol=3e-6, equal_nan=True):
            return ""
    elif wanted == found:
        return ""
    return f"{where}: {wanted!r} and {found!r}"


def recorded() -> dict[str, Any]:
    """The values of Keras."""
    return json.loads(FILE.read_text("utf-8"))
