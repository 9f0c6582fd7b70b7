"""A batch that PyTorch's exporters took for fixed becomes free.

The patterns are those of `torch.onnx.export` without dynamic shapes, read from files of PyTorch
2.13 with onnxscript 0.7.2: `dynamo` for the exporter of today, `script` for the older one
(`dynamo=False`). B stands for the batch of the example, nB for n times as much.
"""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers

BATCHES = (1, 2, 5)
RNG = np.random.default_rng(0)


def weight(*shape: int) -> np.ndarray:
    return (0.5 * RNG.normal(size=shape)).astype(np.float32)


def states(count: int, units: int):
    """Zeros to start from, one row for each example."""
    return lambda batch: np.zeros((count, batch, units), np.float32)


def rows_of(array: np.ndarray):
    """A row that stands there once for each example, as a folded `expand` gives it."""
    return lambda batch: np.repeat(array, batch, axis=0)


LSTM = {"w": weight(1, 16, 3), "r": weight(1, 16, 4), "b": weight(1, 32), "h": states(1, 4)}
GRU = {"w": weight(2, 12, 3), "r": weight(2, 12, 4), "b": weight(2, 24), "h": states(2, 4)}
ATTENTION = """
    t = Transpose<perm = [1, 0, 2]>(x)
    a = MatMul(t, qw)
    q0 = Reshape<allowzero = 1>(a, {5, 2B, 4})
    q = Transpose<perm = [1, 0, 2]>(q0)
    k = Transpose<perm = [1, 2, 0]>(q0)
    s0 = MatMul(q, k)
    MASKED
    p = Softmax<axis = -1>(s)
    o0 = MatMul(p, q)
    o1 = Transpose<perm = [1, 0, 2]>(o0)
    o2 = Reshape<allowzero = 1>(o1, {5B, 8})
    o3 = Gemm<transB = 1>(o2, ow)
    o4 = Reshape<allowzero = 1>(o3, {5, B, 8})
    y = Transpose<perm = [1, 0, 2]>(o4)
"""
PLAIN = ATTENTION.replace("MASKED", "s = Identity(s0)")
MASKED = ATTENTION.replace("MASKED", "s = Add(s0, mask)")

