"""Rebuild `seqonnx/datasets/digits.npz` from the copy of the data that scikit-learn ships.

    python tools/refresh/make_digits.py

Run it from anywhere. The same zlib gives the same bytes: the order of the arrays, the timestamps
and the compression level are fixed.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).resolve().parents[2] / "seqonnx" / "datasets" / "digits.npz"

ATTRIBUTION = (
    "Title: Optical Recognition of Handwritten Digits",
    "Creators: Ethem Alpaydin and Cenk Kaynak",
    "Source: UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49",
    "License: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
    "Changes: the test part only (1,797 images), stored as 8-bit integers in a NumPy .npz file",
)

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold


def build() -> bytes:
    """Return the bytes of `digits.npz`."""
    pixels, labels = load_digits(return_X_y=True)
    arrays = {
        "x": pixels.astype(np.uint8).reshape(-1, 8, 8),
        "y": labels.astype(np.uint8),
        "attribution": np.array(ATTRIBUTION),
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            entry.create_system = 3  # Unix, wherever this runs
            file.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return archive.getvalue()


if __name__ == "__main__":
    TARGET.write_bytes(build())
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
