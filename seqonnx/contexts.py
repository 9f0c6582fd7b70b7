"""Context variables that no interrupt can leave behind."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import wraps
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


def in_own_context(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a function that sets context variables on its way.

    It runs in a copy of the context: whatever ends it, an interrupt in the middle of a clean-up
    included, its caller's variables are as they were.

    Example:
        >>> from contextvars import ContextVar
        >>> depth = ContextVar("depth", default=0)
        >>> in_own_context(depth.set)(1) is None, depth.get()
        (False, 0)
    """

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return copy_context().run(function, *args, **kwargs)

    return run
