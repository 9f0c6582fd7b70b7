"""Which nodes of step graphs ONNX Runtime has no CUDA kernel for: no GPU is needed.

    python tools/checks/cuda_nodes.py [NETWORK ...] [--float16]

A node without a kernel runs on the CPU, with a copy of its data there and back, and keeps a step
from being replayed as a CUDA graph. The networks are those of the benchmark. Each is compiled, its
training step built as it is for CUDA, and every node looked up in `cuda_kernels.txt`, the facts of
ONNX Runtime's documentation. Exits with 1 where a node lacks a kernel without a reason.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import onnx
import onnx_ir as ir
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools" / "bench")]

from bench_keras_api import build, compile_model  # noqa: E402 - path set above
from bench_workloads import WORKLOADS, Workload  # noqa: E402 - path set above

import seqonnx  # noqa: E402 - path set above
from seqonnx.graph.reading import dtype_name  # noqa: E402 - path set above
from seqonnx.graph.schemas import schema_of  # noqa: E402 - path set above
from seqonnx.training import trainer  # noqa: E402 - path set above

FACTS = Path(__file__).with_name("cuda_kernels.txt")
REASONS = {
    "GRU 14: reset before the product": "cuDNN has only the GRU that resets after the product, "
    "which is Keras's default; this one needs a Scan on CUDA",
    "STFT 17": "no provider but the CPU's has it; MelSpectrogram prepares data",
}
"""Reasons for what may run on the CPU, by the beginning of its line."""
INLINED = frozenset({"CastLike"})
"""Operators without a kernel anywhere: ONNX Runtime puts their body, a Cast, in their place."""
NAMES = {"double": "float64", "float": "float32"}
"""ONNX Runtime's names of dtypes where they are not ours."""


@dataclass(frozen=True)
class Kernel:
    """A kernel of the CUDA provider.

    Attributes:
        first: the oldest version of the operator that it runs.
        last: the newest.
        dtypes: those of each type parameter.
    """

    first: int
    last: int
    dtypes: Mapping[str, frozenset[str]]

    def takes(self, version: int, used: Mapping[str, str]) -> bool:
        """Whether it runs a version of the operator with these dtypes."""
        return self.first <= version <= self.last and all(
            dtype in self.dtypes.get(name, {dtype}) for name, dtype in used.items()
        )


@cache
def kernels() -> dict[str, list[Kernel]]:
    """The kernels of each operator, from the file of facts."""
    found: dict[str, list[Kernel]] = {}
    for line in FACTS.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, versions, parameters = line.split(" ")
        first, _, last = versions.rstrip("+").partition("-")
        dtypes = {}
        for parameter in parameters.split(";"):
            key, _, kinds = parameter.partition("=")
            dtypes[key] = frozenset(NAMES.get(kind, kind) for kind in kinds.split(","))
        found.setdefault(name, []).append(Kernel(int(first), int(last or first), dtypes))
    return found


def lacking(model: ir.Model) -> Counter[str]:
    """Nodes of a model without a CUDA kernel: "operator version (dtypes)", and how many.

    What is computed from constants alone is computed once, when the session starts.
    """
    found: Counter[str] = Counter()
    opset = model.graph.opset_imports[""]
    constants = set(model.graph.initializers.values())
    for node in model.graph.all_nodes():
        inputs = [value for value in node.inputs if value is not None]
        if node.domain == "" and all(
            value in constants or value.is_initializer() for value in inputs
        ):
            constants.update(node.outputs)
            continue
        reason = missing(node, opset)
        if reason is not None:
            found[reason] += 1
    return found


def missing(node: ir.Node, opset: int) -> str | None:
    """The operator, version and dtypes of a node that has no kernel; None where there is one."""
    if node.op_type in INLINED:
        return None
    schema = schema_of(node.op_type, opset)
    if schema is None or node.domain != "":
        return f"{node.domain}::{node.op_type}"
    version = schema.since_version
    used = dict(_dtypes(node, schema))
    for kernel in kernels().get(node.op_type, []):
        if kernel.takes(version, used):
            refused = refusal(node)
            return None if refused is None else f"{node.op_type} {version}: {refused}"
    kinds = ", ".join(f"{name} {dtype}" for name, dtype in used.items())
    return f"{node.op_type} {version} ({kinds})"


