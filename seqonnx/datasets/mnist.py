"""MNIST handwritten digits, 28 x 28.

Data: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.cached_files import get_file
from seqonnx.datasets.published import FOLDER

__all__ = ["load_data"]

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint8]

_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_KEYS = ("x_train", "y_train", "x_test", "y_test")
_LAYOUT = (
    "images `x_train`, `x_test` as uint8 of shape (n, 28, 28) and labels `y_train`, `y_test` as "
    "integers 0 to 9 of shape (n,)"
)


def load_data(
    path: str | os.PathLike[str] = "mnist.npz",
) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Load MNIST, or a part of it, from an `.npz` file in the layout that Keras uses.

    A relative `path` that does not exist is also looked for where Keras keeps its downloads
    (`~/.keras/datasets`, or `datasets` below `KERAS_HOME`); a name that is not there either is
    downloaded, see `utils.get_file`.

    Args:
        path: an `.npz` file with the arrays `x_train`, `y_train`, `x_test`, `y_test`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. Images are `uint8` of shape `(n, 28, 28)` with
        values 0 (paper) to 255 (ink); labels are `uint8` of shape `(n,)` with values 0 to 9. The
        whole data set has 60,000 training and 10,000 test images.

    Raises:
        FileNotFoundError: if there is no such file, and it cannot be downloaded.
        ValueError: if the file is not an `.npz` file, or does not hold these four arrays.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data("mnist.npz")  # doctest: +SKIP
    """
    file = _find(Path(path))
    arrays = _read(file)
    for images, labels in (("x_train", "y_train"), ("x_test", "y_test")):
        _check(file, images, arrays[images], labels, arrays[labels])
    x_train, y_train, x_test, y_test = (arrays[key].astype(np.uint8, copy=False) for key in _KEYS)
    return (x_train, y_train), (x_test, y_test)


def _find(path: Path) -> Path:
    """The file itself, or the one of that name among Keras's downloads."""
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    candidates = (path, keras_home / "datasets" / path)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    failure: ConnectionError | None = None
    if path.name == str(path):
        try:
            return Path(get_file(path.name, origin=FOLDER + "mnist.npz", file_hash=_SHA256))
        except ConnectionError as error:
            failure = error
    places = " or ".join(repr(str(place)) for place in dict.fromkeys(candidates))
    raise FileNotFoundError(
        f"No MNIST file at {places}. Expected an .npz file with {_LAYOUT}. It is the "
        "`mnist.npz` that Keras distributes and caches: copy it here, or pass its `path`. "
        "`seqonnx.datasets.load_digits()` needs no file."
    ) from failure


def _read(file: Path) -> dict[str, npt.NDArray[Any]]:
    """The four arrays of `file`, not yet checked."""
    if not zipfile.is_zipfile(file):
        raise ValueError(
            f"'{file}' is not an .npz file, or it is truncated. Expected an .npz file with "
            f"{_LAYOUT}."
        )
    with np.load(file, allow_pickle=False) as data:
        missing = [key for key in _KEYS if key not in data.files]
        if len(missing) > 0:
            raise ValueError(
                f"'{file}' lacks {', '.join(missing)}. It holds: "
                f"{', '.join(data.files) or 'nothing'}. Expected {_LAYOUT}."
            )
        return {key: _read_array(file, data, key) for key in _KEYS}


def _read_array(file: Path, data: Any, key: str) -> npt.NDArray[Any]:
    """One array; what NumPy cannot read (objects, damage) becomes an error that names it."""
    try:
        array: npt.NDArray[Any] = data[key]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"'{file}': `{key}` cannot be read ({error}).") from error
    return array


def _check(file: Path, images: str, x: npt.NDArray[Any], labels: str, y: npt.NDArray[Any]) -> None:
    """Raise unless `x` holds images, and `y` one label for each."""
    if x.dtype != np.uint8 or x.ndim != 3 or x.shape[1:] != (28, 28):
        problem = f"`{images}` is {x.dtype} of shape {x.shape}"
    elif y.dtype.kind not in "iu" or y.ndim != 1:
        problem = f"`{labels}` is {y.dtype} of shape {y.shape}"
    elif len(x) != len(y):
        problem = f"`{images}` has {len(x)} images but `{labels}` has {len(y)} labels"
    elif len(y) > 0 and (y.min() < 0 or y.max() > 9):
        problem = f"`{labels}` has values from {y.min()} to {y.max()}"
    else:
        return
    raise ValueError(f"'{file}': {problem}. Expected {_LAYOUT}.")
