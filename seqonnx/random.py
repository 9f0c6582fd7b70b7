"""Random tensors by Keras's names.

In a `call` that works on tensors they are drawn anew at every run; their `seed` decides, or that of
the run (`seqonnx.set_random_seed`), and each sample has numbers of its own. On arrays they are
drawn at once. A file has an input for each draw, which takes uniform numbers in [0, 1): the random
operators of ONNX have no kernels in ONNX Runtime at the operator set that is written. `beta`,
`binomial`, `gamma` and `shuffle` draw on arrays only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import config, dtypes
from seqonnx.catalogue import register
from seqonnx.contexts import in_own_context
from seqonnx.drawing import beta, binomial, gamma, shuffle
from seqonnx.dtypes import plain_value
from seqonnx.graph import Dim, Emitter, dtype_name, static_shape
from seqonnx.graph.operable import Valueless
from seqonnx.graph.tracing import tracing
from seqonnx.seeds import SeedGenerator, source_of
from seqonnx.structures import holds
from seqonnx.tensor_function import TensorFunction

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]


def __dir__() -> list[str]:
    return __all__


class RandomFunction(TensorFunction):
    """A function that draws numbers; its last argument is `seed`.

    A number as `seed` gives the same numbers at every call, as in Keras, where nothing else that
    is given is a tensor of a graph.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Emit, draw, or extend a model."""
        if len(args) > 0 and isinstance(args[0], Emitter):
            return self.emitted(args[0], self._by_name(args[1:], kwargs))
        arguments = self._by_name(args, kwargs)
        seed = arguments.get("seed")
        if isinstance(seed, int | np.integer) and not holds(arguments, Valueless):
            return self._outside(arguments)
        return super().__call__(**arguments)

    def emitted(self, op: Emitter, arguments: Mapping[str, Any]) -> Any:
        """Emit, with the arguments by name; what is drawn follows the `seed`."""
        with op.drawing_from(source_of(arguments.get("seed"))):
            return super().emitted(op, arguments)

    @in_own_context
    def _outside(self, arguments: dict[str, Any]) -> Any:
        """Draw numbers that are always the same: they are constants of a graph."""
        with tracing(None):
            return super().__call__(**arguments)

    def _seed(self, arguments: dict[str, Any]) -> int:
        """The seed of a call on arrays."""
        seed = arguments.pop("seed", None)
        if isinstance(seed, SeedGenerator):
            return seed.next()
        return config.next_seed() if seed is None else int(seed)


def _random(emission: Any) -> RandomFunction:
    return register("random")(RandomFunction(emission))


@_random
def uniform(
    op: Emitter,
    shape: Any,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: Any = None,
) -> ir.Value:
    """Return numbers drawn evenly between two bounds.

    Args:
        shape: sizes; in a `call` also what `seqonnx.ops.shape` gives.
        minval: lower bound, included.
        maxval: upper bound, excluded.
        dtype: dtype; default float32.
        seed: a number for the same numbers at every call, a `SeedGenerator`, or None.

    Example:
        >>> bool((uniform((100,), 2.0, 3.0) >= 2.0).all())
        True
    """
    noise = op.random_uniform(_sizes(op, shape))
    scaled = noise if maxval - minval == 1.0 else op.Mul(noise, float(maxval - minval))
    moved = scaled if minval == 0.0 else op.Add(scaled, float(minval))
    return op.cast(moved, dtypes.standardize(dtype))


@_random
def normal(
    op: Emitter,
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: Any = None,
) -> ir.Value:
    """Return normally distributed numbers.

    By the method of Box and Muller (1958): sqrt(-2 ln u) cos(2 pi v) of uniform u and v.

    Args:
        shape: sizes; in a `call` also what `seqonnx.ops.shape` gives.
        mean: their mean.
        stddev: their standard deviation.
        dtype: dtype; default float32.
        seed: see `uniform`.
    """
    sizes = _sizes(op, shape)
    # 1 - u lies in (0, 1]: its logarithm is finite.
    radius = op.Sqrt(op.Mul(op.Log(op.Sub(1.0, op.random_uniform(sizes))), -2.0 * stddev**2))
    drawn = op.Mul(radius, op.Cos(op.Mul(op.random_uniform(sizes), 2.0 * math.pi)))
    return op.cast(drawn if mean == 0.0 else op.Add(drawn, mean), dtypes.standardize(dtype))


@_random
def truncated_normal(
    op: Emitter,
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: Any = None,
) -> ir.Value:
    """Return normally distributed numbers within two standard deviations of the mean.

    By the inverse of the distribution function of uniform numbers.

    Args:
        shape: sizes; in a `call` also what `seqonnx.ops.shape` gives.
        mean: their mean.
        stddev: their standard deviation, before the numbers outside are left out.
        dtype: dtype; default float32.
        seed: see `uniform`.
    """
    bound = math.erf(2.0 / math.sqrt(2.0))
    y = op.Mul(op.Sub(op.Mul(op.random_uniform(_sizes(op, shape)), 2.0), 1.0), bound)
    x = _inverse_erf(op, y)
    drawn = op.Clip(op.Mul(x, math.sqrt(2.0)), -2.0, 2.0)
    scaled = drawn if stddev == 1.0 else op.Mul(drawn, float(stddev))
    return op.cast(scaled if mean == 0.0 else op.Add(scaled, mean), dtypes.standardize(dtype))


@_random
def randint(
    op: Emitter,
    shape: Any,
    minval: int,
    maxval: int,
    dtype: str = "int32",
    seed: Any = None,
) -> ir.Value:
    """Return integers drawn evenly from `minval` to below `maxval`.

    Args:
        shape: sizes; in a `call` also what `seqonnx.ops.shape` gives.
        minval: the smallest.
        maxval: the first that is not drawn; at most 2**24 above `minval`.
        dtype: dtype of the integers.
        seed: see `uniform`.

    Raises:
        ValueError: if there are too many to be drawn evenly from float32 noise.
    """
    count = int(maxval) - int(minval)
    if not 0 < count <= 1 << 24:
        raise ValueError(
            f"`randint` draws from 1 to 2**24 integers. Received: minval={minval}, maxval={maxval}"
        )
    drawn = op.Floor(op.Mul(op.random_uniform(_sizes(op, shape)), float(count)))
    # A product that rounds up to the count would be one too many.
    whole = op.cast(op.Min(drawn, float(count - 1)), "int64")
    return op.cast(op.Add(whole, int(minval)), dtypes.standardize(dtype))


@_random
def categorical(
    op: Emitter, logits: ir.Value, num_samples: int, dtype: str = "int32", seed: Any = None
) -> ir.Value:
    """Return classes drawn with the probabilities softmax(logits), by the Gumbel-max method.

    Args:
        logits: tensor of shape `(batch, classes)`.
        num_samples: draws for each row.
        dtype: dtype of the classes.
        seed: see `uniform`.

    Returns:
        Tensor of shape `(batch, num_samples)`.
    """
    batch, classes = static_shape(logits)
    noise = op.random_uniform((batch, num_samples, classes))
    gumbel = op.Neg(op.Log(op.Neg(op.Log(op.Add(op.Mul(noise, 1.0 - 1e-7), 5e-8)))))
    scores = op.Add(op.Unsqueeze(op.cast(logits, "float32"), [1]), gumbel)
    return op.cast(op.ArgMax(scores, axis=-1, keepdims=0), dtypes.standardize(dtype))


@_random
def dropout(
    op: Emitter,
    inputs: ir.Value,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: Any = None,
) -> ir.Value:
    """Return a tensor with a share of its numbers set to 0, the others scaled up to make up for it.

    Args:
        inputs: the tensor.
        rate: the share, from 0 to below 1.
        noise_shape: shape of the mask; None in it: the size of the tensor.
        seed: see `uniform`.
    """
    shape = static_shape(inputs)
    sizes = (
        shape
        if noise_shape is None
        else _sizes(
            op,
            [have if size is None else size for have, size in zip(shape, noise_shape, strict=True)],
        )
    )
    kept = op.cast(op.GreaterOrEqual(op.random_uniform(sizes), float(rate)), dtype_name(inputs))
    return op.Div(op.Mul(inputs, kept), 1.0 - rate)


def _sizes(op: Emitter, shape: Any) -> list[Dim]:
    """A shape that the user gave as sizes: numbers, and symbols of sizes known at run time.

    Raises:
        ValueError: if a size is a tensor that is not the size of another.
    """
    given = plain_value(shape)
    parts = given if isinstance(given, list | tuple) else [given]
    return [_symbol(op, part) if isinstance(part, ir.Value) else part for part in parts]


def _symbol(op: Emitter, size: ir.Value) -> Dim:
    """The symbol of a size that was read from a tensor by `seqonnx.ops.shape`."""
    if op.shapes_only and size.is_graph_input():  # read in another node of the model
        return None
    if size.const_value is not None:
        return int(size.const_value.numpy())
    node = size.producer()
    while node is not None and node.op_type in {"Cast", "Squeeze", "Reshape", "Unsqueeze"}:
        source = node.inputs[0]
        node = None if source is None else source.producer()
    if node is None or node.op_type != "Shape" or node.inputs[0] is None:
        raise ValueError(
            "A size of a random tensor must be a number, or the size of a tensor as "
            f"`seqonnx.ops.shape(x)` gives it. Received: {size}"
        )
    start = node.attributes["start"].as_int() if "start" in node.attributes else 0
    return static_shape(node.inputs[0])[start]


def _inverse_erf(op: Emitter, y: ir.Value) -> ir.Value:
    """Emit the inverse of erf for |y| < 0.96.

    Winitzki's approximation (2008) with two steps of Newton's method.
    """
    a = 0.147
    log = op.Log(op.Sub(1.0, op.Mul(y, y)))
    first = op.Add(op.Mul(log, 0.5), 2.0 / (math.pi * a))
    root = op.Sqrt(op.Sub(op.Mul(first, first), op.Mul(log, 1.0 / a)))
    x = op.Mul(op.Sign(y), op.Sqrt(op.Sub(root, first)))
    for _ in range(2):
        slope = op.Mul(op.Exp(op.Neg(op.Mul(x, x))), 2.0 / math.sqrt(math.pi))
        x = op.Sub(x, op.Div(op.Sub(op.Erf(x), y), slope))
    return x
