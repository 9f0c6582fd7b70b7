"""Any ONNX file, of any operator set, exporter and batch size: read with distrust and limits."""
