"""Cases: resizing and sampling."""

from __future__ import annotations

import numpy as np
from gradient_check import Case
from gradient_inputs import ints, normal

EMPTY = np.zeros(0, np.float32)
MODES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]


def resize(
    label, *, scales=None, sizes=None, roi=None, shape=(2, 2, 5, 4), tolerance=1e-6, **attributes
):
    wanted = None if scales is None else np.array(scales, np.float32)
    region = EMPTY if roi is None else np.array(roi, np.float32)
    inputs = (normal(*shape), region, wanted, None if sizes is None else ints(*sizes))
    return Case(
        "Resize",
        inputs[: 3 if sizes is None else 4],
        attributes,
        label=label,
        constants=(1, 2, 3),
        batch=() if sizes is not None else (0,),
        tolerance=tolerance,
        why="the evaluator's cubic coefficients are float32",
    )


CASES = [
    resize("nearest-up", scales=[1, 1, 2, 3]),
    resize("nearest-down", scales=[1, 1, 0.6, 0.5]),
    *(
        resize(f"nearest-{how}", scales=[1, 1, 1.6, 0.7], nearest_mode=how)
        for how in ["round_prefer_ceil", "floor", "ceil"]
    ),
    *(
        resize(
            f"{mode}-{where}",
            scales=[1, 1, *scales],
            mode=mode,
            coordinate_transformation_mode=where,
        )
        for mode in ["linear", "cubic"]
        for where, scales in zip(
            MODES, [(2, 1.5), (0.6, 2.3), (0.2, 2), (1.7, 0.5), (2, 0.8)], strict=True
        )
    ),
    resize("linear-sizes", sizes=[2, 2, 8, 3], mode="linear"),
    resize(
        "cubic-outside", sizes=[2, 2, 8, 3], mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5
    ),
    resize("antialias-linear", scales=[1, 1, 0.6, 0.5], mode="linear", antialias=1),
    resize("antialias-cubic", scales=[1, 1, 0.6, 0.5], mode="cubic", antialias=1, tolerance=1e-5),
    resize("axes", scales=[0.6, 2], axes=[3, 2], mode="linear"),
    resize(
        "larger", sizes=[7, 7], axes=[2, 3], mode="linear", keep_aspect_ratio_policy="not_larger"
    ),
    resize(
        "smaller", sizes=[7, 7], axes=[2, 3], mode="linear", keep_aspect_ratio_policy="not_smaller"
    ),
    resize(
        "crop",
        sizes=[2, 2, 3, 6],
        roi=[0, 0, 0.4, -0.2, 1, 1, 0.6, 0.9],
        mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=3.0,
    ),
    resize("1d", scales=[1, 1, 2], shape=(2, 3, 4), mode="linear"),
    resize("3d", scales=[1, 1, 2, 1, 0.5], shape=(1, 2, 3, 2, 4), mode="linear"),
]
