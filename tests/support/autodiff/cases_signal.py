"""Cases: Fourier transforms, pictures, determinants."""

from __future__ import annotations

from functools import partial

import numpy as np

from support.autodiff.gradient_check import Case
from support.autodiff.gradient_inputs import ints, normal


def dft(label, shape, length=None, axis=None, **attributes):
    inputs = [normal(*shape), None if length is None else np.array(length)]
    inputs.append(None if axis is None else np.array(axis))
    while inputs[-1] is None:
        inputs.pop()
    return Case("DFT", tuple(inputs), attributes, label=label, constants=(1, 2))


FOURIER = [
    dft("real", (2, 6, 1)),
    dft("complex", (2, 5, 2)),
    dft("axis", (2, 5, 4, 2), axis=1),
    dft("inverse", (2, 6, 2), inverse=1),
    dft("longer", (2, 5, 1), length=8),
    dft("shorter", (2, 7, 2), length=4),
    dft("onesided", (2, 6, 1), onesided=1),
    dft("onesided-odd-longer", (2, 3, 5, 1), length=7, axis=2, onesided=1),
    dft("onesided-shorter", (2, 6, 1), length=4, onesided=1),
    Case("STFT", (normal(2, 12, 1), np.array(3), normal(5)), constants=(1,)),
    Case(
        "STFT",
        (normal(2, 12, 1), np.array(2), None, np.array(4)),
        {"onesided": 0},
        constants=(1, 3),
        label="frames",
    ),
    Case(
        "STFT",
        (normal(2, 12, 2), np.array(4), normal(6), np.array(6)),
        {"onesided": 0},
        constants=(1, 3),
        label="complex",
    ),
]


def col2im(label, shape, image, block, **attributes):
    inputs = (normal(*shape), ints(*image), ints(*block))
    return Case("Col2Im", inputs, attributes, label=label, constants=(1, 2))


def affine_grid(theta, size, corners):
    """Each point of the grid, turned and moved."""
    grid = np.zeros((len(theta), *size[2:], len(size) - 2))
    for place in np.ndindex(*size[2:]):
        ends = [n - 1 if corners else n for n in size[2:]]
        point = [
            (2 * i + (0 if corners else 1)) / end - 1 for i, end in zip(place, ends, strict=True)
        ]
        grid[(slice(None), *place)] = theta @ np.array([*point[::-1], 1.0])
    return grid


PICTURES = [
    col2im("plain", (2, 12, 8), (5, 4), (2, 3)),
    col2im("strides", (2, 8, 6), (6, 5), (2, 2), strides=[2, 2]),
    col2im("pads", (2, 6, 12), (4, 4), (2, 3), pads=[0, 1, 1, 0]),
    col2im("dilations", (1, 4, 12), (5, 6), (2, 2), dilations=[2, 2]),
    Case("CenterCropPad", (normal(5, 6, 4), ints(8, 3, 4)), constants=(1,), batch=()),
    Case(
        "CenterCropPad",
        (normal(2, 5, 6), ints(3, 9)),
        {"axes": [-1, 1]},
        constants=(1,),
        label="axes",
    ),
    *(
        Case(
            "AffineGrid",
            (normal(2, rank, rank + 1), ints(2, 3, *(4, 3, 5)[:rank])),
            {"align_corners": corners},
            label=f"{rank}d-{corners}",
            constants=(1,),
            batch=(),
            forward=partial(affine_grid, corners=corners),
            why="the evaluator computes the grid in float32",
        )
        for rank in (2, 3)
        for corners in (0, 1)
    ),
    Case("Det", (normal(3, 3),), batch=()),
    Case("Det", (normal(2, 4, 4),), label="many"),
    Case("Det", (normal(2, 3, 1, 1),), label="one"),
    Case("Det", (normal(2, 2, 2),), label="two"),
    Case("Det", (np.outer(normal(3), normal(3, seed=1)),), label="singular", batch=()),
]

EINSUM = [
    Case(
        "Einsum",
        tuple(normal(*shape, seed=i) for i, shape in enumerate(shapes)),
        {"equation": equation},
        label=f"{equation}",
        batch=batch,
    )
    for equation, shapes, batch in [
        ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 2)], (0, 1)),
        ("...ij,jk->...ik", [(2, 5, 3, 4), (4, 2)], (0,)),
        ("i...,i...", [(3, 1, 4), (3, 2, 1)], ()),
        ("...a->...", [(2, 3, 4)], (0,)),
        ("b...,...->b...", [(2, 3, 4), (3, 4)], (0,)),
        ("ii->i", [(3, 3)], ()),
        ("ii", [(3, 3)], ()),
        ("bii->b", [(2, 4, 4)], (0,)),
        ("iij,jk->ik", [(3, 3, 2), (2, 4)], ()),
        ("...ii->...i", [(2, 3, 3)], (0,)),
        ("iii,i->i", [(3, 3, 3), (3,)], ()),
        ("ii,jj->", [(3, 3), (2, 2)], ()),
    ]
]

CASES = [*FOURIER, *PICTURES, *EINSUM]
