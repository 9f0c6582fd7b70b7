"""Files written aside, synced and renamed, so that a crash leaves the old file whole.

A temporary file is named after the file whose place it will take, and its writer holds a lock on
it for as long as it lives. So the next writer of the same file can take away what killed ones have
left, and nothing else. Where there are no such locks, Windows refuses to remove a file that is
open, which comes to the same; other systems without them keep what is left.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

try:
    import fcntl as _fcntl
except ImportError:
    _locks: ModuleType | None = None
else:
    _locks = _fcntl

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
"""Errors that come from the disk, not from what feeds the file, such as a network."""

_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.[0-9a-f]{8}\.tmp", re.DOTALL)
_open: set[str] = set()
"""Temporary files that this process writes: locks over a network do not tell its threads apart."""


class Aside:
    """A temporary file that takes the place of another one when it is whole.

    Args:
        file: the open temporary file.
        target: the file whose place it takes.
        removable: whether other writers may take the file away that lies there (a data file).
    """

    def __init__(self, file: IO[bytes], target: Path, *, removable: bool = False) -> None:
        self.file = file
        self.target = target
        self._removable = removable

    @property
    def committed(self) -> bool:
        """Whether the file has taken its place.

        It is asked of the disk, since an interrupt may come right after the rename.
        """
        return not os.path.lexists(self.file.name)

    def is_current(self) -> bool:
        """Whether it is still this file that lies at the place, not that of a later writer."""
        if self.file.closed:
            return self.committed
        return os.path.samestat(os.fstat(self.file.fileno()), os.stat(self.target))

    def commit(self) -> None:
        """Sync the file and put it in its place; the lock stays until the block ends."""
        self.file.flush()
        os.fsync(self.file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(self.file.name, stat.S_IMODE(self.target.stat().st_mode))
        if _locks is None:
            self.file.close()  # Windows renames no open file
        # Who removes the file at the place holds its lock: the new one must not come in between.
        with _lock_of(self.target) if self._removable else contextlib.nullcontext():
            os.replace(self.file.name, self.target)
        _sync_directory(self.target.parent)


def target_of(path: Path) -> Path:
    """Return the file that a write to `path` makes or replaces: links are followed.

    Ask before the work whose result is to be written.

    Raises:
        FileNotFoundError: if there is no such folder.
        OSError: if a link leads to itself, a name is too long, the folder cannot be written to, or
            there is something else than a file.

    Example:
        >>> target_of(Path("weights.npz")).name
        'weights.npz'
    """
    target = Path(os.path.realpath(path))
    looped = next((place for place in (target, *target.parents) if place.is_symlink()), None)
    if looped is not None:
        raise _error(errno.ELOOP, "cannot be written: this link leads back to itself", looped)
    mode = _mode_of(target)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {target.parent}.")
    if mode is not None and stat.S_ISDIR(mode):
        raise _error(errno.EISDIR, "cannot be written: it is a folder; name a file", path)
    if mode is not None and not stat.S_ISREG(mode):
        raise _error(errno.EEXIST, "cannot be written: it is a device, a pipe or a socket", path)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        why = "cannot be written: its folder takes no new files from this user"
        raise _error(errno.EACCES, why, path)
    with naming(path):
        _mode_of(_temporary(target, "0" * 8))  # its path may be too long where that of `path` fits
    return target


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on success it takes the place of `path`.

    Whatever goes wrong before (an exception, a full disk, a crash), the old file stays as it was.

    Raises:
        FileNotFoundError: if there is no such folder.
        OSError: if the file cannot be written; it is named.

    Example:
        >>> with replacing(Path("weights.npz")) as file:  # doctest: +SKIP
        ...     file.write(b"...")
    """
    with aside(path) as temporary:
        yield temporary.file
        temporary.commit()


@contextlib.contextmanager
def aside(path: Path, *, owner: Path | None = None) -> Iterator[Aside]:
    """Open a temporary file beside `path`, locked until the block ends; `commit` keeps it.

    Args:
        path: the file whose place it will take.
        owner: the file whose next writer removes the temporary file of a killed one; default
            `path`.

    Raises:
        FileNotFoundError: if there is no such folder.
        OSError: if the file cannot be written; it is named.
    """
    target = target_of(path)
    owner = target if owner is None else owner
    _remove_abandoned(owner)
    with naming(path), _locked(owner, target) as file:
        temporary = Aside(file, target, removable=owner != target)
        try:
            _open.add(file.name)
            yield temporary
        finally:
            if not temporary.committed:
                with contextlib.suppress(OSError):
                    file.close()
                os.unlink(file.name)
            _open.discard(file.name)


def remove_unlocked(path: Path, only_if: Callable[[], bool] = lambda: True) -> None:
    """Remove a file unless its writer lives, in this process or another.

    Args:
        path: the file.
        only_if: asked once no writer can come in between.
    """
    if _locks is None:
        with contextlib.suppress(OSError):  # Windows: a file that is open stays
            path.unlink()
        return
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            _locks.flock(handle, _locks.LOCK_EX | _locks.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(path)) and only_if():
                path.unlink()
        finally:
            os.close(handle)


def _remove_abandoned(owner: Path) -> None:
    """Remove the temporary files that killed writers of a file have left."""
    ours = re.compile(re.escape(_temporary(owner, "").name[:-4]) + r"[0-9a-f]{8}\.tmp")
    names: list[str] = []
    with contextlib.suppress(PermissionError), os.scandir(owner.parent) as entries:
        names = [entry.name for entry in entries if ours.fullmatch(entry.name)]
    for name in names:
        if os.path.join(owner.parent, name) not in _open:
            remove_unlocked(owner.parent / name)


@contextlib.contextmanager
def _locked(owner: Path, target: Path) -> Iterator[IO[bytes]]:
    """Open a new temporary file and hold its lock."""
    private = _mode_of(target) is not None  # it gets the permissions of the old file at the end
    while True:
        path = _temporary(owner, secrets.token_hex(4), folder=target.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(path, flags, 0o600 if private else 0o666)
        except FileExistsError:
            continue
        with open(path, "wb", opener=lambda *_, handle=handle: handle) as file:
            if _lock(handle) and not path.exists():
                continue  # another writer took it for abandoned before the lock was there
            yield file
            return


@contextlib.contextmanager
def _lock_of(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is there, once its writer is done; else do nothing."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        yield
        return
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Lock a file for this open handle; False where the system has no locks."""
    if _locks is None:
        return False
    try:
        _locks.flock(handle, _locks.LOCK_EX)
    except OSError:
        return False
    return True


def _temporary(owner: Path, number: str, folder: Path | None = None) -> Path:
    """Name of a temporary file: some of the owner's name for people, its digest to be exact."""
    digest = hashlib.sha256(os.fsencode(owner.name)).hexdigest()[:16]
    name = f".{owner.name[:20]}.{digest}.{number}.tmp"
    return (owner.parent if folder is None else folder) / name


def _mode_of(path: Path) -> int | None:
    """Type and permissions of a file; None where there is none.

    Raises:
        OSError: if there can be none: the name is too long, or its folder cannot be entered.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _error(number: int, text: str, path: Path) -> OSError:
    return OSError(number, text, str(path))


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say which file it was where the disk is full, or where an error names the temporary one."""
    try:
        yield
    except OSError as error:
        temporary = _TEMPORARY.fullmatch(os.path.basename(str(error.filename)))
        if temporary is not None or (error.filename is None and error.errno in _DISK):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _sync_directory(directory: Path) -> None:
    """Make a rename last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
