"""Gradients of gradients, of operators whose rules emit definitions or bodies."""

from __future__ import annotations

import numpy as np
import pytest
from gradient_cases import CASES
from gradient_check import Case, cotangents_of, emit, run_reference

from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto

NAMES = {
    *("RNN-plain", "GRU-biased", "GRU-reset-after", "LSTM-biased", "LSTM-peepholes"),
    *("Attention-grouped", "Attention-bias", "Resize-antialias-linear", "DFT-real", "STFT"),
    *("GridSample-cubic-zeros-0", "GridSample-linear-border-1", "RoiAlign-half"),
    *("DeformConv-groups", "Det-many", "Einsum-bii->b", "Einsum-iij,jk->ik", "Col2Im-strides"),
    *("CenterCropPad", "AffineGrid-2d-0"),
}
CHOSEN = [case for case in CASES if str(case) in NAMES]


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_second_order_agrees_with_finite_differences(case: Case) -> None:
    """d/dx of <gradient, v> against differences of <gradient, v>."""
    cotangents = cotangents_of(case, np.random.default_rng(2))
    op = Emitter()
    values, outputs = emit(op, case, "float64", symbolic=False)
    names = [op.input(f"dy{i}", "float64", a.shape) for i, a in cotangents.items()]
    targets = [(outputs[i], dy) for i, dy in zip(cotangents, names, strict=True)]
    wanted = [values[i] for i in case.wanted]
    first = backward(op, targets, wanted)
    arrays = [case.inputs[i] for i in case.wanted]
    rng = np.random.default_rng(3)
    probes = [rng.normal(size=a.shape) for a in arrays]
    seeds = [(g, op.constant(v)) for g, v in zip(first, probes, strict=True) if g is not None]
    second = backward(op, seeds, wanted)
    kept = [(i, g) for i, g in enumerate(second) if g is not None]
    outs = [str(op.output(g, f"first{i}").name) for i, g in enumerate(first) if g is not None]
    twice = [str(op.output(g, f"second{i}").name) for i, g in kept]
    model = to_proto(op.graph)
    feeds = {f"x{i}": a for i, a in enumerate(case.inputs) if a is not None}
    feeds = {name: a for name, a in feeds.items() if int(name[1:]) not in case.constants}
    feeds |= {f"dy{i}": a for i, a in cotangents.items()}

    def along(moved: dict[str, np.ndarray]) -> float:
        found = run_reference(model, outs, moved)
        return float(sum((g * v).sum() for g, v in zip(found, probes, strict=True)))

    made = dict(zip([i for i, _ in kept], run_reference(model, twice, feeds), strict=True))
    for place, index in enumerate(case.wanted):
        direction = rng.normal(size=case.inputs[index].shape)
        name = f"x{index}"
        ahead, behind = ({**feeds, name: feeds[name] + s * 1e-5 * direction} for s in (1, -1))
        slope = (along(ahead) - along(behind)) / 2e-5
        analytic = float((made[place] * direction).sum()) if place in made else 0.0
        assert abs(analytic - slope) <= 2e-6 * max(1.0, abs(slope)), (index, analytic, slope)


def test_every_name_is_a_case() -> None:
    assert {str(case) for case in CHOSEN} == NAMES
