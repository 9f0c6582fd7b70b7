"""A lambda in Keras's files: its byte code, which only the same version of Python can run."""

from __future__ import annotations

import base64
import binascii
import builtins
import marshal
import types
from collections.abc import Callable, Sequence
from typing import Any

from seqonnx.errors import ModelFileError


def dump_function(function: types.FunctionType) -> list[Any]:
    """Return code, defaults and closure of a function, as Keras writes them."""
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    return [code, function.__defaults__, closure or None]


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
