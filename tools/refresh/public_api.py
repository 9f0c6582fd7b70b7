"""Write down the public interface: what users may call, with every argument and its default.

`render()` lists, for each public module, the names in its `__all__`. A class shows its constructor
and the public members that it does not inherit from another listed class, so a layer shows only
what is its own. Annotations are left out: they are held by mypy and would only add noise here.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

MODULES = (
    "seqonnx",
    "seqonnx.layers",
    "seqonnx.losses",
    "seqonnx.metrics",
    "seqonnx.optimizers",
    "seqonnx.optimizers.schedules",
    "seqonnx.initializers",
    "seqonnx.regularizers",
    "seqonnx.constraints",
    "seqonnx.activations",
    "seqonnx.callbacks",
    "seqonnx.autodiff",
    "seqonnx.config",
    "seqonnx.data",
    "seqonnx.datasets",
    "seqonnx.datasets.boston_housing",
    "seqonnx.datasets.california_housing",
    "seqonnx.datasets.cifar10",
    "seqonnx.datasets.cifar100",
    "seqonnx.datasets.fashion_mnist",
    "seqonnx.datasets.imdb",
    "seqonnx.datasets.mnist",
    "seqonnx.datasets.reuters",
    "seqonnx.applications",
    "seqonnx.backend",
    "seqonnx.dtype_policies",
    "seqonnx.mixed_precision",
    "seqonnx.preprocessing",
    "seqonnx.preprocessing.sequence",
    "seqonnx.tree",
    "seqonnx.utils",
)

HEADER = (
    "# The public interface of seqonnx, compared with the live one by the tests.\n"
    "# Refresh it after a change that is meant: python tools/refresh/refresh_golden.py api\n"
)


def render(modules: Iterable[str] = MODULES) -> str:
    """Return the interface of `modules` as text, one name a line."""
    loaded = [importlib.import_module(name) for name in modules]
    listed = {value for module in loaded for value in _public(module).values() if _is_class(value)}
    blocks = [HEADER]
    for module in loaded:
        lines = [module.__name__]
        for name, value in _public(module).items():
            lines += [f"    {line}" for line in _entry(name, value, listed)]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _public(module: ModuleType) -> dict[str, Any]:
    """Names and values of `__all__`."""
    return {name: getattr(module, name) for name in sorted(module.__all__)}


def _is_class(value: object) -> bool:
    return isinstance(value, type)


def _entry(name: str, value: object, listed: set[Any]) -> list[str]:
    """The lines for one public name."""
    if isinstance(value, ModuleType):
        return [f"{name} (module)"]
    if isinstance(value, type):
        return [_class_line(name, value), *(f"    {line}" for line in _members(value, listed))]
    if callable(value):
        return [f"{name}{_signature(value)}"]
    return [f"{name}: {type(value).__name__}"]


def _class_line(name: str, cls: type) -> str:
    """The constructor; exceptions and enumerations are told by their base."""
    for base in (BaseException, enum.Enum):
        if issubclass(cls, base):
            return f"class {name}({', '.join(b.__name__ for b in cls.__bases__)})"
    return f"class {name}{_signature(cls)}"


def _members(cls: type, listed: set[Any]) -> list[str]:
    """Public members that `cls` has from itself or from bases that are not listed themselves."""
    package = cls.__module__.partition(".")[0]
    ours = [c for c in cls.__mro__ if c.__module__.partition(".")[0] == package]
    inherited = {name for c in ours[1:] if c in listed for d in c.__mro__ for name in vars(d)}
    names = {name for c in ours for name in vars(c) if not name.startswith("_")} - inherited
    return [_member(name, inspect.getattr_static(cls, name)) for name in sorted(names)]


def _member(name: str, value: object) -> str:
    if isinstance(value, property):
        return f"{name} (property, settable)" if value.fset is not None else f"{name} (property)"
    if isinstance(value, classmethod | staticmethod):
        return f"{name}{_signature(value.__func__)} ({type(value).__name__})"
    if inspect.isroutine(value):
        return f"{name}{_signature(value)}"
    return name


def _signature(function: Any) -> str:
    """Arguments with their defaults, without annotations."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    parameters = [
        parameter.replace(
            annotation=parameter.empty,
            default=parameter.empty
            if parameter.default is parameter.empty
            else _Literal(parameter.default),
        )
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


class _Literal:
    """A default value that is shown by name where its own `repr` has a memory address."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        text = repr(self.value)
        if " at 0x" not in text:
            return text
        return f"<{getattr(self.value, '__qualname__', type(self.value).__qualname__)}>"
