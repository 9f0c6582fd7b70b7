"""Shape inference on any file: names for dynamic dimensions, sizes for them, and what is known.

Dimensions that only inference made up (`unk__3`) are unknown to us, and so is each one whose name
says nothing (`?`): inference would take all that are called so for one and the same. A dimension
of a graph input without a name gets one, `images[0]` for the first of the input `images`, so that
counts can be written in terms of it and a size can be given for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import onnx
from onnx import inliner, shape_inference

from seqonnx.report.dimensions import evaluate, is_name, means_a_size, names_in, shapes_in
from seqonnx.report.folding import fold_shapes
from seqonnx.report.polynomial import Dim
from seqonnx.report.read import graphs_of, stored_tensors
from seqonnx.report.reshapes import set_dim, solve_reshapes
from seqonnx.report.tensors import describe_type

_ROUNDS = 16


def prepare(model: onnx.ModelProto) -> tuple[str, ...]:
    """Inline the functions of `model` and name its dynamic dimensions, in place.

    Returns:
        Notes on what could not be done.
    """
    if not model.opset_import:  # files before IR version 3 do not say it
        model.opset_import.add(domain="", version=1)
    notes = inline(model)
    _forget_unknown(model)
    _name_inputs(model)
    return notes


def feeds(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that a caller gives: old files list initializers as inputs too."""
    stored = {name for name, _ in stored_tensors(model.graph)}
    return [value for value in model.graph.input if value.name not in stored]


def dynamic_dims(model: onnx.ModelProto) -> list[str]:
    """Return the names of the dynamic dimensions of the inputs, in order."""
    shapes = [describe_type(value.type)[1] or () for value in feeds(model)]
    return list(dict.fromkeys(dim for shape in shapes for dim in shape if isinstance(dim, str)))


