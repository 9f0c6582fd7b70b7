"""Without a GPU it is known which nodes of a step have no CUDA kernel: none without a reason."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import seqonnx
from seqonnx import layers
from support.layers.layer_cases import CASES

KERNELS = """
## Operators implemented by CPUExecutionProvider
|**Operator Domain:** *ai.onnx*||||
|Abs|*in* X:**T**<br> *out* Y:**T**|13+|**T** = tensor(int8)|

## Operators implemented by CUDAExecutionProvider

| Op Name | Parameters | OpSet Version | Types Supported |
|---------|------------|---------------|-----------------|
|**Operator Domain:** *ai.onnx*||||
|Gather|*in* data:**T**<br> *in* indices:**Tind**|13+|**T** = tensor(float), tensor(int8)<br/> \
**Tind** = tensor(int64)|
|||[11, 12]|**T** = tensor(float)<br/> **Tind** = tensor(int64)|
|Resize|*in* X:**T**|18|**T1** = tensor(float)|
|||[13, 17]|**T1** = tensor(float)|
|||10|**T** = tensor(float)|
|Shape|*in* X:**T**|[15, 18]|**T** = tensor(bool)<br/> **T1** = tensor(int64)|
| |
| |
|**Operator Domain:** *com.microsoft*||||
|Gelu|*in* X:**T**<br> *out* Y:**T**|1+|**T** = tensor(float)|
"""


@pytest.fixture
def nodes(load):
    return load("tools/checks/cuda_nodes.py")


def test_facts_are_read_off_the_section_of_cuda(load):
    refresh = load("tools/refresh/cuda_kernels.py")
    assert list(refresh.kernels(KERNELS)) == [
        ("Gather", "13+", "T=float,int8;Tind=int64"),
        ("Resize", "18", "T1=float"),
        ("Shape", "15-18", "T=bool;T1=int64"),
    ]
    with pytest.raises(SystemExit, match="Expected a file with the line"):
        list(refresh.kernels("# Something else\n"))
    with pytest.raises(SystemExit, match=r"Expected versions .* Received: thirteen"):
        list(refresh.kernels(KERNELS.replace("13+|**T** = tensor(float), ", "thirteen|**T** = ")))


def test_the_file_of_facts_is_the_one_that_the_program_writes(load):
    refresh = load("tools/refresh/cuda_kernels.py")
    lines = refresh.FILE.read_text("utf-8").splitlines()
    assert "\n".join(lines).startswith(refresh.HEAD + "# Source: onnxruntime commit ")
    facts = [line for line in lines if not line.startswith("#")]
    assert facts == sorted(set(facts))
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    own = {"Affine", "Crop", "DynamicSlice", "ImageScaler", "ParametricSoftplus", "ScaledTanh"}
    assert {line.split()[0] for line in facts} <= known | own | {"SimplifiedLayerNormalization"}


def model(text: str) -> ir.Model:
    return ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text)))


LACKING = {
    "a version that is newer than the newest kernel": (
        '<ir_version: 8, opset_import: ["": 23]> m (float[1,1,4,4] x) => (float[1,1,2,2] y)'
        "{ y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) }",
        {"MaxPool 22 (T float32)": 1},
    ),
    "a dtype": (
        '<ir_version: 8, opset_import: ["": 18]> m (int32[4] x) => (int32[4] y) { y = Clip(x) }',
        {"Clip 13 (T int32)": 1},
    ),
    "an operator": (
        '<ir_version: 8, opset_import: ["": 18]> m (uint8[4] x) => (uint8[4] y)'
        "{ y = BitwiseNot(x) }",
        {"BitwiseNot 18 (T uint8)": 1},
    ),
    "padding of one side": (
        '<ir_version: 8, opset_import: ["": 18]> m (float[1,1,4] x, float[1,1,2] w) => (float[N] y)'
        "{ y = ConvTranspose<pads=[0,1]>(x, w) }",
        {"ConvTranspose 11: pads differ between the sides": 1},
    ),
    "the older GRU": (
        '<ir_version: 8, opset_import: ["": 18]> '
        "m (float[5,2,3] x, float[1,12,3] w, float[1,12,4] r) => (float[N] y)"
        "{ y = GRU<hidden_size=4>(x, w, r) }",
        {"GRU 14: reset before the product": 1},
    ),
    "other activations": (
        '<ir_version: 8, opset_import: ["": 18]> '
        "m (float[5,2,3] x, float[1,16,3] w, float[1,16,4] r) => (float[N] y)"
        '{ y = LSTM<hidden_size=4, activations=["Sigmoid","Relu","Tanh"]>(x, w, r) }',
        {"LSTM 14: activations sigmoid, relu, tanh": 1},
    ),
    "nothing": (
        '<ir_version: 8, opset_import: ["": 18]> '
        "m (float[5,2,3] x, float[1,16,3] w, float[1,16,4] r) => (float[N] y)"
        "{ y = LSTM<hidden_size=4>(x, w, r) }",
        {},
    ),
    "nothing that is not computed from constants": (
        '<ir_version: 8, opset_import: ["": 18]> m (uint8[4] x) => (uint8[4] y)'
        "<uint8[4] c = {1,2,3,4}> { d = BitwiseNot(c) y = Add(x, d) }",
        {},
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_a_node_without_a_kernel_is_named_with_version_and_dtypes(nodes, case):
    text, expected = LACKING[case]
    assert dict(nodes.lacking(model(text))) == expected


FAST = ("mlp", "mnist_cnn", "cifar_vgg", "lstm", "gru", "transformer")
SLOW = ("separable", "bidirectional", "xception_frozen", "xception", "unet", "resnet50")
MORE = ("mlp_small", "mlp_large", "mobilenet_tuned", "mnist_cnn_1")


@pytest.mark.parametrize(
    "name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in (*SLOW, *MORE))]
)
def test_every_node_of_the_networks_of_the_benchmark_has_a_kernel(nodes, settings, name):
    workload = nodes.WORKLOADS[name]
    step = nodes.step_graph(workload.smaller(workload.batch, 1))
    assert dict(nodes.lacking(step)) == {}
    assert step.graph.opset_imports[""] == 18


def test_no_network_of_the_benchmark_is_left_out(nodes):
    trained = {name for name, workload in nodes.WORKLOADS.items() if workload.task == "train"}
    assert trained == {*FAST, *SLOW, *MORE}


@pytest.mark.parametrize("name", ["mnist_cnn", "lstm", "transformer"])
def test_mixed_precision_leaves_nothing_to_the_cpu(nodes, settings, name):
    seqonnx.mixed_precision.set_global_policy("mixed_float16")
    workload = nodes.WORKLOADS[name]
    assert dict(nodes.lacking(nodes.step_graph(workload.smaller(workload.batch, 1)))) == {}


def network_of(case):
    """A layer of the contract as a model, and a batch."""
    layer = case.make()
    several = isinstance(case.input, list)
    inputs = [layers.Input(shape) for shape in (case.input if several else [case.input])]
    if case.named:
        y = layer(inputs[0], **dict(zip(case.named, inputs[1:], strict=True)))
    else:
        y = layer(inputs if several else inputs[0])
    arrays = [np.zeros((4, *tensor.shape[1:]), np.float32) for tensor in inputs]
    return seqonnx.Model(inputs, y), arrays if several else arrays[0]


RISKY = ("Attention", "Embedding", "LSTM", "GRU", "RandAugment", "RandomRotation", "Transpose-same")
"""Cases that had nodes without a kernel, or are named in what the GPU must run."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=case.id, marks=() if any(n in case.id for n in RISKY) else pytest.mark.slow
        )
        for case in CASES
    ],
)
def test_every_layer_trains_with_kernels_or_for_a_reason(nodes, settings, case):
    built, x = network_of(case)
    built.compile("adam", "mse")
    y = np.zeros((4, *(built.output_shape[1:])), np.float32)
    without = nodes.lacking(nodes.step_of(built, x, y))
    assert [line for line in without if nodes.reason_for(line) is None] == []


def test_every_reason_is_needed_and_says_why(nodes):
    found = set()
    for case in CASES:
        if case.id in {"GRU-reset-before", "MelSpectrogram"}:
            built, x = network_of(case)
            built.compile("adam", "mse")
            y = np.zeros((4, *(built.output_shape[1:])), np.float32)
            found |= nodes.lacking(nodes.step_of(built, x, y)).keys()
    for start, text in nodes.REASONS.items():
        assert any(line.startswith(start) for line in found), start
        assert len(text.split()) > 5


def test_the_program_prints_a_short_table(nodes, settings, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert nodes.main(["mlp_small"]) == 0
    printed = capsys.readouterr().out
    assert "mlp_small" in printed
    assert "none" in printed
    assert "Source: onnxruntime commit" in printed
    with pytest.raises(SystemExit):
        nodes.main(["mpl"])
    assert "Received: mpl" in capsys.readouterr().err
