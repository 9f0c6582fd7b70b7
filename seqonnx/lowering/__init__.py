"""Passes over graphs that onnxscript and onnx_ir lack."""
