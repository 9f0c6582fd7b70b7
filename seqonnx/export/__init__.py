"""Export: inference graphs, checkpoints and weight files."""
