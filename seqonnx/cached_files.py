"""Files from the network in Keras's cache: fetched once, verified, unpacked."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from seqonnx import config
from seqonnx.downloads import RemoteFile, download, is_whole

_ALGORITHMS = ("auto", "md5", "sha256")
_FORMATS = ("tar", "zip")


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Return the path of a local copy of a file; it is downloaded if there is none yet.

    A download is tried three times, shows a bar on a terminal, and is put in its place when it is
    whole. Copies lie where Keras has its own: what either has fetched, both find.

    Args:
        fname: name of the copy, no path; default: that at the end of `origin`.
        origin: URL of the file.
        untar: whether to unpack a tar archive; `extract` does so for each format.
        md5_hash: checksum in hexadecimal; `file_hash` takes each kind.
        file_hash: checksum in hexadecimal, SHA-256 or MD5. A copy that does not have it is
            downloaded anew.
        cache_subdir: folder below `cache_dir`.
        hash_algorithm: `"md5"`, `"sha256"`, or `"auto"`, which tells them by their length.
        extract: whether to unpack an archive; then the path is that of the folder.
        archive_format: `"tar"` (also compressed), `"zip"`, a list of them, or `"auto"` for both.
        cache_dir: folder of the cache. Default: the environment variable `SEQONNX_CACHE`, else
            `KERAS_HOME`, else `~/.keras`; where that cannot be written, `config.cache_folder()`.
        force_download: whether to download a file that is there.

    Returns:
        Path of the copy, or of the folder with what was in it.

    Raises:
        ConnectionError: if the file cannot be downloaded; says where to put it by hand.
        ModelFileError: if what comes does not have the checksum.
        ValueError: for arguments that are not legal, what is no archive, or an archive with a
            member that would be written outside of its folder.

    Example:
        >>> get_file(origin="https://example.org/data.csv")  # doctest: +SKIP
        '/home/me/.keras/datasets/data.csv'
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if hash_algorithm not in _ALGORITHMS:
        raise ValueError(
            f"`hash_algorithm` must be one of {', '.join(_ALGORITHMS)}. Received: "
            f"hash_algorithm={hash_algorithm!r}"
        )
    formats = _formats("tar" if untar else archive_format)
    name = _name(fname, origin)
    if file_hash is None and md5_hash is not None:
        file_hash, hash_algorithm = md5_hash, "md5"
    unpack = extract or untar
    folder = _cache(cache_dir) / cache_subdir
    target, unpacked = _places(folder, name, fname is not None) if unpack else (folder / name, None)
    file = _remote(origin, file_hash, hash_algorithm, target.name)
    _obtain(file, target, force_download)
    if unpacked is None:
        return str(target)
    if not unpacked.is_dir() or unpacked.stat().st_mtime < target.stat().st_mtime:
        _extract(target, unpacked, formats)
    return str(unpacked)


def _obtain(file: RemoteFile, target: Path, force: bool) -> None:
    """Download a file unless there is a copy with the right checksum."""
    there = target.is_file()
    if there and not force and is_whole(target, file):
        return
    try:
        download(file, target)
    except ConnectionError as error:
        if not there or force:
            raise
        raise ConnectionError(
            f"{error} The file that is there does not have the checksum {file.checksum}."
        ) from error


def _remote(origin: str, file_hash: str | None, algorithm: str, name: str) -> RemoteFile:
    if file_hash is None:
        return RemoteFile(origin, kept_as=name)
    value = str(file_hash).lower()
    if algorithm == "sha256" or (algorithm == "auto" and len(value) == 64):
        return RemoteFile(origin, sha256=value, kept_as=name)
    return RemoteFile(origin, md5=value, kept_as=name)


def _name(fname: str | os.PathLike[str] | None, origin: str) -> str:
    """The file name of the copy."""
    name = Path(urlsplit(origin).path).name if fname is None else os.fspath(fname)
    if name == "":
        raise ValueError(
            f"The URL does not end in a file name: pass `fname`. Received: origin={origin!r}"
        )
    if Path(name).name != name or name == "..":
        raise ValueError(
            "`fname` must be a file name without a path; `cache_dir` and `cache_subdir` say where "
            f"it lies. Received: fname={name!r}"
        )
    return name


def _places(folder: Path, name: str, named: bool) -> tuple[Path, Path]:
    """Where Keras puts an archive, and what is in it."""
    if named and "." in name:
        return folder / name, folder / f"{name[: name.index('.')]}_extracted"
    return folder / f"{name}_archive", folder / name


def _cache(cache_dir: str | os.PathLike[str] | None) -> Path:
    """The folder of the cache."""
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    chosen = os.environ.get("SEQONNX_CACHE") or os.environ.get("KERAS_HOME")
    folder = Path(chosen) if chosen else Path.home() / ".keras"
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return folder if os.access(existing, os.W_OK) else config.cache_folder()


def _formats(archive_format: str | Sequence[str] | None) -> tuple[str, ...]:
    if archive_format == "auto":
        return _FORMATS
    named = (archive_format,) if isinstance(archive_format, str) else tuple(archive_format or ())
    if not all(name in _FORMATS for name in named):
        raise ValueError(
            f"`archive_format` must be 'auto', or one of {', '.join(_FORMATS)}. Received: "
            f"archive_format={archive_format!r}"
        )
    return named


def _extract(archive: Path, folder: Path, formats: Sequence[str]) -> None:
    """Unpack an archive aside, and put what was in it in its place."""
    kind = next((f for f in formats if _is_archive(archive, f)), None)
    if kind is None:
        raise ValueError(
            f"'{archive}' is not an archive of the format {' or '.join(formats) or 'None'}, so it "
            "cannot be unpacked."
        )
    with tempfile.TemporaryDirectory(dir=archive.parent) as aside:
        contents = Path(aside) / "contents"
        contents.mkdir()
        if kind == "tar":
            _untar(archive, contents)
        else:
            _unzip(archive, contents)
        if folder.exists():
            shutil.rmtree(folder)
        contents.replace(folder)


def _is_archive(path: Path, kind: str) -> bool:
    return tarfile.is_tarfile(path) if kind == "tar" else zipfile.is_zipfile(path)


def _untar(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as opened:
            # Refuses paths and links that lead out of the folder, and devices.
            opened.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise ValueError(
            f"'{archive}' has a member that may not be unpacked: {error}. Nothing was kept."
        ) from error


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        root = folder.resolve()
        for name in opened.namelist():
            if not (root / name).resolve().is_relative_to(root):
                raise ValueError(
                    f"'{archive}' has a member that would be written outside of its folder: "
                    f"{name!r}. Nothing was kept."
                )
        opened.extractall(folder)
