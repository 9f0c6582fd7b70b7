"""Files from the network: fetched once into a cache, with their checksum verified."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqonnx import config
from seqonnx.errors import ModelFileError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_TIMEOUT = 30.0
_CHUNK = 1 << 18
_TRANSIENT = (urllib.error.URLError, http.client.HTTPException, OSError)


@dataclass(frozen=True)
class RemoteFile:
    """A published file.

    Args:
        url: where it lies.
        md5: its published checksum in hexadecimal; None where none is published: then what the
            server says of the transfer is verified.
        sha256: the checksum of this kind, where it is published instead.
        kept_as: file name of the copy; default: that in the URL.
    """

    url: str
    md5: str | None = None
    sha256: str | None = None
    kept_as: str | None = None

    @property
    def name(self) -> str:
        """Its file name."""
        return self.kept_as or self.url.rpartition("/")[2]

    @property
    def checksum(self) -> str | None:
        """The published checksum, of either kind."""
        return self.sha256 or self.md5

    def new_digest(self) -> hashlib._Hash:
        """Return what computes a checksum of the published kind."""
        if self.sha256 is not None:
            return hashlib.sha256()
        return hashlib.md5(usedforsecurity=False)


def fetch(
    file: RemoteFile, *, attempts: int = 3, pause: float = 1.0, console: Console | None = None
) -> Path:
    """Return a local copy of a file; it is downloaded if there is none yet.

    A copy among Keras's downloads (`~/.keras/models`) with the right checksum is taken, too.

    Args:
        file: what to fetch.
        attempts: how often to try.
        pause: seconds to wait after the first failure; doubled after each.
        console: where to show the progress; default: standard error, if it is a terminal.

    Returns:
        Path of the copy in the cache.

    Raises:
        ConnectionError: if it cannot be fetched.
        ModelFileError: if what comes does not have the checksum.
    """
    target = config.cache_folder() / "models" / file.name
    for place in (target, _keras_folder() / file.name):
        trusted = place == target or file.checksum is not None
        if place.is_file() and trusted and is_whole(place, file):
            return place
    return download(file, target, attempts=attempts, pause=pause, console=console)


def download(
    file: RemoteFile,
    target: Path,
    *,
    attempts: int = 3,
    pause: float = 1.0,
    console: Console | None = None,
) -> Path:
    """Download a file to a path, whatever lies there; see `fetch`.

    Returns:
        `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    failure: Exception | None = None
    for attempt in range(attempts):
        if attempt > 0:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _download(file, target, console)
        except urllib.error.HTTPError as error:
            error.close()
            failure = error
            if error.code < 500:
                break
        except (*_TRANSIENT, ModelFileError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise  # the disk's fault, not the network's
            failure = error
        else:
            return target
    if isinstance(failure, ModelFileError):
        raise failure
    raise ConnectionError(
        f"{file.url} could not be downloaded ({failure}). With a network it is fetched once and "
        f"kept. Without, fetch it elsewhere and put it at {target}, or pass the path of a local "
        "file."
    ) from failure


def _download(file: RemoteFile, target: Path, console: Console | None) -> None:
    """Write a file aside, verify it and put it in its place."""
    from seqonnx.graph.writing import replacing  # `import seqonnx.datasets` stays light

    with (
        urllib.request.urlopen(file.url, timeout=_TIMEOUT) as response,
        replacing(target) as out,
        _progress(console) as progress,
    ):
        length = response.headers.get("Content-Length")
        total = int(length) if length is not None and length.isdigit() else None
        task = progress.add_task(file.name, total=total)
        digest = file.new_digest()
        received = 0
        while chunk := response.read(_CHUNK):
            out.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            progress.update(task, completed=received)
        if total is not None and received != total:
            raise http.client.IncompleteRead(b"", total - received)
        expected = file.checksum or _announced(response.headers)
        if expected is not None and digest.hexdigest() != expected:
            raise ModelFileError(
                f"{file.url} came with the checksum {digest.hexdigest()} ({digest.name.upper()}), "
                f"but {expected} is published; nothing was kept."
            )


def _announced(headers: Message | Any) -> str | None:
    """MD5 that the server gives for the file, as Google's storage does."""
    for header in headers.get_all("x-goog-hash") or ():
        for item in str(header).split(","):
            kind, _, value = item.strip().partition("=")
            if kind == "md5":
                return base64.b64decode(value).hex()
    return None


def _progress(console: Console | None) -> Progress:
    """A bar, where someone can see it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    shown = Console(stderr=True) if console is None else console
    if not shown.is_terminal:
        # Older releases of rich end even a bar that is disabled with an empty line.
        shown = Console(file=io.StringIO())
    return Progress(
        *(TextColumn("Downloading {task.description}"), BarColumn()),
        *(DownloadColumn(), TransferSpeedColumn()),
        console=shown,
        disable=not shown.is_terminal,
    )


def is_whole(path: Path, file: RemoteFile) -> bool:
    """Whether a local file has the published checksum; without one it was verified on arrival."""
    if file.checksum is None:
        return True
    digest = file.new_digest()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == file.checksum


def _keras_folder() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
