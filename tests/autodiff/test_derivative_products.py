"""`vjp`, `jvp` and `hessian_vector_product`: right, consistent, and plain ONNX."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.autodiff import gradient, gradients, hessian_vector_product, jvp, registry, vjp
from seqonnx.errors import GradientError
from seqonnx.graph import OPSET, Emitter
from seqonnx.graph.serde import to_proto
from support.autodiff.gradient_check import run_reference

STEP = 1e-5


@dataclass(frozen=True)
class Net:
    """A model, what to differentiate in it, and where."""

    proto: onnx.ModelProto
    outputs: tuple[str, ...]
    wrt: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    """Values of the inputs and of the initializers in `wrt`."""

    def at(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs where inputs and initializers have other values."""
        moved = onnx.ModelProto()
        moved.CopyFrom(self.proto)
        for tensor in moved.graph.initializer:
            if tensor.name in arrays:
                tensor.CopyFrom(onnx.numpy_helper.from_array(arrays[tensor.name], tensor.name))
        return dict(
            zip(self.outputs, run_reference(moved, self.outputs, self.fed(arrays)), strict=True)
        )

    def fed(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Those that are inputs."""
        inputs = {value.name for value in self.proto.graph.input}
        return {name: array for name, array in arrays.items() if name in inputs}


def mlp(dtype: str = "float64") -> Net:
    """Two outputs of one hidden layer, a weight used twice, and an unknown batch."""
    rng = np.random.default_rng(3)
    op = Emitter()
    x = op.input("x", dtype, ("batch", 4))
    w = op.constant(rng.normal(size=(4, 5)).astype(dtype), "w")
    b = op.constant(rng.normal(size=5).astype(dtype), "b")
    head = op.constant(rng.normal(size=(5, 3)).astype(dtype), "head")
    hidden = op.Tanh(op.Add(op.MatMul(x, w), b))
    op.output(op.Softmax(op.MatMul(hidden, head)), "y")
    op.output(op.ReduceSum(op.Mul(hidden, b), [1], keepdims=0), "z")
    arrays = {"x": rng.normal(size=(2, 4)).astype(dtype)}
    arrays |= {v: op.graph.initializers[v].const_value.numpy() for v in ("w", "b")}
    return Net(to_proto(op.graph), ("y", "z"), ("x", "w", "b"), arrays)


def convnet(dtype: str = "float64") -> Net:
    """Convolution, pooling of both kinds, a normalisation, a residual."""
    rng = np.random.default_rng(5)
    op = Emitter()
    x = op.input("x", dtype, ("batch", 2, 6, 6))
    kernel = op.constant(0.4 * rng.normal(size=(4, 2, 3, 3)).astype(dtype), "kernel")
    second = op.constant(0.4 * rng.normal(size=(4, 4, 3, 3)).astype(dtype), "second")
    gamma = op.constant(rng.uniform(0.5, 1.5, size=4).astype(dtype), "gamma")
    h = op.Softplus(op.Conv(x, kernel, pads=[1, 1, 1, 1]))
    h = op.AveragePool(h, kernel_shape=[2, 2], strides=[2, 2])
    h = op.InstanceNormalization(op.Add(h, op.Conv(h, second, pads=[1, 1, 1, 1])), gamma,
                                 np.zeros(4, dtype), epsilon=1e-3)  # fmt: skip
    op.output(op.Sigmoid(op.ReduceMax(h, [2, 3], keepdims=0)), "y")
    arrays = {"x": rng.normal(size=(2, 2, 6, 6)).astype(dtype)}
    arrays |= {v: op.graph.initializers[v].const_value.numpy() for v in ("kernel", "gamma")}
    return Net(to_proto(op.graph), ("y",), ("x", "kernel", "gamma"), arrays)


def sequence() -> Net:
    """Embedding-like look-up, layer normalisation, attention by hand, broadcasts, a Scan inside."""
    rng = np.random.default_rng(7)
    op = Emitter()
    x = op.input("x", "float64", ("batch", "time", 4))
    scale = op.input("scale", "float64", (4,))
    w = op.constant(rng.normal(size=(1, 3, 4)), "w")
    r = op.constant(rng.normal(size=(1, 3, 3)), "r")
    n = op.LayerNormalization(x, scale, axis=-1)
    scores = op.Softmax(op.MatMul(n, op.Transpose(n, perm=[0, 2, 1])), axis=-1)
    mixed = op.Add(op.MatMul(scores, n), x)
    _, state = op.RNN(op.Transpose(mixed, perm=[1, 0, 2]), w, r, hidden_size=3, _outputs=2)
    op.output(op.ReduceLogSumExp(state, [0]), "y")
    arrays = {"x": rng.normal(size=(2, 3, 4)), "scale": rng.normal(size=4)}
    return Net(to_proto(op.graph), ("y",), ("x", "scale"), arrays)


NETS = {"mlp": mlp(), "convnet": convnet(), "sequence": sequence()}


@pytest.fixture(params=NETS)
def net(request) -> Net:
    return NETS[request.param]


def random_like(
    arrays: dict[str, np.ndarray], names: tuple[str, ...], seed: int
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: rng.normal(size=arrays[n].shape).astype(arrays[n].dtype) for n in names}


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Check a model and run it on the standard's evaluator."""
    assert_plain(model)
    names = [value.name for value in model.graph.output]
    inputs = {value.name for value in model.graph.input}
    feeds = {name: array for name, array in feeds.items() if name in inputs}
    return dict(zip(names, run_reference(model, names, feeds), strict=True))


def assert_plain(model: onnx.ModelProto) -> None:
    """Standard operators of the pinned set alone, no functions, nothing that no output needs."""
    onnx.checker.check_model(model, full_check=True)
    assert [(s.domain, s.version) for s in model.opset_import] == [("", OPSET)]
    assert len(model.functions) == 0
    needed = {value.name for value in model.graph.output}
    for node in reversed(model.graph.node):
        assert needed & set(node.output), f"{node.name} serves nothing"
        needed |= set(node.input) | captured(node)
    assert {tensor.name for tensor in model.graph.initializer} <= needed


def captured(node: onnx.NodeProto) -> set[str]:
    """Every name that the subgraphs of a node read."""
    graphs = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    inner = [n for graph in graphs for n in graph.node]
    read = {name for n in inner for name in n.input} | {o.name for g in graphs for o in g.output}
    return read.union(*map(captured, inner))


def prefixed(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def dot(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    return float(sum(np.vdot(x, y) for x, y in zip(a.values(), b.values(), strict=True)))


def moved(net: Net, v: dict[str, np.ndarray], step: float) -> dict[str, np.ndarray]:
    return {n: a + a.dtype.type(step) * v[n] if n in v else a for n, a in net.arrays.items()}


def derivative(net: Net, v: dict[str, np.ndarray], step: float = STEP) -> dict[str, np.ndarray]:
    """Central difference of the outputs along a direction."""
    ahead, behind = net.at(moved(net, v, step)), net.at(moved(net, v, -step))
    return {name: (ahead[name] - behind[name]) / (2 * step) for name in net.outputs}


def test_jvp_is_the_derivative_along_the_tangents(net):
    v = random_like(net.arrays, net.wrt, 1)
    model = jvp(net.proto, net.outputs, net.wrt)
    assert [i.name for i in model.graph.input] == [
        *(i.name for i in net.proto.graph.input), *(f"tangent/{n}" for n in net.wrt)
    ]  # fmt: skip
    found = run(model, net.fed(net.arrays) | prefixed("tangent", v))
    assert list(found) == [f"jvp/{n}" for n in net.outputs]
    for name, want in derivative(net, v).items():
        np.testing.assert_allclose(found[f"jvp/{name}"], want, rtol=1e-6, atol=1e-8)


def test_vjp_is_the_transpose_of_the_derivative(net):
    v = random_like(net.arrays, net.wrt, 2)
    u = random_like(net.at(net.arrays), net.outputs, 3)
    model = vjp(net.proto, net.outputs, net.wrt)
    assert [i.name for i in model.graph.input] == [
        *(i.name for i in net.proto.graph.input), *(f"cotangent/{n}" for n in net.outputs)
    ]  # fmt: skip
    found = run(model, net.fed(net.arrays) | prefixed("cotangent", u))
    assert list(found) == [f"vjp/{n}" for n in net.wrt]
    assert [a.shape for a in found.values()] == [net.arrays[n].shape for n in net.wrt]
    assert dot(found, v) == pytest.approx(dot(u, derivative(net, v)), rel=1e-6)


def test_forward_and_reverse_mode_are_transposes(net):
    v = random_like(net.arrays, net.wrt, 4)
    u = random_like(net.at(net.arrays), net.outputs, 5)
    feeds = net.fed(net.arrays) | prefixed("tangent", v) | prefixed("cotangent", u)
    there = run(jvp(net.proto, net.outputs, net.wrt), feeds)
    back = run(vjp(net.proto, net.outputs, net.wrt), feeds)
    assert dot(u, there) == pytest.approx(dot(back, v), rel=1e-12)


def test_hessian_vector_product_is_the_derivative_of_the_gradient(net):
    v = random_like(net.arrays, net.wrt, 6)
    output = net.outputs[0]
    squared = with_squared(net.proto, output)
    model = hessian_vector_product(squared, "squared", net.wrt)
    found = run(model, net.fed(net.arrays) | prefixed("tangent", v))
    assert list(found) == [f"hvp/{n}" for n in net.wrt]
    derivatives = Net(
        gradients_of_all(squared, net), tuple(f"grad/{n}" for n in net.wrt), net.wrt, net.arrays
    )
    for name, want in derivative(derivatives, v).items():
        got = found[name.replace("grad", "hvp")]
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6 * np.abs(want).max())


def gradients_of_all(proto: onnx.ModelProto, net: Net) -> onnx.ModelProto:
    return gradients(proto, "squared", net.wrt)


def with_squared(proto: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """A scalar that is not linear in an output."""
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    model.graph.node.append(
        onnx.helper.make_node("ReduceSumSquare", [output], ["squared"], keepdims=0)
    )
    return model


def test_hessian_is_symmetric(net):
    v, w = (random_like(net.arrays, net.wrt, seed) for seed in (7, 8))
    model = hessian_vector_product(with_squared(net.proto, net.outputs[0]), "squared", net.wrt)
    hv = run(model, net.fed(net.arrays) | prefixed("tangent", v))
    hw = run(model, net.fed(net.arrays) | prefixed("tangent", w))
    assert dot(w, hv) == pytest.approx(dot(hw, v), rel=1e-9)


def test_symbolic_sizes_stay_and_any_batch_runs():
    net = mlp("float32")
    models = [
        gradients(net.proto, "y", "x"), vjp(net.proto, "y", "x"), jvp(net.proto, "y", "x"),
        hessian_vector_product(net.proto, "y", "x"),
    ]  # fmt: skip
    for model in models:
        for value in (*model.graph.input, *model.graph.output):
            assert value.type.tensor_type.shape.dim[0].dim_param == "batch", value.name
        session = onnxruntime.InferenceSession(model.SerializeToString())
        widths = {value.name: value.shape[1] for value in session.get_inputs()}
        for batch in (1, 4):
            feeds = {name: np.ones((batch, width), np.float32) for name, width in widths.items()}
            assert all(len(array) == batch for array in session.run(None, feeds))


@pytest.mark.parametrize("kind", ["file", "proto", "sequential"])
def test_every_kind_of_model_gives_the_same(kind, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4,), name="input"),
            layers.Dense(3, "tanh", name="a"),
            layers.Dense(2, name="b"),
        ]
    )
    given = model if kind == "sequential" else model.to_onnx()
    if kind == "file":
        onnx.save(model.to_onnx(), tmp_path / "model.onnx")
        given = tmp_path / "model.onnx"
    output = model.to_onnx().graph.output[0].name
    wrt = ["input", "a/kernel"]
    rng = np.random.default_rng(0)
    x, v, u = (rng.normal(size=s).astype(np.float32) for s in ((5, 4), (5, 4), (5, 2)))
    vw = rng.normal(size=(4, 3)).astype(np.float32)
    kernel, bias = model.layers[0].get_weights()
    head, _ = model.layers[1].get_weights()
    hidden = np.tanh(x @ kernel + bias)
    moves = (1 - hidden**2) * (v @ kernel + x @ vw)

    feeds = {"input": x, "tangent/input": v, "tangent/a/kernel": vw, f"cotangent/{output}": u}
    (there,) = run(jvp(given, output, wrt), feeds).values()
    np.testing.assert_allclose(there, moves @ head, rtol=1e-4, atol=1e-5)
    back = run(vjp(given, output, wrt), feeds)
    dh = (u @ head.T) * (1 - hidden**2)
    np.testing.assert_allclose(back["vjp/input"], dh @ kernel.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(back["vjp/a/kernel"], x.T @ dh, rtol=1e-4, atol=1e-5)
    curved = run(hessian_vector_product(given, output, wrt), feeds)
    dh = head.sum(1) * (1 - hidden**2)
    ddh = head.sum(1) * -2 * hidden * moves
    np.testing.assert_allclose(curved["hvp/a/kernel"], v.T @ dh + x.T @ ddh, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        curved["hvp/input"], dh @ vw.T + ddh @ kernel.T, rtol=1e-4, atol=1e-5
    )


def test_zeros_where_nothing_depends():
    op = Emitter()
    x = op.input("x", "float32", ("n", 2))
    op.input("other", "float32", ("n", 2))
    op.output(op.Mul(x, 2.0), "y")
    proto = to_proto(op.graph)
    ones = np.ones((3, 2), np.float32)
    feeds = {
        "x": ones,
        "other": ones,
        "cotangent/y": ones,
        "tangent/other": ones,
        "tangent/x": ones,
    }
    for model in (
        vjp(proto, "y", "other"), jvp(proto, "y", "other"), gradients(proto, "y", "other"),
        hessian_vector_product(proto, "y", ["other", "x"]),
    ):  # fmt: skip
        for array in run(model, feeds).values():
            np.testing.assert_array_equal(array, np.zeros((3, 2), np.float32))
    both = run(vjp(proto, "y", ["x", "other"]), feeds)
    np.testing.assert_array_equal(both["vjp/x"], 2 * ones)
    np.testing.assert_array_equal(both["vjp/other"], 0 * ones)


def test_inner_tensors_and_inputs_may_be_wanted_together():
    op = Emitter()
    x = op.input("x", "float64", (3,))
    middle = op.Sin(x)
    op.output(op.Mul(middle, middle), "y")
    proto = to_proto(op.graph)
    at = np.array([0.3, -1.0, 2.0])
    found = run(gradients(proto, "y", ["Sin", "x"]), {"x": at})
    np.testing.assert_allclose(found["grad/Sin"], 2 * np.sin(at))
    np.testing.assert_allclose(found["grad/x"], 2 * np.sin(at) * np.cos(at))
    (direct,) = run(gradients(proto, "y", "y"), {"x": at}).values()
    np.testing.assert_array_equal(direct, np.ones(3))


def test_products_can_be_taken_of_products():
    op = Emitter()
    x = op.input("x", "float64", (3,))
    op.output(op.Mul(op.Mul(x, x), x), "y")
    model = to_proto(op.graph)
    at, one = np.array([0.3, -1.0, 2.0]), np.ones(3)
    for derivative in (3 * at**2, 6 * at, 6 * one):
        model = jvp(model, model.graph.output[0].name, "x")
        feeds = {"x": at, "tangent/x": one, "tangent/x_1": one, "tangent/x_2": one}
        (found,) = run(model, feeds).values()
        np.testing.assert_allclose(found, derivative)
    model = to_proto(op.graph)
    for derivative in (3 * at**2, 6 * at, 6 * one):
        model = gradients(model, model.graph.output[0].name, "x")
        assert [value.name for value in model.graph.output] in (["grad/x"],)
        np.testing.assert_allclose(run(model, {"x": at})["grad/x"], derivative)


def test_original_is_not_changed():
    proto = mlp().proto
    before = proto.SerializeToString(deterministic=True)
    jvp(proto, ["y", "z"], ["x", "w"])
    assert proto.SerializeToString(deterministic=True) == before


def test_same_call_gives_the_same_bytes():
    proto = mlp().proto
    for make in (vjp, jvp):
        first, second = (make(proto, ["y", "z"], ["x", "w"]) for _ in range(2))
        assert first.SerializeToString(deterministic=True) == second.SerializeToString(
            deterministic=True
        )


@pytest.mark.parametrize("make", [gradients, vjp, jvp, hessian_vector_product])
def test_device_reaches_the_rules(make, own_registry):
    seen = []

    @gradient("own", "Square")
    def square(op, node, dy):
        seen.append(op.device)
        return op.Mul(dy, op.Mul(node.inputs[0], 2.0))

    proto = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": {OPSET}, "own": 1]> n (float[2] x) => (float[2] y)'
        "{ y = own.Square(x) }"
        f'<domain: "own", opset_import: ["": {OPSET}]> Square (a) => (b) {{ b = Mul(a, a) }}'
    )
    make(proto, "y", "x", device="cuda")
    make(proto, "y", "x")
    assert set(seen[: len(seen) // 2]) == {"cuda"}
    assert set(seen[len(seen) // 2 :]) == {"cpu"}


@pytest.mark.parametrize("make", [gradients, vjp, jvp, hessian_vector_product])
def test_wrong_arguments_are_named(make):
    proto = mlp().proto
    with pytest.raises(
        ValueError, match=r"`wrt` names a tensor that .* not have: 'nope'. Its tensors are: x, "
    ):
        make(proto, "y", ["x", "nope"])
    with pytest.raises(ValueError, match=r"`outputs?` names a tensor that the graph does not have"):
        make(proto, "nope", ["x"])
    with pytest.raises(ValueError, match="`wrt` names 'x' twice"):
        make(proto, "y", ["x", "x"])
    with pytest.raises(ValueError, match="`wrt` names no tensor"):
        make(proto, "y", [])
    with pytest.raises(
        ValueError, match=r"`device` must be \"cpu\" or \"cuda\". Received: device='tpu'"
    ):
        make(proto, "y", "x", device="tpu")
    whole = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": {OPSET}]> n (int64[2] i) => (float[2] y)'
        "{ y = Cast<to=1>(i) }"
    )
    with pytest.raises(
        ValueError, match=r"`wrt` names 'i', which is INT64. Only tensors of a floating"
    ):
        make(whole, "y", "i")


def test_second_order_names_what_has_no_rule(own_registry):
    registry._rules.pop(("", "Cos"))
    op = Emitter()
    x = op.input("x", "float32", (2,))
    with op.scope("layer"):
        y = op.Sin(x)
    op.output(y, "y")
    proto = to_proto(op.graph)
    jvp(proto, "y", "x")  # the cosine is a factor there, not a function of what moves
    with pytest.raises(GradientError) as error:
        hessian_vector_product(proto, "y", "x")
    assert (
        "operator Cos (domain 'ai.onnx'), node 'grad/layer/Cos', layer 'grad/layer': no gradient "
        "rule. It blocks the gradient of ['x']."
    ) in str(error.value)


def torch_mlp(torch):
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.GELU(), torch.nn.Linear(6, 3))
    w1, b1, _, w2, b2 = (*module[0].parameters(), None, *module[2].parameters())
    op = Emitter()
    x = op.input("x", "float32", ("batch", 4))
    w, b, v, c = (
        op.constant(p.detach().numpy(), n) for p, n in ((w1, "w"), (b1, "b"), (w2, "v"), (b2, "c"))
    )
    h = op.Gelu(op.Gemm(x, w, b, transB=1))
    op.output(op.Gemm(h, v, c, transB=1), "y")
    return module, to_proto(op.graph), (5, 4)


def torch_convnet(torch):
    conv, norm = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1), torch.nn.BatchNorm2d(4)
    module = torch.nn.Sequential(
        conv,
        norm,
        torch.nn.SiLU(),
        torch.nn.AvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(16, 2),
    ).eval()
    names = {"w": conv.weight, "b": conv.bias, "gamma": norm.weight, "beta": norm.bias,
             "mean": norm.running_mean, "var": norm.running_var,
             "v": module[5].weight, "c": module[5].bias}  # fmt: skip
    op = Emitter()
    x = op.input("x", "float32", ("batch", 3, 8, 8))
    p = {n: op.constant(t.detach().numpy(), n) for n, t in names.items()}
    h = op.Conv(x, p["w"], p["b"], strides=[2, 2], pads=[1, 1, 1, 1])
    h = op.BatchNormalization(h, p["gamma"], p["beta"], p["mean"], p["var"])
    h = op.AveragePool(op.Mul(h, op.Sigmoid(h)), kernel_shape=[2, 2], strides=[2, 2])
    op.output(op.Gemm(op.Flatten(h), p["v"], p["c"], transB=1), "y")
    return module, to_proto(op.graph), (2, 3, 8, 8)


@pytest.mark.parametrize("build", [torch_mlp, torch_convnet])
def test_torch_agrees(build):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module, proto, shape = build(torch)
    x, v = torch.randn(shape), torch.randn(shape)
    y, along = torch.autograd.functional.jvp(module, x, v)
    u = torch.randn(y.shape)
    _, back = torch.autograd.functional.vjp(module, x, u)
    _, bent = torch.autograd.functional.hvp(lambda t: module(t).sum(), x, v)
    feeds = {"x": x, "tangent/x": v, "cotangent/y": u}
    for model, want in (
        (jvp(proto, "y", "x"), along),
        (vjp(proto, "y", "x"), back),
        (hessian_vector_product(proto, "y", "x"), bent),
    ):
        assert_plain(model)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        used = {value.name: feeds[value.name].numpy() for value in session.get_inputs()}
        (found,) = session.run(None, used)
        np.testing.assert_allclose(found, want.detach().numpy(), rtol=1e-4, atol=2e-6)


def test_operator_whose_shape_onnx_cannot_infer_is_passed():
    norm = "GroupNormalization<num_groups=2>(h, s, s)"
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 21]> n (float[N, 4, 2, 2] x, float[4] s)'
        f"=> (float y) {{ h = Sin(x) g = {norm} e = Exp(g) y = ReduceSum<keepdims=0>(e) }}"
    )
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(2, 2, 4, 2, 2)).astype(np.float32)
    feeds = {"x": x, "s": np.ones(4, np.float32), "tangent/x": v, "cotangent/y": np.float32(1)}
    (there,) = run(jvp(model, "y", "x"), feeds).values()
    (back,) = run(vjp(model, "y", "x"), feeds).values()
    assert there == pytest.approx(np.vdot(back, v), rel=1e-4)
    rough = derivative(Net(model, ("y",), ("x",), {"x": x, "s": feeds["s"]}), {"x": v}, 0.01)["y"]
    assert there == pytest.approx(rough, rel=0.02)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float", "double"])
@pytest.mark.parametrize("make", [gradients, vjp, jvp, hessian_vector_product])
def test_types_stay(make, dtype):
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 21]> n ({dtype}[N, 4] x, {dtype}[4, 2] w)'
        f"=> ({dtype}[N, 2] y) {{ h = MatMul(x, w) y = Tanh(h) }}"
    )
    made = make(model, "y", ["x", "w"])
    assert_plain(made)
    (kind,) = {v.type.tensor_type.elem_type for v in (*made.graph.input, *made.graph.output)}
    assert kind == model.graph.input[0].type.tensor_type.elem_type
