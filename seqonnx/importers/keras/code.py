"""A lambda in Keras's files: its byte code, which only the same version of Python can run."""

from __future__ import annotations

import base64
import binascii
import builtins
import marshal
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from seqonnx.errors import ModelFileError
from seqonnx.registration import in_safe_mode

_UNSAFE: Final = (
    "This carries a potential risk of arbitrary code execution and thus it is disallowed by "
    "default. If you trust the source of the artifact, you can override this error by passing "
    "`safe_mode=False` to the loading function, or calling "
    "`seqonnx.config.enable_unsafe_deserialization()`."
)


def dump_function(function: types.FunctionType) -> list[Any]:
    """Return code, defaults and closure of a function, as Keras writes them."""
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    return [code, function.__defaults__, closure or None]


def is_lambda(config: Any) -> bool:
    """Return whether a configuration holds the code of a lambda."""
    return isinstance(config, Mapping) and config.get("class_name") == "__lambda__"


def trusted_function(
    config: Mapping[str, Any], what: str = "Python lambda", *, safe: bool | None = None
) -> Any:
    """Return the function of a `__lambda__`.

    Args:
        config: the lambda: code, defaults and closure, or a list of them under `value`.
        what: whose lambda it is, for the error.
        safe: whether it is refused; None: as what is being loaded says, else it is.

    Raises:
        ValueError: in safe mode.
    """
    if in_safe_mode() if safe is None else safe:
        raise ValueError(f"Requested the deserialization of a {what}. {_UNSAFE}")
    inner = config["config"]
    parts = inner.get("value", inner)
    return load_function(**parts) if isinstance(parts, Mapping) else load_function(*parts)


def load_function(
    code: str, defaults: Sequence[Any] | None = None, closure: Sequence[Any] | None = None
) -> Callable[..., Any]:
    """Return the function that `dump_function`, or Keras, has written.

    The code can do anything: who calls this trusts the file.

    Args:
        code: byte code of this version of Python, in base 64.
        defaults: defaults of its last arguments.
        closure: values of the variables that it has from outside.

    Raises:
        ModelFileError: if it is no such code.
    """
    try:
        found = marshal.loads(base64.b64decode(code))
    except (binascii.Error, ValueError, EOFError, TypeError) as error:
        raise ModelFileError(
            f"A lambda of the file holds no code that this Python can run: {error}"
        ) from error
    if not isinstance(found, types.CodeType):
        raise ModelFileError("A lambda of the file holds no code.")
    cells = None if not closure else tuple(types.CellType(value) for value in closure)
    given = None if defaults is None else tuple(defaults)
    names = {"__builtins__": builtins}
    return types.FunctionType(found, names, "<lambda>", given, cells)
