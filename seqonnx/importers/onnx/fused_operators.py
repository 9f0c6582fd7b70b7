"""Operators that ONNX Runtime's optimizer makes of several, taken apart again.

A file that ONNX Runtime has optimized holds operators of its own domain, for which there is
neither shape inference nor a gradient. What each of them computes is documented in ONNX Runtime's
`ContribOperators.md`; here it is said in operators of the standard, so that such a file can be
trained, and exported for any reader. `ai.onnx.ml` operators that prepare numbers go the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import onnx
from onnx import helper

from seqonnx.errors import ModelFileError
from seqonnx.graph.reading import is_standard
from seqonnx.importers.onnx.fused_attention import (
    Ranks,
    attention,
    multi_head_attention,
    rotary_embedding,
)
from seqonnx.importers.onnx.node_rewriting import (
    NewNodes,
    NotKnownError,
    attribute,
    graphs,
    ranks_of,
    rewrite_nodes,
)

MICROSOFT: Final = "com.microsoft"
LEARNERS: Final = "ai.onnx.ml"

Compose = Callable[[onnx.NodeProto], list[onnx.NodeProto]]


def take_apart(
    proto: onnx.ModelProto, infer: Callable[[onnx.ModelProto], onnx.ModelProto], name: str
) -> onnx.ModelProto:
    """Put standard operators in the place of fused ones, in subgraphs too.

    Args:
        proto: model in the pinned operator set; it is changed.
        infer: returns a model with the types of inner tensors.
        name: what errors call the model.

    Raises:
        ModelFileError: if a fused operator is used in a way that has no composition.
    """
    left = _count(proto.graph)
    if left == 0:
        return proto
    while left > 0:
        # What is behind one that is taken apart gets its number of axes, which others ask for.
        proto = infer(proto)
        unknown = _take_apart_known(proto.graph, name)
        if len(unknown) == left:
            raise ModelFileError(unknown[0])
        left = len(unknown)
    used = {node.domain for graph in graphs(proto.graph) for node in graph.node}
    kept = [made for made in proto.opset_import if made.domain in used | {""}]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    return proto


def mark_foreign(graph: onnx.GraphProto) -> None:
    """Give operators that ONNX Runtime puts into the standard's domain its own one, in place."""
    for current in graphs(graph):
        for node in current.node:
            if node.op_type == "SimplifiedLayerNormalization" and is_standard(node):
                node.domain = MICROSOFT


def _take_apart_known(graph: onnx.GraphProto, name: str) -> list[str]:
    """Rewrite what can be told apart by now; returns why the rest cannot."""
    ranks = ranks_of(graph)
    unknown: list[str] = []

    def rewrite(node: onnx.NodeProto) -> list[onnx.NodeProto] | None:
        if not _is_fused(node):
            return None
        title = (
            f"{node.op_type} '{node.name or node.output[0]}' of {name} (domain '{node.domain}') "
            "cannot be written with operators of the standard: "
        )
        try:
            attend = _ATTENTIONS.get(node.op_type)
            if node.domain == MICROSOFT and attend is not None:
                return attend(node, ranks)
            return _COMPOSED[node.domain, node.op_type](node)
        except NotKnownError as error:
            unknown.append(
                f"{title}{error.args[0]} is not known. Declare shapes in the `value_info` of the "
                "file."
            )
            return None
        except ValueError as error:
            raise ModelFileError(
                f"{title}{error}. Export the model without ONNX Runtime's optimizations, or cut "
                "the network before it (`outputs=`)."
            ) from error

    rewrite_nodes(graph, rewrite, of_standard=False)
    return unknown


def _count(graph: onnx.GraphProto) -> int:
    return sum(_is_fused(node) for current in graphs(graph) for node in current.node)


def _is_fused(node: onnx.NodeProto) -> bool:
    """Whether a node is one that has a composition here."""
    attends = node.domain == MICROSOFT and node.op_type in _ATTENTIONS
    return attends or (node.domain, node.op_type) in _COMPOSED


