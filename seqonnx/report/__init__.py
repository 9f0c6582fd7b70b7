"""Reports on models: the summary table, and what `seqonnx inspect` knows about a file."""
