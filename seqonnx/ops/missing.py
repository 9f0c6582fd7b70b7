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
        "elastic_transform": "draws numbers; use the layer `RandomElasticTransform`",
        "scale_and_translate": "needs weights of scales that are tensors, which are not "
        "written; use `image.resize` or `image.affine_transform`",
        "vectorize": "returns a function of its own; use `vectorized_map`, or broadcast",
        "ctc_decode": "keeps a list of sentences of many lengths; decode the scores with NumPy",
        "custom_gradient": "an ONNX graph has no place for a gradient of the user's; register a "
        "rule for a function of a domain of your own with `seqonnx.autodiff.gradient`",
        "eig": _SINGULAR,
        "eigh": _SINGULAR,
        "jvp": "needs the derivative of a function of arrays; `seqonnx.autodiff.jvp` makes the "
        "model of that of another model",
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
