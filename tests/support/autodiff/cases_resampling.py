"""Cases: resizing and sampling."""

from __future__ import annotations

from functools import partial

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import between, ints, normal

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


def grid_sample(label, spatial=(4, 5), out=(3, 2), reach=0.9, **attributes):
    grid = between(-reach, reach, 2, *out, len(spatial), seed=len(label))
    return Case(
        "GridSample",
        (normal(2, 2, *spatial), grid),
        attributes,
        label=label,
        batch=(0, 1),
        unwanted=(1,) if attributes.get("mode") == "nearest" else (),
        onnxruntime=len(spatial) > 1,
        why="ONNX Runtime samples pictures and volumes only",
    )


def roi_align(label, **attributes):
    regions = np.array([[0.33, 0.41, 5.1, 3.7], [1.2, -0.6, 4.3, 6.6], [2.7, 1.1, 3.1, 1.3]])
    sizes = {"output_height": 2, "output_width": 3, "sampling_ratio": 2}
    inputs = (normal(2, 2, 5, 6), regions, ints(0, 1, 1))
    return Case(
        "RoiAlign",
        inputs,
        {**sizes, **attributes},
        label=label,
        onnxruntime=False,
        why="ONNX Runtime has no RoiAlign of this version",
    )


def deform(
    x,
    w,
    offset,
    b=None,
    mask=None,
    *,
    strides=(1, 1),
    pads=(0,) * 4,
    dilations=(1, 1),
    group=1,
    offset_group=1,
):
    """Sum over taps of weight times the picture at the shifted place."""
    (n, c, height, width), (f, inner, kh, kw) = x.shape, w.shape
    oh, ow = offset.shape[2:]
    shift = offset.reshape(n, offset_group, kh, kw, 2, oh, ow)
    share = (
        np.ones((n, offset_group, kh, kw, oh, ow))
        if mask is None
        else mask.reshape(n, offset_group, kh, kw, oh, ow)
    )
    y = np.zeros((n, f, oh, ow)) if b is None else np.tile(b[:, None, None], (n, 1, oh, ow))
    for at in np.ndindex(n, c, kh, kw, oh, ow):
        i, ch, ky, kx, oy, ox = at
        g = ch // (c // offset_group)
        row = oy * strides[0] - pads[0] + ky * dilations[0] + shift[i, g, ky, kx, 0, oy, ox]
        col = ox * strides[1] - pads[1] + kx * dilations[1] + shift[i, g, ky, kx, 1, oy, ox]
        value = 0.0
        for r in (int(np.floor(row)), int(np.floor(row)) + 1):
            for q in (int(np.floor(col)), int(np.floor(col)) + 1):
                if 0 <= r < height and 0 <= q < width:
                    value += x[i, ch, r, q] * (1 - abs(row - r)) * (1 - abs(col - q))
        each = f // group
        first = ch // inner * each
        y[i, first : first + each, oy, ox] += (
            w[first : first + each, ch % inner, ky, kx] * value * share[i, g, ky, kx, oy, ox]
        )
    return y


def deform_case(label, x, w, out, bias=False, masked=False, **attributes):
    taps = attributes.get("offset_group", 1) * w[2] * w[3]
    inputs = [normal(*x), normal(*w), between(-0.8, 0.8, x[0], 2 * taps, *out)]
    inputs += [normal(w[0]) if bias else None]
    inputs += [between(0, 1, x[0], taps, *out)] if masked else []
    while inputs[-1] is None:
        inputs.pop()
    return Case(
        "DeformConv",
        tuple(inputs),
        attributes,
        label=label,
        batch=(0, 2, 4),
        forward=partial(deform, **attributes),
        why="the evaluator rounds coordinates to float32",
    )


SAMPLING = [
    *(
        grid_sample(
            f"{mode}-{outside}-{corners}",
            reach=1.6,
            mode=mode,
            padding_mode=outside,
            align_corners=corners,
        )
        for mode in ["linear", "cubic", "nearest"]
        for outside in ["zeros", "border", "reflection"]
        for corners in (0, 1)
    ),
    grid_sample("volume", (3, 4, 5), (2, 2, 3)),
    grid_sample("line", (6,), (4,)),
    roi_align("half"),
    roi_align("whole", coordinate_transformation_mode="output_half_pixel", spatial_scale=0.7),
    roi_align("max", mode="max"),
    roi_align("adaptive", sampling_ratio=0),
    roi_align("adaptive-max", sampling_ratio=0, mode="max", spatial_scale=1.3),
    roi_align(
        "adaptive-whole", sampling_ratio=0, coordinate_transformation_mode="output_half_pixel"
    ),
    deform_case("plain", (2, 2, 4, 5), (3, 2, 2, 2), (3, 4)),
    deform_case(
        "masked", (1, 2, 5, 5), (2, 2, 3, 2), (3, 3), True, True, strides=[2, 2], pads=[1, 0, 1, 1]
    ),
    deform_case(
        "groups",
        (1, 4, 5, 5),
        (4, 2, 2, 2),
        (3, 3),
        True,
        group=2,
        offset_group=2,
        dilations=[2, 2],
    ),
]

CASES = [
    *SAMPLING,
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
