"""`python -m seqonnx`, the same as the command `seqonnx`."""

from seqonnx.cli import run

run()
