"""Automatic differentiation of ONNX graphs."""

from seqonnx.autodiff.api import gradients, hessian_vector_product, jvp, value_and_grad, vjp
from seqonnx.autodiff.blockers import Blocker, find_blockers, refuse_blockers
from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.registry import gradient, nondifferentiable
from seqonnx.autodiff.rule_emitter import Form, RuleEmitter
from seqonnx.autodiff.vmap import vmap

__all__ = [
    "Blocker",
    "Form",
    "RuleEmitter",
    "backward",
    "find_blockers",
    "gradient",
    "gradients",
    "hessian_vector_product",
    "jvp",
    "nondifferentiable",
    "refuse_blockers",
    "value_and_grad",
    "vjp",
    "vmap",
]


def __dir__() -> list[str]:
    return __all__
