"""Any ONNX file as a layer."""
