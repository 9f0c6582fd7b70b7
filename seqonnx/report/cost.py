"""Multiply-accumulates (MACs) per operator.

What is counted: contractions, i.e. products of two tensors summed over an axis, which is where
the work of a network is: matrix products, convolutions, recurrent cells, attention. One MAC is
one multiplication and one addition, 2 FLOPs. A bias is not counted. Multiplications by padding
zeros are counted, as every common tool does.

What counts as 0: operators without a contraction (`NO_CONTRACTION`): moving data, element-wise
arithmetic, activations, reductions of one tensor, pooling, normalisation.

Everything else is None, "not counted", and is reported as such, never silently as 0.
"""

from __future__ import annotations

from seqonnx.graph.reading import STANDARD_DOMAINS
from seqonnx.graph.versions import LOOKUP_DOMAIN
from seqonnx.report.mac_rules import MAC_RULES, NodeFacts
from seqonnx.report.polynomial import Polynomial

_SAME_AS_STANDARD = {
    "FusedConv": "Conv",
    "FusedGemm": "Gemm",
    "FusedMatMul": "FusedMatMul",
    "TransposeMatMul": "FusedMatMul",
}
"""Operators of ONNX Runtime's own domain, and the rule that fits them."""

# moving, selecting and making data
_DATA = """
    Cast CastLike CenterCropPad Col2Im Compress Concat ConcatFromSequence Constant
    ConstantOfShape DepthToSpace DequantizeLinear DynamicQuantizeLinear Expand EyeLike Flatten
    Gather GatherElements GatherND Identity NonZero OneHot Optional OptionalGetElement
    OptionalHasElement Pad QuantizeLinear Range Reshape ReverseSequence Scatter ScatterElements
    ScatterND SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert
    SequenceLength Shape Size Slice SpaceToDepth Split SplitToSequence Squeeze TensorScatter
    Tile Transpose Trilu Unique Unsqueeze
"""
# element-wise
_ELEMENTWISE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitCast BitShift BitwiseAnd BitwiseNot
    BitwiseOr BitwiseXor Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater
    GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min
    Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu RotaryEmbedding Round Selu Shrink Sigmoid
    Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor
"""
# reductions of one tensor, softmax, ordering
_REDUCTIONS = """
    ArgMax ArgMin CumProd CumSum Hardmax LogSoftmax NonMaxSuppression ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Softmax TopK
"""
# pooling and normalisation
_POOLS_AND_NORMS = """
    AveragePool BatchNormalization GlobalAveragePool GlobalLpPool GlobalMaxPool
    GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization LpPool
    MaxPool MaxRoiPool MaxUnpool MeanVarianceNormalization RMSNormalization
"""
# randomness, dropout, losses, windows, text
_OTHERS = """
    Bernoulli BlackmanWindow Dropout HammingWindow HannWindow Multinomial
    NegativeLogLikelihoodLoss RandomNormal RandomNormalLike RandomUniform RandomUniformLike
    RegexFullMatch SoftmaxCrossEntropyLoss StringConcat StringNormalizer StringSplit
    TfIdfVectorizer
"""

NO_CONTRACTION = frozenset(
    " ".join((_DATA, _ELEMENTWISE, _REDUCTIONS, _POOLS_AND_NORMS, _OTHERS)).split()
)
"""Standard operators that count as 0 by definition."""


def count_macs(domain: str, facts: NodeFacts) -> Polynomial | None:
    """Return the MACs of one node, or None if it is not counted.

    Args:
        domain: domain of the operator; the standard ones and `com.microsoft` have rules.
        facts: shapes and attributes of the node.

    Example:
        >>> facts = NodeFacts("MatMul", 13, (("N", 4), (4, 3)), (("N", 3),))
        >>> str(count_macs("", facts))
        '12 * N'
    """
    if domain == "com.microsoft":
        rule = MAC_RULES.get(_SAME_AS_STANDARD.get(facts.op_type, ""))
    elif domain in STANDARD_DOMAINS:
        if facts.op_type in NO_CONTRACTION:
            return Polynomial.of(0)
        rule = MAC_RULES.get(facts.op_type)
    elif (domain, facts.op_type) == (LOOKUP_DOMAIN, "LabelEncoder"):
        return Polynomial.of(0)
    else:
        rule = None
    if rule is None:
        return None
    try:
        return rule(facts)
    except (IndexError, KeyError, TypeError, ValueError):
        # The node does not fit the definition of its operator; the checker says so, not we.
        return None


def has_rule(op_type: str) -> bool:
    """Whether a standard operator has a MAC rule or is listed as free of contractions."""
    return op_type in MAC_RULES or op_type in NO_CONTRACTION
