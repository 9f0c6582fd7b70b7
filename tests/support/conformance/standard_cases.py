"""The standard's own test cases, module by module, in the pinned operator set.

`onnx.backend.test.case.node` has a module for each operator (or family); importing it makes its
cases. They are collected a module at a time, since three pooling modules take three quarters of
the time that all of them need.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import onnx
import onnx.backend.test.case.node as standard

from seqonnx.graph import OPSET
from support.conformance.promotion import STANDARD, graphs_of, version_of


class NotApplicable(Exception):
    """A case has nothing to differentiate; says why."""


@dataclass(frozen=True, eq=False)
class StandardCase:
    """One case of the standard.

    Args:
        name: its name, such as `test_conv_with_strides_padding`.
        model: model of one node, or of the nodes that define an operator.
        inputs: arrays in the order of the graph's inputs.
        outputs: what the standard says comes out.
    """

    name: str
    model: onnx.ModelProto
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def module_names() -> list[str]:
    """Names of the standard's modules of cases, those of packages with a dot."""
    names = []
    for module in pkgutil.iter_modules(standard.__path__):
        folder = [f"{path}/{module.name}" for path in standard.__path__]
        inner = [m.name for m in pkgutil.iter_modules(folder)] if module.ispkg else []
        names += [f"{module.name}.{name}" for name in inner] if module.ispkg else [module.name]
    return sorted(names)


@cache
def cases_of(module: str) -> list[StandardCase]:
    """The cases that a module makes when it is imported."""
    known = len(standard._NodeTestCases)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(f"{standard.__name__}.{module}")
    return [
        StandardCase(c.name, c.model, tuple(c.data_sets[0][0]), tuple(c.data_sets[0][1]))
        for c in standard._NodeTestCases[known:]
    ]


def relabelled(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of a newer operator set as one of the pinned set, where its nodes mean the same.

    Later versions mostly admit more types, or add an attribute or an input that these nodes do
    without.

    Raises:
        NotApplicable: if the pinned set lacks an operator of the model, or has it otherwise.
    """
    for graph in graphs_of(model.graph):
        for node in graph.node:
            if node.domain not in STANDARD:
                raise NotApplicable(f"not of the ai.onnx domain: {node.domain}")
    if version_of(model) <= OPSET:
        return model
    older = onnx.ModelProto()
    older.CopyFrom(model)
    for graph in graphs_of(older.graph):
        for node in graph.node:
            _fit(node)
    del older.opset_import[:]
    older.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    try:
        onnx.shape_inference.infer_shapes(older, check_type=True)
    except onnx.shape_inference.InferenceError:
        raise NotApplicable(f"newer than operator set {OPSET}") from None
    return older


def _fit(node: onnx.NodeProto) -> None:
    """Drop the attributes that a node has at their default and that the pinned set lacks."""
    if not onnx.defs.has(node.op_type, OPSET, ""):
        raise NotApplicable(f"newer than operator set {OPSET}")
    old, new = (onnx.defs.get_schema(node.op_type, v, "") for v in (OPSET, 10**6))
    kept = []
    for attribute in node.attribute:
        default = new.attributes[attribute.name].default_value
        if attribute.name in old.attributes:
            kept.append(attribute)
        elif attribute != default:
            raise NotApplicable(f"newer than operator set {OPSET}")
    del node.attribute[:]
    node.attribute.extend(kept)
    several = onnx.defs.OpSchema.FormalParameterOption.Variadic
    if len(node.input) > len(old.inputs) and old.inputs[-1].option != several:
        raise NotApplicable(f"newer than operator set {OPSET}")