def match_shapes(model: onnx.ModelProto, given: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Return the size of each dynamic dimension of the inputs: as `given`, else 1.

    An expression such as `past + 1` that is not given comes to what its names say.

    Raises:
        ValueError: if a name is no input, a rank or a static dimension differs, or one dimension
            name gets two sizes.
    """
    inputs = {value.name: describe_type(value.type)[1] for value in feeds(model)}
    sizes: dict[str, int] = {}
    for name, shape in given.items():
        if name not in inputs:
            raise ValueError(
                f"The model has no input {name!r}. Its inputs are: {', '.join(inputs) or 'none'}."
            )
        declared = inputs[name]
        if declared is None:
            continue
        if len(declared) != len(shape):
            raise ValueError(
                f"Input {name!r} has {len(declared)} dimensions {_text(declared)}. "
                f"Received: {_text(shape)}"
            )
        for axis, (dim, size) in enumerate(zip(declared, shape, strict=True)):
            known = sizes.setdefault(dim, size) if isinstance(dim, str) else dim
            if known not in {None, size}:
                raise ValueError(
                    f"Input {name!r} has shape {_text(declared)}, and dimension {axis} is {known}. "
                    f"Received: {_text(shape)}"
                )
    return _completed(sizes, dynamic_dims(model))


def _completed(given: Mapping[str, int], dims: Sequence[str]) -> dict[str, int]:
    """Return a size for each dimension: as given, as an expression says, or 1."""
    plain = {name: given.get(name, 1) for name in dims if is_name(name)}
    sizes = {}
    for name in dims:
        value = evaluate(name, plain)
        sizes[name] = given.get(name, 1 if value is None else value)
        if value is not None and value != sizes[name] and names_in(name) <= given.keys():
            equations = ", ".join(f"{part} = {given[part]}" for part in sorted(names_in(name)))
            raise ValueError(f"Dimension {name} is {value} at {equations}. Received: {sizes[name]}")
    return sizes


def bound(
    model: onnx.ModelProto, sizes: Mapping[str, int], given: Mapping[str, Sequence[int]]
) -> onnx.ModelProto:
    """Return a copy with sizes in place of dimension names; inference fills in the rest."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        tensor = value.type.tensor_type
        if value.name in given and not tensor.HasField("shape"):
            tensor.shape.dim.extend(
                onnx.TensorShapeProto.Dimension(dim_value=size) for size in given[value.name]
            )
    for graph in graphs_of(copy):
        for dim in _dims(graph):
            if dim.WhichOneof("value") != "dim_param":
                continue
            size = evaluate(dim.dim_param, sizes)
            if size is None:
                dim.ClearField("dim_param")
            else:
                dim.dim_value = size
    return copy


def infer(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str | None]:
    """Return the model with every shape that inference finds, and why inference failed if it did.

    Inference never stops the report: without it the shapes that the file declares remain. It
    does not divide dimension names, so it loses the batch in a Reshape to `(-1, 5408)`, and does
    not follow all arithmetic on shapes; both are solved here, and inference goes on from there.
    """
    own = set(_dim_params(model))
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    model = copy
    originals = fold_shapes(model)
    failure = None
    for _ in range(_ROUNDS):
        # Data propagation takes bounds of Slice that it does not know for 0: wrong shapes.
        follow = not _has_unknown_bounds(model.graph)
        try:
            model = shape_inference.infer_shapes(model, strict_mode=False, data_prop=follow)
        except Exception as error:  # the C++ side raises several unrelated types
            failure = str(error).strip().splitlines()[0]
            break
        solved = _solve(model, own)
        folded = fold_shapes(model) if _has_gaps(model.graph) else {}
        originals = folded | originals
        if not solved and not folded:
            break
    for index, node in originals.items():
        model.graph.node[index].CopyFrom(node)
    return model, failure


def _solve(model: onnx.ModelProto, own: Collection[str]) -> bool:
    """Put what reshapes say in place of the names that inference made up, and clear the others.

    Returns:
        Whether anything was found out.
    """

    def made_up(name: str) -> bool:
        return name.startswith("unk__") and name not in own

    known, filled = solve_reshapes(model, made_up)
    for graph in graphs_of(model):
        for field in _dims(graph):
            if made_up(field.dim_param):
                dim = known.get(field.dim_param)
                open_ = isinstance(dim, str) and any(map(made_up, dim.split("*")))
                set_dim(field, None if open_ else dim)
    return filled or len(known) > 0


def _has_unknown_bounds(graph: onnx.GraphProto) -> bool:
    """Whether a Slice takes bounds that are computed."""
    stored = {name for name, _ in stored_tensors(graph)}
    slices = (node for node in graph.node if node.op_type == "Slice")
    return any(name not in stored for node in slices for name in node.input[1:] if name)


def _has_gaps(graph: onnx.GraphProto) -> bool:
    """Whether some value that is read has a shape that is not fully known."""
    types = {value.name: value.type for value in (*graph.value_info, *graph.output)}
    made = {name for node in graph.node for name in node.output}
    read = {name for node in graph.node for name in node.input}
    for name in made & (read | {value.name for value in graph.output}):
        shape = describe_type(types[name])[1] if name in types else None
        if shape is None or None in shape:
            return True
    return False


def count_calls(model: onnx.ModelProto) -> dict[str, int]:
    """Return how many nodes call each model-local function."""
    calls = {f"{f.domain}.{f.name}": 0 for f in model.functions}
    bodies = [graph.node for graph in graphs_of(model)]
    bodies.extend(function.node for function in model.functions)
    for node in (node for body in bodies for node in body):
        name = f"{node.domain}.{node.op_type}"
        if name in calls:
            calls[name] += 1
    return calls


def inline(model: onnx.ModelProto) -> tuple[str, ...]:
    """Replace calls of model-local functions by their bodies, in place."""
    if not model.functions:
        return ()
    try:
        inlined = inliner.inline_local_functions(model)
    except Exception as error:  # the C++ side raises several unrelated types
        return (f"Model-local functions are not expanded: {str(error).strip().splitlines()[0]}",)
    model.CopyFrom(inlined)
    return ()


def _forget_unknown(model: onnx.ModelProto) -> None:
    """Clear dimensions that are dynamic without meaning one size: negative, or without a name."""
    names = {name for name in _dim_params(model) if is_name(name)}
    for graph in graphs_of(model):
        for dim in _dims(graph):
            if dim.dim_value < 0:  # what some exporters write for a dynamic dimension
                dim.ClearField("dim_value")
            if dim.HasField("dim_param") and not means_a_size(dim.dim_param, names):
                dim.ClearField("dim_param")


def _name_inputs(model: onnx.ModelProto) -> None:
    """Name the dimensions of graph inputs that have no name after their input and axis."""
    taken: set[str] = set()
    for value in model.graph.input:
        # Signs of arithmetic in the name of an input must not read as an expression.
        plain = re.sub(r"[\s+*/()%-]", "_", value.name)
        while plain in taken:
            plain += "_"
        taken.add(plain)
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.WhichOneof("value") is None:
                dim.dim_param = f"{plain}[{axis}]"


def _dims(graph: onnx.GraphProto) -> Iterator[onnx.TensorShapeProto.Dimension]:
    """Yield the dimensions of all values that a graph describes."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for shape in shapes_in(value.type):
            yield from shape.dim


def _dim_params(model: onnx.ModelProto) -> Iterator[str]:
    """Yield every dimension name that the file itself uses."""
    for graph in graphs_of(model):
        yield from (dim.dim_param for dim in _dims(graph) if dim.dim_param)


def _text(shape: Sequence[Dim]) -> str:
    """Write a shape as it is typed on the command line."""
    return ",".join("?" if dim is None else str(dim) for dim in shape)
