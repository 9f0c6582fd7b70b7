"""Damaged files: whatever reading one makes a library raise becomes one error that names it.

Protobuf, ONNX's checker, onnx_ir, NumPy, h5py and ONNX Runtime have some twenty unrelated
exception types for a file that is not as it should be. The few functions that read files do so
inside `reading`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from seqonnx.errors import DeviceError, GradientError, ModelFileError, RuntimeNotInstalledError

_PASSED = (DeviceError, GradientError, ImportError, RuntimeNotInstalledError, Warning)
"""Errors that say by themselves what is wrong, and are not the fault of a file."""

_SHOWN = 300


@contextlib.contextmanager
def reading(name: str | Path, *, refusals: bool = False) -> Iterator[None]:
    """Turn whatever is raised inside into a `ModelFileError` that names the file.

    Args:
        name: the file, or what errors call the model.
        refusals: whether a ValueError that seqonnx itself raises passes as it is, as where what
            is read also depends on the arguments of the caller.

    Raises:
        ModelFileError: with the file and, as far as it is known, the place in it.

    Example:
        >>> with reading("model.onnx"):
        ...     {}["weights"]
        Traceback (most recent call last):
        seqonnx.errors.ModelFileError: model.onnx is damaged: KeyError: 'weights'.
    """
    try:
        yield
    except _PASSED:
        raise
    except ModelFileError as error:
        if str(name) in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error
    except ValueError as error:
        if not _is_ours(error):
            raise ModelFileError(_describe(name, error)) from error
        if refusals:
            raise
        text = str(error)
        raise ModelFileError(
            text if str(name) in text else f"{name} cannot be loaded. {text}"
        ) from error
    except Exception as error:
        raise ModelFileError(_describe(name, error)) from error


def _is_ours(error: BaseException) -> bool:
    """Whether seqonnx itself raised an error, on purpose, not a library on the way."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return type(error) is ValueError and module.partition(".")[0] == "seqonnx"


def _describe(name: str | Path, error: Exception) -> str:
    """Say what is wrong and where, in one line."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    if any(isinstance(link, MemoryError) for link in chain):
        return f"{name} is refused: reading it needs more memory than there is ({chain[-1]})."
    if isinstance(error, OSError) and error.strerror is not None:
        return f"{name} cannot be read: {error.strerror}."
    reason, *outer = [_line(link) for link in reversed(chain)]
    if isinstance(chain[-1], RecursionError):
        reason = "it is nested too deeply"
    # Libraries say around the reason what they were at: the innermost is the nearest to the place.
    place = f" ({outer[0]})" if outer else ""
    return f"{name} is damaged: {reason}{place}."


def _line(error: BaseException) -> str:
    """The kind and the text of an error in one short line."""
    text = " ".join(str(error).split())
    kind = "" if isinstance(error, ValueError | RuntimeError) and text else type(error).__name__
    joined = ": ".join(part for part in (kind, text) if part)
    return joined if len(joined) <= _SHOWN else f"{joined[:_SHOWN]}..."
