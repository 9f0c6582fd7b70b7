"""Named values of a program, read and set as attributes or items, that can be frozen."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any


class Config:
    """Named values: attributes and items alike.

    Args:
        **kwargs: the values.

    Example:
        >>> config = Config(learning_rate=0.1)
        >>> config.seed = 123
        >>> config["seed"], config.to_json()
        (123, '{"learning_rate": 0.1, "seed": 123}')
    """

    def __init__(self, **kwargs: Any) -> None:
        vars(self).update(kwargs)

    @property
    def frozen(self) -> bool:
        """Whether values cannot be changed."""
        return isinstance(self, _Frozen)

    def freeze(self) -> None:
        """Refuse changes from now on."""
        # A class of its own, so that there is no test at each change of what is not frozen.
        self.__class__ = _Frozen

    def unfreeze(self) -> None:
        """Allow changes again."""
        self.__class__ = Config

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name, in a dict of its own."""
        return dict(vars(self))

    def to_json(self) -> str:
        """Return the values as JSON."""
        return json.dumps(vars(self))

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return vars(self).keys()

    def values(self) -> ValuesView[Any]:
        """Return the values."""
        return vars(self).values()

    def items(self) -> ItemsView[str, Any]:
        """Return pairs of name and value."""
        return vars(self).items()

    def pop(self, *args: Any) -> Any:
        """Remove a value and return it; as `dict.pop`."""
        return vars(self).pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several values; as `dict.update`."""
        vars(self).update(*args, **kwargs)

    def get(self, keyname: str, value: Any = None) -> Any:
        """Return the value of a name, or another value where there is none."""
        return vars(self).get(keyname, value)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"Config has no value '{name}'. It has: {', '.join(vars(self)) or 'none'}"
        )

    def __getitem__(self, key: str) -> Any:
        return vars(self)[key]

    def __setitem__(self, key: str, value: Any) -> None:
        vars(self)[key] = value

    def __delitem__(self, key: str) -> None:
        del vars(self)[key]

    def __contains__(self, key: object) -> bool:
        return key in vars(self)

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self))

    def __len__(self) -> int:
        return len(vars(self))

    def __repr__(self) -> str:
        return f"<Config {vars(self)}>"


def _refuse(*_: Any, **__: Any) -> Any:
    raise ValueError("Cannot mutate attribute(s) because the config is frozen.")


class _Frozen(Config):
    """Values that cannot be changed."""

    pop = update = _refuse
    __setitem__ = __delitem__ = __setattr__ = __delattr__ = _refuse

    def unfreeze(self) -> None:
        """Allow changes again."""
        # Past the refusal, which would hold for this change, too.
        vars(object)["__class__"].__set__(self, Config)
