"""Keras's `.keras` files: a zip of metadata.json, config.json, model.weights.h5 and vocabularies.

The archive is never unpacked to named files, nothing in it is run, and nothing is read that is
far larger than what lies on disk.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from seqonnx.errors import ModelFileError
from seqonnx.graph.archives import checked_members

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.weights.h5"

_VOCABULARY: Final = re.compile(r"assets/.+/vocabulary\.txt")
_LARGEST_CONFIG = 1 << 26
# `zipfile` raises NotImplementedError for a compression that it does not know: a broken file here.
_BROKEN = (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)


@dataclass(frozen=True)
class KerasArchive:
    """An open `.keras` file.

    Args:
        config: what config.json holds: class and arguments of the model.
        weights: model.weights.h5, to read from.
        held: its bytes.
        vocabularies: the text of each vocabulary, by the path of its layer.
    """

    config: Mapping[str, Any]
    weights: IO[bytes]
    held: int
    vocabularies: Mapping[str, str]


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
        config, vocabularies = _read(path, weights)
        held = weights.tell()
        weights.seek(0)
        yield KerasArchive(config, weights, held, vocabularies)


def _read(path: Path, weights: IO[bytes]) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Copy the weights out of the archive; return the configuration and the vocabularies."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = checked_members(archive, path)
            for name in (CONFIG, WEIGHTS):
                if name not in members:
                    raise ModelFileError(
                        f"{path} is not a `.keras` file: it holds no {name}, only "
                        f"{sorted(members)}."
                    )
            texts = [name for name in members if _VOCABULARY.fullmatch(name)]
            for name in (CONFIG, *texts):
                if members[name].file_size > _LARGEST_CONFIG:
                    raise ModelFileError(
                        f"{path} is refused: its {name} claims {members[name].file_size:,} bytes; "
                        f"the limit is {_LARGEST_CONFIG:,}."
                    )
            config = json.loads(archive.read(members[CONFIG]))
            with archive.open(members[WEIGHTS]) as member:
                shutil.copyfileobj(member, weights)
            vocabularies = {
                name.removeprefix("assets/").rpartition("/")[0]: archive.read(name).decode("utf-8")
                for name in texts
            }
    except _BROKEN as error:
        raise ModelFileError(f"{path} is not a whole `.keras` zip file: {error}") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its {CONFIG} is not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path} is damaged: it holds text that is none: {error}") from error
    if not isinstance(config, dict):
        raise ModelFileError(f"{path} is damaged: its {CONFIG} does not describe a model.")
    return config, vocabularies
