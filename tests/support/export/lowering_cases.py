"""Table: a small graph for every adapter, in the operator set whose meaning it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx


@dataclass(frozen=True)
class LoweringCase:
    """A graph that one adapter rewrites.

    Args:
        op_type: the operator.
        since: the operator set whose meaning the adapter takes.
        inputs: inputs of the graph, as ONNX's text form writes them.
        body: its nodes, which give `y`.
        output: type of `y`.
        constants: initializers.
        label: tells cases of one adapter apart.
        start: operator set of the graph: ONNX Runtime lacks some operators of set 22.
    """

    op_type: str
    since: int
    inputs: str
    body: str
    output: str = "float"
    constants: str = ""
    label: str = ""
    start: int = 23

    @property
    def id(self) -> str:
        return "-".join(filter(None, (self.op_type, str(self.since), self.label)))

    @property
    def model(self) -> onnx.ModelProto:
        text = (
            f'<ir_version: 10, opset_import: ["": {self.start}]> graph ({self.inputs}) => '
            f"({self.output}[] y) <{self.constants}> {{ {self.body} }}"
        )
        return onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text), strict_mode=True)


def case(op_type: str, since: int, inputs: str, body: str, **more: Any) -> LoweringCase:
    return LoweringCase(op_type, since, inputs, body, **more)


X = "float[2, 3, 4] x"
IMAGE = "float[1, 2, 6, 6] x"
AXES = "int64[1] axes = {1}"
SIZES = "int64[4] sizes = {1, 2, 9, 4}"
QUANTISED = "float[2, 3] x"
STEP = "float s = {0.02}"

REDUCTIONS = [
    case(f"Reduce{name}", 18, X, f"y = Reduce{name} {extra}", constants=AXES, label=label)
    for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
    for label, extra in {
        "axes": "<keepdims=0> (x, axes)",
        "all": "(x)",
    }.items()
] + [
    case(f"Reduce{name}", 18, X, f"y = Reduce{name} <noop_with_empty_axes=1> (x)", label="nothing")
    for name in ("Max", "Mean", "L2", "SumSquare")
]

ACTIVATIONS = [
    case("Gelu", 20, X, "y = Gelu(x)"),
    case("Gelu", 20, X, 'y = Gelu <approximate="tanh"> (x)', label="tanh"),
    case("Mish", 18, X, "y = Mish(x)"),
    case("HardSwish", 14, X, "y = HardSwish(x)"),
]

NORMALIZATIONS = [
    case(
        "LayerNormalization", 17, X, "y = LayerNormalization <axis=1> (x, w, b)",
        constants="float[3, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, "
        "float[3, 4] b = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}",
    ),
    case(
        "LayerNormalization", 17, "float[5, 4] x",
        "n, m, v = LayerNormalization <epsilon=0.1> (x, w) y = Concat <axis=1> (n, m, v)",
        constants="float[4] w = {1, 2, 3, 4}", label="statistics",
    ),
    case(
        "LayerNormalization", 17, "float16[5, 4] x", "y = LayerNormalization (x, w)",
        output="float16", constants="float16[4] w = {1, 2, 3, 4}", label="half",
    ),
    case(
        "RMSNormalization", 23, X, "y = RMSNormalization <epsilon=0.1> (x, w)",
        constants="float[4] w = {1, 2, 3, 4}",
    ),
    case(
        "GroupNormalization", 21, "float[2, 4, 3, 2] x",
        "y = GroupNormalization <num_groups=2> (x, w, b)",
        constants="float[4] w = {1, 2, 3, 4}, float[4] b = {0, 1, 0, 2}",
    ),
    case(
        "BatchNormalization", 14, "float[2, 3, 4] x", "y = BatchNormalization (x, w, w, w, w)",
        constants="float[3] w = {1, 2, 3}",
    ),
]  # fmt: skip

ATTENTION = [
    case(
        "Attention", 23, "float[2, 4, 6] q, float[2, 5, 6] k, float[2, 5, 6] v",
        "y = Attention <q_num_heads=2, kv_num_heads=2> (q, k, v)", label="flat",
    ),
    case(
        "Attention", 23, "float[2, 3, 4, 6] q, float[2, 3, 5, 6] k, float[2, 3, 5, 6] v",
        "y = Attention <is_causal=1, scale=0.7> (q, k, v)", label="causal",
    ),
    case(
        "Attention", 23, "float[N, 2, L, 6] q, float[N, 2, S, 6] k, float[N, 2, S, 6] v",
        "y = Attention <is_causal=1> (q, k, v)", label="open",
    ),
    case(
        "Attention", 23, "float[2, 2, 4, 6] q, float[2, 2, 5, 6] k, bool[4, 5] m",
        "y = Attention (q, k, k, m)", label="mask",
    ),
    case(
        "Attention", 23, "float[2, 2, 4, 6] q, float[2, 2, 5, 6] k, float[4, 5] m",
        "y = Attention (q, k, k, m)", label="bias",
    ),
    case(
        "Attention", 23, "float[2, 4, 4, 6] q, float[2, 2, 5, 6] k",
        "y = Attention (q, k, k)", label="groups",
    ),
    case(
        "Attention", 23, "float[2, 2, 4, 6] q, float[2, 2, 5, 6] k",
        "y = Attention <softcap=2.0> (q, k, k)", label="capped",
    ),
]  # fmt: skip

RECURRENT = [
    case(
        name, 14, "float[2, 3, 4] x, float[1, {0}, 4] w, float[1, {0}, 5] r".format(5 * gates),
        f"y = {name} <hidden_size=5, layout={layout}> (x, w, r)", label=label,
    )
    for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))
    for label, layout in (("time", 0),)
]  # fmt: skip

QUANTISATION = [
    case("QuantizeLinear", 23, QUANTISED, "y = QuantizeLinear <precision=1> (x, s)",
         constants=STEP, output="uint8"),
    case("QuantizeLinear", 21, QUANTISED, "y = QuantizeLinear <output_dtype=3> (x, s)",
         constants=STEP, output="int8"),
    case("QuantizeLinear", 21, QUANTISED, "y = QuantizeLinear <axis=1> (x, s, z)",
         constants="float[3] s = {0.02, 0.03, 0.04}, int8[3] z = {1, 2, 3}", output="int8",
         label="channels"),
    case("DequantizeLinear", 23, "int8[2, 3] x", "y = DequantizeLinear <output_dtype=10> (x, s)",
         constants=STEP, output="float16"),
    case("DequantizeLinear", 21, "int8[2, 3] x", "y = DequantizeLinear (x, s)", constants=STEP),
]  # fmt: skip

SIGNALS = [
    case("DFT", 20, "float[2, 8, 1] x", "y = DFT <onesided=1> (x, , axis)",
         constants="int64 axis = {1}"),
    case("DFT", 20, "float[2, 8, 2] x", "y = DFT <inverse=1> (x)", label="inverse"),
]  # fmt: skip

POOLING = [
    case("MaxPool", 22, "float[1, 2, 7, 7] x",
         "y = MaxPool <kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1> (x)"),
    case("AveragePool", 22, "float[1, 2, 7, 7] x",
         "y = AveragePool <kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1> (x)"),
    case("LpPool", 22, IMAGE, "y = LpPool <kernel_shape=[2, 2]> (x)"),
    case("AveragePool", 19, IMAGE,
         "y = AveragePool <kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1> (x)"),
    case("AveragePool", 19, "float[1, 2, 7, 7] x",
         "y = AveragePool <kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1> (x)", label="ceil"),
    case("GridSample", 20, IMAGE + ", float[1, 3, 3, 2] g", "y = GridSample(x, g)"),
    case("GridSample", 20, IMAGE + ", float[1, 3, 3, 2] g", 'y = GridSample <mode="cubic"> (x, g)',
         label="cubic"),
    case("RoiAlign", 16, IMAGE + ", float[2, 4] r, int64[2] i",
         'y = RoiAlign <coordinate_transformation_mode="output_half_pixel", output_height=2, '
         'output_width=2, sampling_ratio=1> (x, r, z)', constants="int64[2] z = {0, 0}", start=21),
    case("Resize", 19, IMAGE, 'y = Resize <mode="linear"> (x, , , sizes)', constants=SIZES),
    case("Resize", 18, IMAGE, 'y = Resize <mode="cubic"> (x, , , sizes)', constants=SIZES),
    case("Resize", 18, IMAGE, 'y = Resize <mode="linear", axes=[2, 3]> (x, , , s)',
         constants="int64[2] s = {9, 4}", label="axes"),
    case("Resize", 18, IMAGE, 'y = Resize <mode="nearest", axes=[3]> (x, , s)',
         constants="float[1] s = {2}", label="scales"),
]  # fmt: skip

INDEXING = [
    case(name, since, X, f'y = {name} <reduction="{reduction}"> (x, i, u)', label=reduction,
         constants="int64[1, 1, 3] i = {1, 0, 1}, float[1, 1, 3] u = {9, 8, 7}"
         if name == "ScatterElements"
         else "int64[2, 1] i = {1, 1}, float[2, 3, 4] u = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, "
         "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}" if reduction != "none"
         else "int64[2, 3] i = {1, 1, 1, 0, 2, 3}, float[2] u = {8, 9}")
    for name in ("ScatterElements", "ScatterND")
    for since, reduction in ((18, "add"), (18, "mul"), (16, "none"))
    if (name, reduction) != ("ScatterElements", "none")
] + [
    case("ScatterElements", 16, X, "y = ScatterElements <axis=2> (x, i, u)",
         constants="int64[1, 1, 2] i = {3, 1}, float[1, 1, 2] u = {9, 8}"),
    case("Trilu", 14, "float[2, 3, 4] x", "y = Trilu(x)"),
    case("Trilu", 14, "float[2, 3, 4] x", "y = Trilu <upper=0> (x, k)",
         constants="int64 k = {1}", label="lower"),
    case("Trilu", 14, "int64[3, N] x", "y = Trilu(x, k)", output="int64",
         constants="int64 k = {-1}", label="integers"),
]  # fmt: skip

SHAPES = [
    case("Cast", 19, X, "y = Cast <to=7> (x)", output="int64"),
    case("CastLike", 19, X + ", int64 k", "y = CastLike(x, k)", output="int64"),
    case("CastLike", 15, X + ", int64 k", "y = CastLike(x, k)", output="int64"),
    case("Shape", 15, X, "y = Shape(x)", output="int64"),
    case("Shape", 15, X, "y = Shape <start=1> (x)", output="int64", label="start"),
    case("Shape", 15, X, "y = Shape <start=-2, end=-1> (x)", output="int64", label="end"),
    case("Reshape", 14, X, "y = Reshape(x, s)", constants="int64[2] s = {0, -1}"),
    case("Reshape", 14, "float[N, 3, 4] x", "s = Shape(x) t = Gather(s, i) "
         "y = Reshape <allowzero=1> (x, t)", constants="int64[3] i = {1, 0, 2}", label="computed"),
    case("Split", 18, X, "a, b = Split <axis=2, num_outputs=2> (x) y = Sub(a, b)"),
    case("Split", 18, X, "a, b = Split <axis=1, num_outputs=2> (x) y = Concat <axis=1> (b, a)",
         label="uneven"),
    case("Split", 18, "float[N, 3] x", "a, b, c = Split <num_outputs=3> (x) "
         "y = Concat <axis=0> (c, b, a)", label="open"),
    case("Split", 18, X, "a, b = Split <axis=1> (x, s) y = Concat <axis=1> (b, a)",
         constants="int64[2] s = {1, 2}", label="sizes"),
    case("Pad", 19, X, 'y = Pad <mode="wrap"> (x, p)', constants="int64[6] p = {0, 1, 3, 0, 2, 2}"),
    case("Pad", 19, X, 'y = Pad <mode="wrap"> (x, p, , a)',
         constants="int64[2] p = {2, 1}, int64[1] a = {-1}", label="axes"),
    case("Pad", 19, X, 'y = Pad <mode="reflect"> (x, p)', label="reflect",
         constants="int64[6] p = {0, 1, 1, 0, 1, 1}"),
    case("Pad", 18, X, "y = Pad(x, p, v)",
         constants="int64[6] p = {0, 1, 0, 0, 0, 1}, float v = {7}"),
    case("Pad", 18, X, "y = Pad(x, p, v, a)", label="axes",
         constants="int64[4] p = {1, 2, 3, 4}, float v = {7}, int64[2] a = {-1, 0}"),
    case("Pad", 18, "float[2, 3] x, int64[2] p", "y = Pad(x, p, , a)", label="computed",
         constants="int64[1] a = {1}"),
]  # fmt: skip

CASES = [
    *(*REDUCTIONS, *ACTIVATIONS, *NORMALIZATIONS, *ATTENTION, *RECURRENT),
    *(*QUANTISATION, *SIGNALS, *POOLING, *INDEXING, *SHAPES),
]

DEFINED = [
    case("CenterCropPad", 18, X, "y = CenterCropPad(x, s)", constants="int64[3] s = {2, 5, 2}"),
    case("RotaryEmbedding", 23, "float[2, 2, 3, 4] x, float[2, 3, 2] c, float[2, 3, 2] s",
         "y = RotaryEmbedding(x, c, s)"),
    case("HannWindow", 17, "float[1] x", "w = HannWindow(n) y = Add(w, x)",
         constants="int64 n = {7}"),
    case("BlackmanWindow", 17, "float[1] x", "w = BlackmanWindow <periodic=0> (n) y = Add(w, x)",
         constants="int64 n = {7}"),
]  # fmt: skip
"""Operators that the standard defines by others."""

NARROW = [
    case("Mul", 14, "int8[2, 3] x", "y = Mul(x, x)", output="int8"),
    case("Relu", 14, "int8[2, 3] x", "y = Relu(x)", output="int8"),
    case("ReduceMax", 20, "bool[2, 3] x", "y = ReduceMax(x, a)", output="bool",
         constants="int64[1] a = {1}"),
]  # fmt: skip
"""Dtypes that came late."""
