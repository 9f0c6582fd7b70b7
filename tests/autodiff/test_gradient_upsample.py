"""Upsample left the standard in operator set 10: a file with it is read as Resize."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest

from seqonnx.autodiff import gradients
from seqonnx.graph.serde import to_proto
from seqonnx.importers.onnx.importing import import_graph
from support.autodiff.gradient_check import run_onnxruntime

OLD = {
    7: "g (float[2,1,2,3] x) => (float[2,1,4,9] y) "
    '{ y = Upsample<mode = "MODE", scales = [1.0, 1.0, 2.0, 3.0]>(x) }',
    9: "g (float[2,1,2,3] x) => (float[2,1,4,9] y) <float[4] s = {1.0, 1.0, 2.0, 3.0}> "
    '{ y = Upsample<mode = "MODE">(x, s) }',
}


def upsampled(version, mode):
    text = f'<ir_version: 7, opset_import: ["" : {version}]> ' + OLD[version].replace("MODE", mode)
    return onnx.parser.parse_model(text)


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample_of_an_old_file_has_a_gradient(version, mode):
    """Upsampling is linear: <dy, y(v)> = <dx, v>, with y from the file itself."""
    model = upsampled(version, mode)
    assert "Resize" in {node.op_type for node in import_graph(model)}
    (dx,) = run_onnxruntime(
        gradients(model, "y", ["x"]), ["grad/x"], {"x": np.zeros((2, 1, 2, 3), np.float32)}
    )
    rng = np.random.default_rng(version)
    for _ in range(3):
        v = rng.normal(size=(2, 1, 2, 3)).astype(np.float32)
        (y,) = run_onnxruntime(model, ["y"], {"x": v})
        assert float(y.sum()) == pytest.approx(float((dx * v).sum()), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample_of_an_old_file_computes_what_it_did(version, mode):
    model = upsampled(version, mode)
    x = np.random.default_rng(0).normal(size=(2, 1, 2, 3)).astype(np.float32)
    (before,) = run_onnxruntime(model, ["y"], {"x": x})
    (after,) = run_onnxruntime(to_proto(import_graph(model)), ["y"], {"x": x})
    np.testing.assert_allclose(after, before, rtol=1e-6)
