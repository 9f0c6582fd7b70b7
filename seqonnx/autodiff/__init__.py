"""Automatic differentiation of ONNX graphs."""

from seqonnx.autodiff.api import gradients
from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.registry import gradient, nondifferentiable
from seqonnx.autodiff.rule_emitter import RuleEmitter

__all__ = ["RuleEmitter", "backward", "gradient", "gradients", "nondifferentiable"]
