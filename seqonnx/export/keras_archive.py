"""Keras's `.keras` files, written: a zip of metadata.json, config.json and model.weights.h5."""

from __future__ import annotations

import datetime
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from seqonnx.graph.writing import replacing, target_of
from seqonnx.importers.keras.archive import CONFIG, WEIGHTS

METADATA: Final = "metadata.json"
KERAS_VERSION: Final = "3.15.1"
"""The version of Keras whose format is written."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, config: Mapping[str, Any], weights: bytes) -> None:
    """Write a `.keras` file.

    It says when it was written, as Keras's do; `SOURCE_DATE_EPOCH` in the environment sets that
    date, so that the same model gives the same bytes.

    Args:
        path: where to write; an earlier file is replaced only when the new one is whole.
        config: the model, as JSON holds it.
        weights: content of its `.weights.h5` file.

    Raises:
        OSError: if the file cannot be written.
    """
    target_of(path)
    metadata = {"keras_version": KERAS_VERSION, "date_saved": _date()}
    members = {
        METADATA: json.dumps(metadata).encode(),
        CONFIG: json.dumps(config).encode(),
        WEIGHTS: weights,
    }
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), content)


def _date() -> str:
    """The date of the file, as Keras writes it."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    utc = datetime.UTC
    date = datetime.datetime.fromtimestamp(int(fixed), utc) if fixed else datetime.datetime.now()
    return date.strftime("%Y-%m-%d@%H:%M:%S")
