"""Training: the step graph, its state on the device, batches and the loops."""

from seqonnx.training.compiled_function import CompiledFunction, function
from seqonnx.training.tape import GradientTape, grad, value_and_grad

__all__ = ["CompiledFunction", "GradientTape", "function", "grad", "value_and_grad"]
