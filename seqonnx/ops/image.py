"""Functions of images. Keras's names."""

from typing import Any, Final

from seqonnx.ops.face import function
from seqonnx.ops.missing import MISSING

_KERAS: Final = """
    affine_transform crop_images elastic_transform extract_patches extract_patches_3d
    gaussian_blur hsv_to_rgb map_coordinates pad_images perspective_transform resize
    rgb_to_grayscale rgb_to_hsv scale_and_translate sobel_edges ssim
"""

__all__ = [name for name in _KERAS.split() if name not in MISSING]


def __getattr__(name: str) -> Any:
    return function(name, __name__)


def __dir__() -> list[str]:
    return __all__
