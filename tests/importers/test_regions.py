"""Networks with RoiAlign and MaxRoiPool compute, learn and are exported.

The values are those of ONNX Runtime's kernels for the operator set of the file.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from support.importers.networks import noise, plain

REGIONS = np.array([[0.3, 0.4, 5.1, 4.2], [1.2, -0.6, 4.3, 6.6], [4, 1, 9, 3]], np.float32)
PICTURES = np.array([0, 1, 1])


def network(version: int, line: str, regions: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(
        f"""
        <ir_version: 8, opset_import: ["": {version}]>
        net (float[N, 3, 6, 7] x, {regions}) => (float[R, 3, 2, 3] y) {{
            y = {line}
        }}
        """
    )


def align(version: int, more: str = "") -> onnx.ModelProto:
    line = f"RoiAlign<output_height = 2, output_width = 3{more}> (x, regions, pictures)"
    return network(version, line, "float[R, 4] regions, int64[R] pictures")


@pytest.mark.parametrize(
    ("version", "more"),
    [
        (10, ""),
        (10, ", sampling_ratio = 2, spatial_scale = 0.5"),
        (16, ""),
        (16, ", sampling_ratio = 3"),
        (16, ', coordinate_transformation_mode = "output_half_pixel", mode = "max"'),
    ],
)
def test_aligned_regions_are_those_of_the_set_of_the_file(version, more):
    arrays = [noise(2, 3, 6, 7), REGIONS, PICTURES]
    model = align(version, more)
    made = layers.ONNXModel(model)(arrays)
    np.testing.assert_allclose(made, plain(model, *arrays)[0], atol=1e-5)


def test_pooled_regions_are_those_of_the_set_of_the_file():
    arrays = [noise(2, 3, 6, 7), np.concatenate([PICTURES[:, None], REGIONS], 1, dtype=np.float32)]
    model = network(13, "MaxRoiPool<pooled_shape = [2, 3]> (x, regions)", "float[R, 5] regions")
    made = layers.ONNXModel(model)(arrays)
    np.testing.assert_allclose(made, plain(model, *arrays)[0], atol=1e-6)


def test_network_before_the_regions_learns_and_its_export_needs_no_kernel(tmp_path):
    model = align(16)
    del model.graph.input[1:]
    numbers = {
        "regions": REGIONS[:2],
        "pictures": PICTURES[:2],
        "w": np.ones((3, 1, 1), np.float32),
    }
    model.graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for n, a in numbers.items())
    aligned = model.graph.node.pop()
    aligned.input[0] = "scaled"
    model.graph.node.extend([onnx.helper.make_node("Mul", ["x", "w"], ["scaled"]), aligned])
    x = noise(2, 3, 6, 7)
    (before,) = plain(model, x)
    trained = keras.Sequential([layers.ONNXModel(model)])
    trained.compile(keras.optimizers.SGD(0.1), "mse")
    trained.fit(x, before + 1, batch_size=2, verbose=0)
    # y = w * (the regions of x), and the loss is the mean of (y - before - 1)^2.
    derivative = (-2 * before).sum((0, 2, 3)) / before.size
    moved = {v.name: v.numpy() for v in trained.weights}["w"]
    np.testing.assert_allclose(moved[:, 0, 0], 1 - 0.1 * derivative, atol=1e-5)
    trained.export(tmp_path / "m.onnx")
    expected = trained.predict(x, verbose=0)
    np.testing.assert_allclose(plain(str(tmp_path / "m.onnx"), x)[0], expected, atol=1e-5)
