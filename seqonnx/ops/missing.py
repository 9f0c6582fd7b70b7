"""Functions of Keras that are not here, and why."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

_SINGULAR = (
    "needs eigenvalues or singular values, for which ONNX has no operator; compute it with NumPy"
)
_COMPLEX = "works on complex numbers, which ONNX's operators do not take; use pairs of real tensors"

MISSING: Final = MappingProxyType(
    {
        "affine_transform": "is not written yet",
        "crop_images": "is not written yet",
        "elastic_transform": "is not written yet",
        "extract_patches": "is not written yet",
        "extract_patches_3d": "is not written yet",
        "gaussian_blur": "is not written yet",
        "hsv_to_rgb": "is not written yet",
        "map_coordinates": "is not written yet",
        "pad_images": "is not written yet",
        "perspective_transform": "is not written yet",
        "resize": "is not written yet",
        "rgb_to_grayscale": "is not written yet",
        "rgb_to_hsv": "is not written yet",
        "scale_and_translate": "is not written yet",
        "sobel_edges": "is not written yet",
        "ssim": "is not written yet",
        "vectorize": "is not written yet",
        "ctc_decode": "keeps a list of sentences of many lengths; decode the scores with NumPy",
        "ctc_loss": "sums over all alignments of a text; no loop for it is written yet",
        "custom_gradient": "an ONNX graph has no place for a gradient of the user's; register a "
        "rule for a function of a domain of your own with `seqonnx.autodiff.gradient`",
        "eig": _SINGULAR,
        "eigh": _SINGULAR,
        "jvp": "forward derivatives are not written; gradients are `seqonnx.autodiff.gradients`",
        "lstsq": _SINGULAR,
        "lu_factor": "returns what only LAPACK's other functions read; use `solve` or `inv`",
        "matrix_rank": _SINGULAR,
        "nextafter": "counts in the bits of a number, which ONNX of this operator set cannot read",
        "pinv": _SINGULAR,
        "polar": _COMPLEX,
        "qr": "needs a loop of reflections, which is not written; compute it with NumPy",
        "svd": _SINGULAR,
        "view": "reads bits as another dtype, which ONNX of this operator set cannot",
        "view_as_complex": _COMPLEX,
        "view_as_real": _COMPLEX,
    }
)
