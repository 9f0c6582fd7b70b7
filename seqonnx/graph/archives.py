"""Zip archives, read with distrust: members are looked at before any of them is read."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from seqonnx.errors import ModelFileError

_SMALL = 1 << 24
_EXPANSION = 100


def checked_members(
    archive: zipfile.ZipFile, path: Path, *, refuse_bombs: bool = True
) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by name, after a look at every one of them.

    Args:
        archive: the open archive.
        path: its file, for errors.
        refuse_bombs: whether a member that is far larger than what lies on disk is refused, which
            a reader that bounds what it reads by itself has no need of.

    Raises:
        ModelFileError: if a name leads out of the archive or is there twice, or a member is
            encrypted, or expands like a decompression bomb.
    """
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
        if refuse_bombs and member.file_size > _SMALL and member.file_size > _EXPANSION * stored:
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
