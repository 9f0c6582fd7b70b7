"""Keras's `.keras` files: a zip of metadata.json, config.json and model.weights.h5.

The archive is never unpacked to named files, nothing in it is run, and nothing is read that is
far larger than what lies on disk.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, Final

from seqonnx.errors import ModelFileError

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.weights.h5"

_LARGEST_CONFIG = 1 << 26
_SMALL = 1 << 24
_EXPANSION = 100
# `zipfile` raises NotImplementedError for a compression that it does not know: a broken file here.
_BROKEN = (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)


@dataclass(frozen=True)
class KerasArchive:
    """An open `.keras` file.

    Args:
        config: what config.json holds: class and arguments of the model.
        weights: model.weights.h5, to read from.
    """

    config: Mapping[str, Any]
    weights: IO[bytes]


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[KerasArchive]:
    """Open a `.keras` file.

    Args:
        path: the file.

    Yields:
        Its configuration and its weights.

    Raises:
        ModelFileError: if the file is absent, broken or hostile.
    """
    if not path.is_file():
        raise ModelFileError(
            f"File not found: filepath={path}. Please ensure the file is an accessible `.keras` "
            "zip file."
        )
    with tempfile.TemporaryFile() as weights:
        config = _read(path, weights)
        weights.seek(0)
        yield KerasArchive(config, weights)


def _read(path: Path, weights: IO[bytes]) -> Mapping[str, Any]:
    """Copy the weights out of the archive and return the configuration."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            for name in (CONFIG, WEIGHTS):
                if name not in members:
                    raise ModelFileError(
                        f"{path} is not a `.keras` file: it holds no {name}, only "
                        f"{sorted(members)}."
                    )
            if members[CONFIG].file_size > _LARGEST_CONFIG:
                raise ModelFileError(
                    f"{path} is refused: its {CONFIG} claims {members[CONFIG].file_size:,} bytes; "
                    f"the limit is {_LARGEST_CONFIG:,}."
                )
            config = json.loads(archive.read(members[CONFIG]))
            with archive.open(members[WEIGHTS]) as member:
                shutil.copyfileobj(member, weights)
    except _BROKEN as error:
        raise ModelFileError(f"{path} is not a whole `.keras` zip file: {error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its {CONFIG} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelFileError(f"{path} is damaged: its {CONFIG} does not describe a model.")
    return config


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Members by name, after a look at every one of them."""
    size = path.stat().st_size
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename
        if _leaves(name):
            raise ModelFileError(
                f"{path} is refused: its member '{name}' has a path that leads out of the archive."
            )
        if name in members:
            raise ModelFileError(f"{path} is refused: it holds '{name}' twice.")
        if member.flag_bits & 1:
            raise ModelFileError(f"{path} is refused: its member '{name}' is encrypted.")
        stored = min(member.compress_size, size)
        if member.file_size > _SMALL and member.file_size > _EXPANSION * stored:
            raise ModelFileError(
                f"{path} is refused: its member '{name}' claims {member.file_size:,} bytes and "
                f"holds {stored:,}, which is how a decompression bomb looks."
            )
        members[name] = member
    return members


def _leaves(name: str) -> bool:
    """Whether a path is absolute or climbs up, on any system."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return (
        posix.is_absolute()
        or windows.anchor != ""
        or ".." in posix.parts
        or ".." in windows.parts
        or "\0" in name
    )
