"""Signatures of what users write: a function that cannot be called as it will be is refused."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FrameType
from typing import Any, NamedTuple

_VALUES = frozenset({"input", "inputs", "x", "w", "y_pred", "y_true"})
"""Names that say that a first parameter is a value, not the emitter."""


def takes(function: Callable[..., Any], *parameters: str, **arguments: Any) -> bool:
    """Whether a function can be called with so many positional arguments.

    Args:
        function: a function, or an object with `__call__`.
        *parameters: names of what it will be given, such as `"op"`, `"x"`. A function whose first
            parameter has the name of a value does not take an `op` there.
        **arguments: keyword arguments.

    Example:
        >>> takes(lambda op, x: x, "op", "x"), takes(lambda x: x, "op", "x")
        (True, False)
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a built-in without a signature
        return True
    try:
        signature.bind(*parameters, **arguments)
    except TypeError:
        return False
    first = next(iter(signature.parameters), "")
    return parameters[0] != "op" or first not in _VALUES


class Spelling(NamedTuple):
    """How a function is written: on values of the graph (`op` first), or on tensors.

    Args:
        emits: whether its first parameter is the emitter `op`.
        names: its other parameters, in the order of arguments without a name.
        open: whether it takes any further argument by name.
    """

    emits: bool
    names: tuple[str, ...]
    open: bool

    def named(self, positional: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments after the first, all by name.

        Args:
            positional: those given without one.
            given: those given by name.

        Raises:
            TypeError: if one is not known, or given twice.
        """
        names = self.names[1:]
        if len(positional) > len(names):
            raise TypeError(
                f"takes at most the {len(self.names)} arguments {list(self.names)}. Received: "
                f"{len(positional) + 1}"
            )
        result = dict(zip(names, positional, strict=False))
        twice = [name for name in given if name in result]
        unknown = [name for name in given if name not in names and not self.open]
        if twice or unknown:
            raise TypeError(
                f"takes the arguments {list(self.names)}. Received "
                + (f"twice: {twice}" if twice else f"unknown arguments: {unknown}")
            )
        return result | dict(given)


def spelling_of(function: Callable[..., Any]) -> Spelling:
    """Return how a function, or a bound method, is written.

    Example:
        >>> spelling_of(lambda op, x, training: x).emits, spelling_of(lambda x: x).emits
        (True, False)
    """
    return _spelling(getattr(function, "__func__", function), inspect.ismethod(function))


@cache
def _spelling(function: Callable[..., Any], bound: bool) -> Spelling:
    try:
        parameters = list(inspect.signature(function).parameters.values())[bound:]
    except (TypeError, ValueError):  # a built-in without a signature
        return Spelling(False, ("x",), False)
    kinds = {parameter.kind for parameter in parameters}
    named = [p for p in parameters if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    emits = len(named) > 0 and named[0].name == "op"
    names = [parameter.name for parameter in named[emits:]]
    if emits and "training" in names:  # which stands before the arguments that Keras has first
        names.remove("training")
        names.append("training")
    return Spelling(emits, tuple(names), inspect.Parameter.VAR_KEYWORD in kinds)


def check_signature(
    function: Callable[..., Any], what: str, *parameters: str, **arguments: Any
) -> None:
    """Raise unless a function can be called as it will be.

    Args:
        function: a function, or an object with `__call__`.
        what: what it is, such as `"loss"`.
        *parameters: see `takes`.
        **arguments: keyword arguments.

    Raises:
        TypeError: names the signature that is expected and the one that was received.
    """
    if not takes(function, *parameters, **arguments):
        given = ", ".join([*parameters, *(f"{name}=…" for name in arguments)])
        raise TypeError(
            f"A function given as {what} is called as `fn({given})`{_about_op(parameters)}. "
            f"Received: {described(function)}"
        )


def works_on_tensors(
    function: Callable[..., Any], what: str, *parameters: str, **arguments: Any
) -> bool:
    """Whether a function is written on tensors, in Keras's spelling, without the emitter.

    Args:
        function: a function, or an object with `__call__`.
        what: what it is, such as `"loss"`.
        *parameters: names of what it would be given with the emitter: `"op"`, `"x"`.
        **arguments: keyword arguments.

    Raises:
        TypeError: if it can be called in neither way.

    Example:
        >>> works_on_tensors(lambda x: x, "activation", "op", "x")
        True
    """
    try:
        known = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a built-in without a signature
        return True
    fixed = [p for p in known if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    needed = [p for p in fixed if p.default is p.empty and p.name not in arguments]
    emits = fixed[0].name == "op" if fixed else any(p.kind == p.VAR_POSITIONAL for p in known)
    if (emits or len(needed) == len(parameters)) and takes(function, *parameters, **arguments):
        return False
    if emits or not takes(function, *parameters[1:], **arguments):
        given = ", ".join([*parameters[1:], *(f"{name}=…" for name in arguments)])
        raise TypeError(
            f"A function given as {what} is called as `fn(op, {given})`"
            f"{_about_op(parameters)}; or as `fn({given})`, on tensors, with the functions of "
            f"`seqonnx.ops`. Received: {described(function)}"
        )
    return True


def check_method(owner: object, kind: str, name: str, *parameters: str) -> None:
    """Raise unless a method that a user's class defines can be called as it will be.

    Args:
        owner: an object of the class.
        kind: what the class is, such as `"Layer"`.
        name: name of the method.
        *parameters: see `takes`.

    Raises:
        TypeError: names the signature that is expected and the one that was received.
    """
    method = getattr(owner, name)
    if not takes(method, *parameters):
        raise TypeError(
            f"{kind} {type(owner).__name__} must define `{name}(self, {', '.join(parameters)})`"
            f"{_about_op(parameters)}. Received: {described(method)}"
        )


def described(function: Callable[..., Any]) -> str:
    """Name and signature of a function, for a message."""
    name = getattr(function, "__name__", type(function).__name__)
    try:
        return f"{name}{inspect.signature(function)}"
    except (TypeError, ValueError):
        return str(name)


def _about_op(parameters: tuple[str, ...]) -> str:
    """Description of the first argument, where it is the emitter."""
    if parameters[0] != "op":
        return ""
    return f": `op` has every ONNX operator as a method, as in `op.Abs({parameters[1]})`"


def adopt_renamed(cls: type, kind: str, renamed: Mapping[str, tuple[str, str]]) -> None:
    """Let a class define hooks by the names that they had until version 0.1, with a warning.

    Args:
        cls: a class in the making.
        kind: what it is, such as `"Loss"`.
        renamed: for each old name the new one, and the name of the first parameter: a method of
            the user's own that happens to have the old name is left alone.
    """
    for old, (new, first) in renamed.items():
        hook = vars(cls).get(old)
        if new in vars(cls) or not inspect.isfunction(hook):
            continue
        if list(inspect.signature(hook).parameters)[1:2] != [first]:
            continue
        warn_of_renamed(f"{kind} {cls.__name__}: rename `{old}` to `{new}`")
        setattr(cls, new, hook)


def warn_of_renamed(text: str) -> None:
    """Warn, at the user's line, that something works for one version more."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"{text}; the old name works until the next version.", DeprecationWarning, stacklevel=level
    )


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "seqonnx"
