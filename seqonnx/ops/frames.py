"""Images as one batch with channels first, whatever form they were given in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.ops.channels import FIRST, check_data_format
from seqonnx.ops.promotion import tensor
from seqonnx.ops.sizes import rank_of


def framed(
    op: Emitter, images: Any, data_format: str | None
) -> tuple[ir.Value, Callable[[ir.Value], ir.Value]]:
    """Return images as `(batch, channels, height, width)`, and what brings a result back.

    Args:
        op: emitter of the graph.
        images: one image or a batch of them.
        data_format: where the channels are; None: last.

    Raises:
        ValueError: if images have neither three axes nor four.
    """
    x = tensor(op, images)
    rank = rank_of(x)
    if rank not in (3, 4):
        raise ValueError(
            "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). "
            f"Received input with shape: images.shape={static_shape(x)}"
        )
    first = check_data_format(data_format) == FIRST

    def back(made: ir.Value) -> ir.Value:
        turned = made if first else op.Transpose(made, perm=[0, 2, 3, 1])
        return op.Squeeze(turned, [0]) if rank == 3 else turned

    batch = op.Unsqueeze(x, [0]) if rank == 3 else x
    return batch if first else op.Transpose(batch, perm=[0, 3, 1, 2]), back
