"""The pipelines: which passes a graph goes through, in which order, and why.

A pass is a file of this room that rewrites a graph in place, and an entry here. Every graph that
seqonnx makes goes through one or two pipelines:

- `FORWARD`: the layers alone, before anything is added to them;
- `STEP`: a training or test step, differentiated, with its outputs declared;
- `INFERENCE`: a forward pass with baked weights, for a session or a file;
- `EAGER`: layers called on arrays, with weights that are fed;
- `TUNING`: the gradient of one node, run only to be measured.

What is chosen while a graph is emitted (`descent`, `packing`, `logits`) is a form and stands in no
pipeline; what reads files of others (`free_batch` and what it needs) belongs to the import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.function_calls import exits_of
from seqonnx.lowering.batch_statistics import expand_batch_statistics
from seqonnx.lowering.blocked import block_convolutions
from seqonnx.lowering.cropping import crop_dead_borders
from seqonnx.lowering.flat_outputs import flatten_outputs
from seqonnx.lowering.folding import fold
from seqonnx.lowering.layout import move_transposes
from seqonnx.lowering.low_rank import split_low_rank
from seqonnx.lowering.padding import merge_padding
from seqonnx.lowering.recompute import recompute_activations
from seqonnx.lowering.relabel import say_for_cuda
from seqonnx.lowering.shared_states import share_states
from seqonnx.lowering.small_maps import multiply_small_maps
from seqonnx.lowering.unused import drop_unused

DeviceName = Literal["cpu", "cuda"]
DEVICES: Final[tuple[DeviceName, ...]] = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Facts and wishes about a graph that its nodes do not tell the passes.

    Args:
        device: where the graph will run; for a file, which may run anywhere, the CPU.
        training: whether the graph is that of a training mode.
        prune: whether there are nodes of the layers that nothing needs.
        data: inputs that change with the batch: data, targets and noise.
        recompute: whether activations are computed again for the backward pass, or the names of
            the layers whose outputs are kept.
        flat: whether variables may leave the graph in another shape.
        folded: whether what only training needs goes into the weights.
        block: channels in a block of ONNX Runtime's blocked layout; 0 to stay without it, as every
            graph must that goes into a file.
    """

    device: DeviceName = "cpu"
    training: bool = False
    prune: bool = False
    data: Sequence[ir.Value] = ()
    recompute: bool | Sequence[str] = False
    flat: bool = False
    folded: bool = False
    block: int = 0


def _always(options: Options) -> bool:
    return True


@dataclass(frozen=True)
class Pass:
    """One entry of a pipeline.

    Args:
        name: the file of this room that holds the pass.
        run: rewrites the graph of an emitter in place.
        reason: why the pass is there, and why at this place.
        devices: where a graph that needs it runs.
        wanted: whether a graph of these options gets it.
    """

    name: str
    run: Callable[[Emitter, Options], object]
    reason: str
    devices: tuple[DeviceName, ...] = DEVICES
    wanted: Callable[[Options], bool] = _always


def lower(op: Emitter, pipeline: Sequence[Pass], options: Options | None = None) -> None:
    """Send the graph of an emitter through a pipeline, in place.

    Args:
        op: emitter of the graph, with its outputs declared.
        pipeline: one of the pipelines of this file.
        options: what the passes must know; default: a graph for the CPU without more wishes.

    Example:
        >>> op = Emitter()
        >>> x, v = op.input("x", "float32", ("batch", 2)), op.input("v", "float32", (2,))
        >>> _ = op.output(op.BatchNormalization(x, v, v, v, v, training_mode=1, _outputs=3)[0], "y")
        >>> lower(op, EAGER)
        >>> op.graph[0].op_type
        'ReduceMean'
    """
    options = Options() if options is None else options
    for entry in pipeline:
        if options.device in entry.devices and entry.wanted(options):
            entry.run(op, options)


def _move_transposes(op: Emitter, options: Options) -> None:
    noise, exits = list(op.noise.values()), exits_of(op.calls)
    move_transposes(op.graph, any_order=noise, fixed=exits)
    op.refresh_names()


def _recompute(op: Emitter, options: Options) -> None:
    keep = None if isinstance(options.recompute, bool) else options.recompute
    recompute_activations(op.graph, options.data, keep)