CASES: dict[str, tuple[str, tuple[int, ...], dict]] = {
    "dynamo flatten": (
        "f = Reshape<allowzero = 1>(x, {B, 12})  y = Gemm<transB = 1>(f, w)",
        (3, 2, 2),
        {"w": weight(4, 12)},
    ),
    "dynamo view(-1, n)": (
        "f = Reshape<allowzero = 1>(x, {-1, 12})  y = Gemm<transB = 1>(f, w)",
        (3, 2, 2),
        {"w": weight(4, 12)},
    ),
    "dynamo LSTM": (
        """
        t = Transpose<perm = [1, 0, 2]>(x)
        l = LSTM<hidden_size = 4>(t, w, r, b, , h, h)
        u = Transpose<perm = [0, 2, 1, 3]>(l)
        v = Reshape<allowzero = 0>(u, {5, B, 4})
        g = Transpose<perm = [1, 0, 2]>(v)
        y = Gather<axis = 1>(g, last)
        """,
        (5, 3),
        dict(**LSTM, last=np.array(-1)),
    ),
    "dynamo bidirectional GRU": (
        """
        t = Transpose<perm = [1, 0, 2]>(x)
        l = GRU<hidden_size = 4, direction = "bidirectional", linear_before_reset = 1>
            (t, w, r, b, , h)
        u = Transpose<perm = [0, 2, 1, 3]>(l)
        v = Reshape<allowzero = 0>(u, {5, B, 8})
        y = Transpose<perm = [1, 0, 2]>(v)
        """,
        (5, 3),
        GRU,
    ),
    "script GRU whose zeros are expanded": (
        """
        t = Transpose<perm = [1, 0, 2]>(x)
        s = Shape(t)
        n = Gather<axis = 0>(s, one)
        n1 = Unsqueeze(n, zero)
        e = Concat<axis = 0>(two, n1, four)
        h1 = Expand(h, e)
        l = GRU<hidden_size = 4, direction = "bidirectional", linear_before_reset = 1>
            (t, w, r, b, , h1)
        u = Transpose<perm = [0, 2, 1, 3]>(l)
        v = Reshape(u, m)
        y = Transpose<perm = [1, 0, 2]>(v)
        """,
        (5, 3),
        dict(**GRU, one=np.array(1), zero=np.array([0]), two=np.array([2]), four=np.array([4]),
             m=np.array([0, 0, -1])),
    ),
    "dynamo class token": (
        """
        f = Reshape<allowzero = 1>(x, {B, 8, 4})
        t = Transpose<perm = [0, 2, 1]>(f)
        c = Concat<axis = 1>(token, t)
        y = Add(c, positions)
        """,
        (8, 2, 2),
        {"token": rows_of(weight(1, 1, 8)), "positions": weight(1, 5, 8)},
    ),
    "script class token": (
        """
        f = Reshape(x, {B, 8, 4})
        t = Transpose<perm = [0, 2, 1]>(f)
        ones = ConstantOfShape<value = int64[1] {1}>(three)
        minus = Mul(ones, m)
        same = Equal({B, -1, -1}, minus)
        s = Where(same, ones, {B, -1, -1})
        e = Expand(token, s)
        y = Concat<axis = 1>(e, t)
        """,
        (8, 2, 2),
        {"token": weight(1, 1, 8), "three": np.array([3]), "m": np.array(-1)},
    ),
    "dynamo positions looked up": (
        "p = Gather(table, ids)  s = Add(x, p)  y = ReduceMean<keepdims = 0>(s, axis)",
        (6, 4),
        {
            "table": weight(6, 4),
            "ids": lambda b: np.tile(np.arange(6), (b, 1)),
            "axis": np.array([1]),
        },
    ),
    "dynamo attention": (PLAIN, (5, 8), {"qw": weight(8, 8), "ow": weight(8, 8)}),
    "attention with a mask for each head": (
        MASKED,
        (5, 8),
        {"qw": weight(8, 8), "ow": weight(8, 8), "mask": lambda b: np.tile(MASK, (b, 1, 1))},
    ),
    "dynamo time and batch merged": (
        """
        f = Reshape<allowzero = 1>(x, {5B, 6})
        m = MatMul(f, w)
        y = Reshape<allowzero = 1>(m, {B, 5, 4})
        """,
        (5, 2, 3),
        {"w": weight(6, 4)},
    ),
    "ones beside the data": (
        "y = Concat<axis = 1>(x, ones)",
        (4,),
        {"ones": lambda b: np.ones((b, 1), np.float32)},
    ),
    "dynamo interpolation to a size": (
        'y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric",'
        ' nearest_mode = "floor">(x, , , {B, 2, 6, 6})',
        (2, 3, 3),
        {},
    ),
    "dynamo expansion of data": (
        """
        m = ReduceMean<keepdims = 1>(x, axes)
        e = Expand(m, {B, 2, 3, 3})
        y = Mul(x, e)
        """,
        (2, 3, 3),
        {"axes": np.array([2, 3])},
    ),
    "a product with an expanded weight": (
        "e = Expand(w, {B, 4, 4})  y = MatMul(x, e)",
        (3, 4),
        {"w": weight(1, 4, 4)},
    ),
    "rows taken up to the last": (
        "s = Slice(x, zero, {B}, zero)  y = Relu(s)",
        (4,),
        {"zero": np.array([0])},
    ),
}  # fmt: skip
MASK = np.stack([np.triu(np.full((5, 5), -9.0), 1), np.zeros((5, 5))]).astype(np.float32)