def _gelu(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    made = NewNodes(node.output[0])
    made("Gelu", node.input[0], last=True)
    return made.nodes


def _bias_gelu(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    made = NewNodes(node.output[0])
    made("Gelu", made("Add", *node.input), last=True)
    return made.nodes


def _fast_gelu(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    made = NewNodes(node.output[0])
    x, *bias = (name for name in node.input if name)
    made("Gelu", made("Add", x, *bias) if bias else x, approximate="tanh", last=True)
    return made.nodes


def _quick_gelu(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    made, x = NewNodes(node.output[0]), node.input[0]
    alpha = made.float_like(attribute(node, "alpha", 1.702), x)
    made("Mul", x, made("Sigmoid", made("Mul", x, alpha)), last=True)
    return made.nodes


def _fused_conv(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Conv, then the tensor to add, then the activation."""
    made = NewNodes(node.output[0])
    own = {"activation", "activation_params"}
    settings = {a.name: helper.get_attribute_value(a) for a in node.attribute if a.name not in own}
    y = made("Conv", *node.input[:3], **settings)
    if len(node.input) > 3 and node.input[3]:
        y = made("Add", y, node.input[3])
    numbers = attribute(node, "activation_params", [])
    _activate(made, y, attribute(node, "activation", b"").decode(), numbers)
    return made.nodes


def _fused_gemm(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    made = NewNodes(node.output[0])
    settings = {
        a.name: helper.get_attribute_value(a)
        for a in node.attribute
        if not a.name.startswith("activation")
    }
    y = made("Gemm", *node.input, **settings)
    names = ("activation_alpha", "activation_beta")
    numbers = [n for n in (attribute(node, name, None) for name in names) if n is not None]
    _activate(made, y, attribute(node, "activation", b"").decode(), numbers)
    return made.nodes


def _activate(made: NewNodes, x: str, kind: str, numbers: list[float]) -> None:
    """Add the activation of a fused node, as its last operator."""
    if kind == "Clip":
        least, most = (made.float_like(number, x) for number in numbers)
        made("Clip", x, least, most, last=True)
    elif kind in _ACTIVATIONS:
        names = _ACTIVATIONS[kind]
        made(kind or "Identity", x, last=True, **dict(zip(names, numbers, strict=False)))
    else:
        raise ValueError(f"its activation {kind!r} is none of {sorted({*_ACTIVATIONS, 'Clip'})}")


_ACTIVATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "": (),
    "HardSigmoid": ("alpha", "beta"),
    "HardSwish": (),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Sigmoid": (),
    "Softplus": (),
    "Tanh": (),
    "ThresholdedRelu": ("alpha",),
}
"""Operators that a fused node applies at its end, with the attributes that its numbers are."""


def _fused_matmul(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """alpha * A B, each transposed in its last two axes where the node says so."""
    if attribute(node, "transBatchA", 0) or attribute(node, "transBatchB", 0):
        raise ValueError("it turns batch axes (`transBatchA`, `transBatchB`)")
    made = NewNodes(node.output[0])
    sides = [
        _turned(made, name) if attribute(node, f"trans{side}", 0) else name
        for side, name in zip("AB", node.input, strict=True)
    ]
    alpha = attribute(node, "alpha", 1.0)
    if alpha == 1.0:
        made("MatMul", *sides, last=True)
    else:
        product = made("MatMul", *sides)
        made("Mul", product, made.float_like(alpha, product), last=True)
    return made.nodes


def _turned(made: NewNodes, name: str) -> str:
    """The last two axes exchanged, whatever the number of axes: Einsum needs no rank."""
    return made("Einsum", name, equation="...ij->...ji")


def _skip_normalization(node: onnx.NodeProto, kind: str, parameters: int) -> list[onnx.NodeProto]:
    """The sum of the two ways and the bias, normalized over the last axis."""
    inputs = [*node.input, "", "", ""]
    bias = inputs[2 + parameters]
    outputs = [*node.output, "", "", ""]
    if any(outputs[1:3]):
        raise ValueError("its outputs `mean` and `inv_std_var` are used")
    made = NewNodes(node.output[0])
    total = made("Add", inputs[0], inputs[1])
    if bias:
        total = made("Add", total, bias)
    settings = {"epsilon": attribute(node, "epsilon", 1e-12), "axis": -1}
    scale = [name for name in inputs[2 : 2 + parameters] if name]
    made(kind, total, *scale, last=True, **settings)
    if outputs[3]:
        made.nodes.append(helper.make_node("Identity", [total], [outputs[3]], outputs[3]))
    return made.nodes


def _skip_layer_normalization(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    return _skip_normalization(node, "LayerNormalization", 2)


def _skip_rms_normalization(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    return _skip_normalization(node, "RMSNormalization", 1)


def _rms_normalization(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    if len(node.output) > 1 and node.output[1]:
        raise ValueError("its output `inv_std_var` is used")
    made = NewNodes(node.output[0])
    names = ("axis", "epsilon", "stash_type")
    given = {name: attribute(node, name, None) for name in names}
    settings = {name: value for name, value in given.items() if value is not None}
    made("RMSNormalization", *node.input[:2], last=True, **settings)
    return made.nodes


def _scaler(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """(x - offset) * scale."""
    made = NewNodes(node.output[0])
    x = made("Cast", node.input[0], to=onnx.TensorProto.FLOAT)
    offset, scale = (made.floats(attribute(node, name, [0.0])) for name in ("offset", "scale"))
    made("Mul", made("Sub", x, offset), scale, last=True)
    return made.nodes


def _normalizer(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Rows divided by their norm; a row of zeros stays."""
    made = NewNodes(node.output[0])
    x = made("Cast", node.input[0], to=onnx.TensorProto.FLOAT)
    last = made.integers(-1)
    kind = attribute(node, "norm", b"MAX")
    if kind == b"MAX":
        norm = made("ReduceMax", x, last)
    else:
        norm = made("ReduceL1" if kind == b"L1" else "ReduceL2", x, last)
    zero, one = made.floats([0.0]), made.floats([1.0])
    made("Div", x, made("Where", made("Equal", norm, zero), one, norm), last=True)
    return made.nodes


def _imputer(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Another number, by column, where the one that stands for a missing value is."""
    made, x = NewNodes(node.output[0]), node.input[0]
    integers = attribute(node, "imputed_value_int64s", [])
    if len(integers) > 0:
        numbers = made.integers(*integers)
        absent = made("Equal", x, made.integers(attribute(node, "replaced_value_int64", 0)))
    else:
        numbers = made.floats(attribute(node, "imputed_value_floats", []))
        missing = attribute(node, "replaced_value_float", 0.0)
        absent = made("IsNaN", x) if np.isnan(missing) else made("Equal", x, made.floats([missing]))
    made("Where", absent, numbers, x, last=True)
    return made.nodes


_COMPOSED: Final[Mapping[tuple[str, str], Compose]] = {
    (LEARNERS, "Imputer"): _imputer,
    (LEARNERS, "Normalizer"): _normalizer,
    (LEARNERS, "Scaler"): _scaler,
    (MICROSOFT, "BiasGelu"): _bias_gelu,
    (MICROSOFT, "FastGelu"): _fast_gelu,
    (MICROSOFT, "FusedConv"): _fused_conv,
    (MICROSOFT, "FusedGemm"): _fused_gemm,
    (MICROSOFT, "FusedMatMul"): _fused_matmul,
    (MICROSOFT, "Gelu"): _gelu,
    (MICROSOFT, "QuickGelu"): _quick_gelu,
    (MICROSOFT, "SimplifiedLayerNormalization"): _rms_normalization,
    (MICROSOFT, "SkipLayerNormalization"): _skip_layer_normalization,
    (MICROSOFT, "SkipSimplifiedLayerNormalization"): _skip_rms_normalization,
}

_ATTENTIONS: Final[Mapping[str, Callable[[onnx.NodeProto, Ranks], list[onnx.NodeProto]]]] = {
    "Attention": attention,
    "MultiHeadAttention": multi_head_attention,
    "RotaryEmbedding": rotary_embedding,
}
"""Operators of ONNX Runtime's domain whose composition depends on numbers of axes."""