def _dtypes(node: ir.Node, schema: onnx.defs.OpSchema) -> Iterator[tuple[str, str]]:
    """The dtype of each type parameter."""
    for values, places in ((node.inputs, schema.inputs), (node.outputs, schema.outputs)):
        for index, value in enumerate(values):
            if value is None or not isinstance(value.type, ir.TensorType):
                continue
            yield places[min(index, len(places) - 1)].type_str, dtype_name(value)


def refusal(node: ir.Node) -> str | None:
    """Why the provider leaves a node to the CPU though there is a kernel, or None.

    By `GetCapability` of its `cuda_execution_provider.cc`: cuDNN has neither peepholes, coupled
    gates, other activations and clipping, nor the older of the two GRUs, nor a transposed
    convolution whose padding differs between the sides.
    """
    attributes = node.attributes
    if node.op_type == "ConvTranspose":
        pads = attributes.get_ints("pads", ())
        half = len(pads) // 2
        return None if list(pads[:half]) == list(pads[half:]) else "pads differ between the sides"
    if node.op_type not in {"LSTM", "GRU", "RNN"}:
        return None
    usual = {"LSTM": "sigmoid tanh tanh", "GRU": "sigmoid tanh", "RNN": "tanh"}[node.op_type]
    chosen = [name.lower() for name in attributes.get_strings("activations", ())]
    if chosen and chosen != (usual.split() * 2)[: len(chosen)]:
        return f"activations {', '.join(chosen)}"
    if attributes.keys() & {"activation_alpha", "activation_beta", "clip"}:
        return "parameters of activations"
    if attributes.get_int("input_forget", 0) != 0 or len(node.inputs) == 8:
        return "coupled gates or peepholes"
    if node.op_type == "GRU" and attributes.get_int("linear_before_reset", 0) == 0:
        return "reset before the product"
    return None


class BuiltError(Exception):
    """A step graph; raised so that no session is opened."""


def step_graph(workload: Workload) -> ir.Model:
    """The training step of a workload as it is for CUDA."""
    seqonnx.clear_session()
    model = build(seqonnx, workload)
    compile_model(seqonnx, model, workload, device="cpu")
    return step_of(model, *(array[: workload.batch] for array in workload.data()))


def step_of(model: Any, x: Any, y: Any) -> ir.Model:
    """The training step of a compiled model on a batch as it is for CUDA; it is not run."""
    original = trainer.build_train_step

    def stop(*arguments: Any, **options: Any) -> Any:
        raise BuiltError(original(*arguments, **{**options, "device": "cuda"}))

    with mock.patch.object(trainer, "build_train_step", stop):
        try:
            model.train_on_batch(x, y)
        except BuiltError as built:
            return ir.from_proto(onnx.load_model_from_string(built.args[0].model))
    raise AssertionError("no step was built")


def reason_for(line: str) -> str | None:
    """Why something may run on the CPU, or None."""
    return next((text for start, text in REASONS.items() if line.startswith(start)), None)


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each network; returns the exit code."""
    trained = [name for name, workload in WORKLOADS.items() if workload.task == "train"]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network", nargs="*", help=f"default: all of {', '.join(trained)}")
    parser.add_argument("--float16", action="store_true", help="in mixed precision")
    options = parser.parse_args(arguments)
    for name in options.network:
        if name not in trained:
            parser.error(f"expected networks of {', '.join(trained)}. Received: {name}")
    before = seqonnx.mixed_precision.global_policy()
    if options.float16:
        seqonnx.mixed_precision.set_global_policy("mixed_float16")
    try:
        return show(options.network or trained, Console())
    finally:
        seqonnx.mixed_precision.set_global_policy(before)


def show(names: list[str], console: Console) -> int:
    """Print the table; returns 1 where a node lacks a kernel without a reason, else 0."""
    table = Table("network", "operator set", "nodes", "without a CUDA kernel", "reason")
    code = 0
    for name in names:
        model = step_graph(WORKLOADS[name].smaller(WORKLOADS[name].batch, 1))
        nodes = sum(1 for _ in model.graph.all_nodes())
        found = lacking(model)
        row = name, str(model.graph.opset_imports[""]), str(nodes)
        if len(found) == 0:
            table.add_row(*row, "none", "")
        for line, count in found.items():
            reason = reason_for(line)
            code = 1 if reason is None else code
            table.add_row(*row, f"{count} x {line}", reason or "NONE")
    console.print(table)
    console.print(facts_of(), highlight=False)
    return code


def facts_of() -> str:
    """Where the facts come from."""
    lines = FACTS.read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith("# Source")).removeprefix("# ")


if __name__ == "__main__":
    sys.exit(main())
