"""Functions of tensors in Keras's configurations: each is a class, such as `TrueDivide`.

The arguments of its constructor are in its configuration, the others in its calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from seqonnx.errors import ModelFileError
from seqonnx.importers.keras.config import Catalogue

_SHORTENED: Final = {
    "batchnorm": "batchnormalization",
    "layernorm": "layernormalization",
    "rmsnorm": "rmsnormalization",
}
"""Classes of Keras that are not called as their functions are."""


def function_of(entry: Mapping[str, Any], catalogue: Catalogue) -> str | None:
    """Return the name of the function that an entry is, or None.

    Args:
        entry: Keras's entry of a layer, or of an operation.
        catalogue: what there is.
    """
    # Legacy files name no modules: what is a layer by its name is one there.
    unnamed = "module" not in entry and catalogue.find(entry) is None
    if not unnamed and not str(entry.get("module")).startswith(("keras.src.ops", "keras.ops")):
        return None
    name = str(entry.get("class_name")).lower()
    name = _SHORTENED.get(name, name)
    return next((known for known in catalogue.functions if known.replace("_", "") == name), None)


def operation(function: str, name: str) -> dict[str, Any]:
    """Return a function as the layer that seqonnx records it as."""
    return {"class_name": "Operation", "config": {"function": function, "name": name}}


def operation_call(
    entry: Mapping[str, Any],
    function: str,
    node: Any,
    catalogue: Catalogue,
    pattern: Callable[[Any, list[Any]], Any],
) -> dict[str, Any]:
    """Return the record of a call of a function (see `symbolic.arguments`).

    Args:
        entry: Keras's entry of the operation.
        function: name of the function.
        node: one of its calls.
        catalogue: what there is.
        pattern: turns an argument into a pattern, and appends the tensors in it.

    Raises:
        ModelFileError: if it has an argument that the function does not have.
    """
    if not isinstance(node, Mapping):
        raise ModelFileError(f"Function '{function}' is called as in files of Keras 2.")
    tensors: list[Any] = []
    signature = catalogue.functions[function]
    config = {key: value for key, value in (entry.get("config") or {}).items() if key != "name"}
    arguments = {key: pattern(value, tensors) for key, value in config.items()}
    given = [_argument(function, value, tensors, pattern) for value in node["args"]]
    arguments |= _by_position(signature, arguments, given)
    arguments |= {key: pattern(value, tensors) for key, value in (node.get("kwargs") or {}).items()}
    unknown = sorted(
        key
        for key, value in arguments.items()
        if key not in signature.parameters and value not in (None, False)
    )
    if len(unknown) > 0:
        raise ModelFileError(
            f"Function '{function}' has the arguments {', '.join(unknown)}, which seqonnx's does "
            f"not have. It is called as {function}{signature}."
        )
    known = {key: value for key, value in arguments.items() if key in signature.parameters}
    return {"inputs": tensors, "arguments": [{"dict": known}, {"dict": {}}, []]}


def _argument(
    function: str, value: Any, tensors: list[Any], pattern: Callable[[Any, list[Any]], Any]
) -> Any:
    """An argument by position; the parts of a key are a tuple, which Keras writes as a list."""
    made = pattern(value, tensors)
    if function == "get_item" and isinstance(made, list):
        return {"tuple": made}
    return made


def _by_position(
    signature: inspect.Signature, named: Mapping[str, Any], given: Sequence[Any]
) -> dict[str, Any]:
    """Arguments by position, by the names that the constructor does not have."""
    left = list(given)
    found: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.name in named or len(left) == 0:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            found[parameter.name] = {"tuple": left}
            return found
        found[parameter.name] = left.pop(0)
    if len(left) > 0:
        raise ModelFileError(f"A function is called with too many arguments: {signature}.")
    return found