def traced(body: str, shape: tuple[int, ...], values: dict, batch: int) -> onnx.ModelProto:
    """The file that an exporter writes for a batch."""
    constants: dict[str, np.ndarray] = {}

    def target(match: re.Match) -> str:
        name = f"c{len(constants)}"
        sizes = [re.sub(r"(\d*)B", lambda m: str(int(m[1] or 1) * batch), part)
                 for part in match[1].split(",")]  # fmt: skip
        constants[name] = np.array([int(size) for size in sizes])
        return name

    text = re.sub(r"(?<!\] )\{([^}]*)\}", target, body)
    sizes = ", ".join(map(str, (batch, *shape)))
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["": 20]> net (float[{sizes}] x) => (float y) {{ {text} }}'
    )
    given = {key: value(batch) if callable(value) else value for key, value in values.items()}
    for name, array in (constants | given).items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    model.graph.output[0].CopyFrom(onnx.ValueInfoProto(name="y"))
    return onnx.shape_inference.infer_shapes(model)


def by_the_file(model: onnx.ModelProto, x: np.ndarray, batch: int) -> np.ndarray:
    """Plain ONNX Runtime's results, a batch of the file at a time."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.concatenate(
        [session.run(["y"], {"x": x[i : i + batch]})[0] for i in range(0, len(x), batch)]
    )


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CASES)
def test_rows_are_what_the_file_gives_at_its_own_batch(name, batch):
    body, shape, values = CASES[name]
    model = traced(body, shape, values, batch)
    x = np.random.default_rng(1).normal(size=(10, *shape)).astype(np.float32)
    expected = by_the_file(model, x, batch)
    layer = layers.ONNXModel(model)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(x[:3]), expected[:3], rtol=1e-4, atol=1e-5)
    assert layer(layers.Input(shape)).shape == (None, *expected.shape[1:])


@pytest.mark.parametrize("batch", BATCHES)
def test_a_token_with_a_row_for_each_example_is_trained_as_one(batch):
    model = keras.Sequential([
        layers.ONNXModel(traced(*CASES["dynamo class token"], batch)),
        layers.Flatten(), layers.Dense(1, kernel_initializer="ones"),
    ])  # fmt: skip
    token = model.weights[0]
    before = token.numpy()
    x = np.random.default_rng(1).normal(size=(4, 8, 2, 2)).astype(np.float32)
    y = model.predict(x, verbose=0) - 1
    model.compile(keras.optimizers.SGD(0.125), "mse")
    model.fit(x, y, batch_size=4, verbose=0)
    # Every element is in the sum once: the error of 1 has a derivative of 2.
    np.testing.assert_allclose(token.numpy()[0], before[0] - 0.25, rtol=1e-4, atol=1e-5)


MIXED = {
    "mean over the batch": (
        "m = ReduceMean<keepdims = 1>(x, axis)  y = Sub(x, m)",
        {"axis": np.array([0])},
        "The batch is lost at: ReduceMean",
    ),
    "rows mixed by a view": (
        "v = Reshape(x, {3, -1})  s = Softmax<axis = 0>(v)  y = Reshape(s, {B, 4})",
        {},
        "rows computed together differ",
    ),
    "another constant for each row": (
        "y = Add(x, w)",
        {"w": lambda batch: np.arange(batch * 4, dtype=np.float32).reshape(batch, 4)},
        "constants of the file differ from row to row",
    ),
    "the batch in another axis": (
        "y = Transpose<perm = [1, 0]>(x)",
        {},
        "first dimension of an output, but 'y' has it in axis 1",
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_rows_that_mix_are_refused_with_the_reason(name):
    body, values, reason = MIXED[name]
    model = traced(body, (4,), values, 3)
    with pytest.raises(ValueError, match="the batch cannot be made free") as error:
        layers.ONNXModel(model)
    assert reason in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("batch", BATCHES)
def test_files_of_torch_itself(tmp_path, dynamo, batch):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files")
    if dynamo:
        pytest.importorskip("onnxscript", reason="the exporter of today needs it")
    torch.manual_seed(0)
    encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    path = str(tmp_path / "net.onnx")
    torch.onnx.export(encoder, (torch.zeros(batch, 5, 8),), path, dynamo=dynamo)
    x = np.random.default_rng(1).normal(size=(3, 5, 8)).astype(np.float32)
    expected = encoder(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(layers.ONNXModel(path)(x), expected, rtol=1e-4, atol=1e-5)
