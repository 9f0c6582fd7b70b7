"""Settings: attributes of a layer that its nodes depend on, and that may change later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload

from seqonnx.dtypes import plain_value
from seqonnx.graph import note_setting

T = TypeVar("T")


class _Owner(Protocol):
    """The side of a layer that its settings need."""

    name: str

    @property
    def built(self) -> bool:
        """Whether the weights exist."""


class Setting(Generic[T]):
    """An attribute that can be set at any time: graphs that were made before are made anew.

    Args:
        convert: turns what is set into what is kept, or refuses it; None keeps it as it is.
        until_built: whether weights depend on it, so that a built layer refuses another value.

    Raises:
        AttributeError: on setting, if the layer is built and its weights depend on it.

    Example:
        >>> class Shrink:
        ...     rate: Setting[float] = Setting(float)
        >>> shrink = Shrink()
        >>> shrink.rate = "0.5"
        >>> shrink.rate
        0.5
    """

    def __init__(
        self, convert: Callable[[Any], T] | None = None, *, until_built: bool = False
    ) -> None:
        self._convert = convert
        self._until_built = until_built
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, layer: None, owner: type) -> Setting[T]: ...

    @overload
    def __get__(self, layer: object, owner: type) -> T: ...

    def __get__(self, layer: object | None, owner: type) -> Setting[T] | T:
        if layer is None:
            return self
        try:
            value: T = vars(layer)[self._name]
        except KeyError:
            raise AttributeError(
                f"'{type(layer).__name__}' object has no attribute '{self._name}'"
            ) from None
        return value

    def __set__(self, layer: Any, value: Any) -> None:
        known = vars(layer)
        first = self._name not in known
        value = plain_value(value)
        value = value if self._convert is None else self._convert(value)
        changes = not first and not _same(known[self._name], value)
        if self._until_built and changes:
            self._refuse_when_built(layer, value)
        known[self._name] = value
        if changes:
            note_setting()

    def _refuse_when_built(self, layer: _Owner, value: Any) -> None:
        """Raise an AttributeError if the layer has weights."""
        if layer.built:
            raise AttributeError(
                f"`{self._name}` of layer '{layer.name}' cannot change after the layer is built: "
                f"its weights depend on it. Make a new layer. Received: {self._name}={value!r}"
            )


def _same(old: Any, new: Any) -> bool:
    """Whether two values are the same for sure, so that no graph needs to be made anew."""
    plain = isinstance(new, bool | int | float | str) and type(old) is type(new)
    return old is new or (plain and old == new)
