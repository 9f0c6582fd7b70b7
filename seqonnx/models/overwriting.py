"""Asking before a file is replaced, where the caller has said `overwrite=False`."""

from __future__ import annotations

import os
from pathlib import Path


def may_write(path: Path, overwrite: bool) -> bool:
    """Return whether a file may be written; if there is one and it must not be lost, ask.

    Args:
        path: the file.
        overwrite: whether a file that is there may be replaced without asking.

    Raises:
        FileExistsError: if there is nobody to ask.
    """
    if overwrite or not os.path.lexists(path):
        return True
    question = f"{path} already exists: replace it? [y/n] "
    try:
        answer = input(question).strip().lower()
        while answer not in {"y", "n"}:
            answer = input('Enter "y" to replace the file, or "n" to leave it as it is. ')
            answer = answer.strip().lower()
    except EOFError as error:
        raise FileExistsError(
            f"{path} already exists, and there is nobody to ask whether to replace it. Choose "
            "another name, or pass `overwrite=True`."
        ) from error
    return answer == "y"