_STATISTICS: Final = Pass(
    "batch_statistics",
    lambda op, _: expand_batch_statistics(op.graph),
    "ONNX Runtime must not see BatchNormalization in training mode: its kernel writes over its "
    "inputs. After differentiation, whose rule knows the operator; in inference, too, where a file "
    "holds such nodes.",
)
_BLOCKED: Final = Pass(
    "blocked",
    lambda op, options: block_convolutions(op.graph, options.block),
    "ONNX Runtime has faster convolutions for a layout of its own, which it takes for constant "
    "weights alone; after recomputation, so that the copies gain, too, and before small maps, "
    "which have what is left.",
    devices=("cpu",),
    wanted=lambda options: options.block > 0,
)
_RELABEL: Final = Pass(
    "relabel",
    lambda op, _: say_for_cuda(op.graph),
    "CUDA kernels are registered for older operator sets; last, as it asks every node.",
    devices=("cuda",),
)

FORWARD: Final = (
    Pass(
        "low_rank",
        lambda op, _: split_low_rank(op),
        "An adapter is multiplied apart from the weight that it adapts; before differentiation, "
        "so that no gradient is as large as the weight, and before a Transpose moves into it.",
    ),
    Pass(
        "unused",
        lambda op, _: drop_unused(op.graph),
        "Losses that layers add are not asked for here; first, so that no later pass moves a "
        "Transpose for their sake.",
        wanted=lambda options: options.prune,
    ),
    Pass(
        "layout",
        _move_transposes,
        "Layers that see channels last put Transposes around every image operator; before "
        "differentiation, so that the gradient has none of them either.",
    ),
    Pass(
        "padding",
        lambda op, _: merge_padding(op.graph),
        "Zeros that a layer puts around a map are a copy, which a convolution does without; after "
        "the layout, as a Transpose may stand between them. Only in training: a session for "
        "inference does it itself.",
        wanted=lambda options: options.training,
    ),
    Pass(
        "cropping",
        lambda op, _: crop_dead_borders(op),
        "What a pooling drops need not be computed, nor its gradient; after the layout, as it "
        "looks for convolutions right before a pooling. Only in training, because it changes "
        "shapes inside, which a file for inference shows.",
        wanted=lambda options: options.training,
    ),
)
STEP: Final = (
    Pass(
        "flat_outputs",
        lambda op, _: flatten_outputs(op.graph),
        "A Reshape that makes an output is a copy; before unused nodes go, so that it goes, too.",
        wanted=lambda options: options.flat,
    ),
    Pass(
        "shared_states",
        lambda op, _: share_states(op.graph),
        "The gradients of recurrent operators compute all states again; before unused nodes go, as "
        "the operators then are. Where activations are to be computed again, so are these.",
        wanted=lambda options: options.recompute is False,
    ),
    Pass(
        "unused",
        lambda op, _: drop_unused(op.graph),
        "ONNX Runtime computes nodes that nothing uses, such as activations that no rule asked "
        "for; before recomputation, which would keep what they read.",
    ),
    _STATISTICS,
    Pass(
        "recompute",
        _recompute,
        "Less memory for a second forward pass; after the batch statistics, whose operators are "
        "computed again one by one.",
        wanted=lambda options: options.recompute is not False,
    ),
    _RELABEL,
    _BLOCKED,
    Pass(
        "small_maps",
        lambda op, _: multiply_small_maps(op.graph),
        "The CPU provider convolves image by image, which small maps do not pay for; after "
        "recomputation, so that the copies gain, too.",
        devices=("cpu",),
    ),
)
INFERENCE: Final = (
    _STATISTICS,
    Pass(
        "folding",
        lambda op, _: fold(op.graph),
        "A batch normalization with fixed statistics is part of the product before it; a file is "
        "written once and read often, a session folds for itself.",
        wanted=lambda options: options.folded,
    ),
    _RELABEL,
)
EAGER: Final = (_STATISTICS,)
TUNING: Final = (
    Pass(
        "unused",
        lambda op, _: drop_unused(op.graph),
        "Only the gradient is measured: what the node itself computes, and no gradient reads, "
        "would count as well.",
    ),
    _BLOCKED,
)
