"""Memory of large foreign files: the peak of each operation, in a fresh process each.

    python tools/bench/large_files.py [--products 8] [--width 4096] [--folder /tmp/large]

The network is a chain of products with its weights in a data file: 8 of 4096 x 4096 are 0.54 GB,
40 are 2.7 GB. The peak is that of resident memory (`VmHWM`, Linux), mapped pages of the data file
included. `all` does everything in one process. The files are removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from rich.console import Console
from rich.table import Table

import seqonnx as keras
from seqonnx import layers

ROWS = 4
OPERATIONS = ("load", "predict", "features", "fit", "evaluate", "export", "save")
FORMS = {
    "float16": {"dtype": "float16"},
    "float16 weights": {"dtype": "float16_weights"},
    "int8": {"quantize": "int8"},
    "int8 dynamic": {"quantize": "int8_dynamic"},
    "int4": {"quantize": "int4"},
}
"""Exports in fewer bits; each in a process of its own."""
APART = (*FORMS, "lora")


def write_network(path: Path, products: int, width: int) -> None:
    """Write the network and its data file, one weight at a time."""
    rng = np.random.default_rng(0)
    kernel = (rng.standard_normal((width, width)) / np.sqrt(width)).astype(np.float32)
    data = path.with_suffix(".data")
    tensors, nodes, last = [], [], "x"
    with data.open("wb") as file:
        for i in range(products):
            tensor = onnx.TensorProto(name=f"w{i}", dims=kernel.shape, data_type=1, data_location=1)
            place = {"location": data.name, "offset": file.tell(), "length": kernel.nbytes}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            file.write(kernel.tobytes())
            tensors.append(tensor)
            nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"h{i}"]))
            nodes.append(helper.make_node("Tanh", [f"h{i}"], [f"y{i}"]))
            last = f"y{i}"
    ends = [helper.make_tensor_value_info(name, 1, ["n", width]) for name in ("x", last)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], tensors)
    opset = [helper.make_opsetid("", 17)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )


def peak() -> float:
    """Highest resident memory of this process, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024


def run(path: Path, operation: str) -> dict[str, float]:
    """Load the network and do one thing, or everything, in this process."""
    network = layers.ONNXModel(path, trainable=operation == "lora")
    if operation == "lora":
        network.enable_lora(4)
    model = keras.Sequential([network, layers.Dense(3)])
    x = np.random.default_rng(0).standard_normal((ROWS, model.input_shape[1])).astype(np.float32)
    y = np.zeros((ROWS, 3), np.float32)
    model.compile("adam", "mse", device="cpu")
    work = {
        "load": lambda: None,
        "predict": lambda: model.predict(x, verbose=0),
        "features": lambda: network(x),
        "fit": lambda: model.fit(x, y, epochs=2, verbose=0),
        "evaluate": lambda: model.evaluate(x, y, verbose=0),
        "export": lambda: model.export(path.with_name("exported.onnx")),
        "save": lambda: model.save(path.with_name("saved.onnx")),
    }
    for name, form in FORMS.items():
        data = {"calibration_data": x} if name == "int8" else {}
        work[name] = partial(exported, model, path, {**form, **data})
    work["lora"] = lambda: (work["fit"](), work["export"]())
    start = time.perf_counter()
    for name in OPERATIONS if operation == "all" else (operation,):
        work[name]()
    return {"memory": peak(), "seconds": time.perf_counter() - start}


def exported(model: keras.Sequential, path: Path, options: dict[str, object]) -> None:
    """Export in fewer bits."""
    model.export(path.with_name("exported.onnx"), verbose=False, **options)


def measure_apart(path: Path, operation: str) -> dict[str, float]:
    """Measure in a fresh process; what it has written goes."""
    command = [sys.executable, __file__, "--folder", str(path.parent), "--here", operation]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for written in (*path.parent.glob("exported.*"), *path.parent.glob("saved.*")):
        written.unlink()
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Measure the memory of large files.")
    parser.add_argument("--products", type=int, default=8, help="number of weights")
    parser.add_argument("--width", type=int, default=4096, help="size of a weight's sides")
    parser.add_argument("--folder", help="where the files go; default: a temporary folder")
    parser.add_argument("--only", nargs="+", metavar="OPERATION", help="measure these alone")
    parser.add_argument("--here", choices=(*OPERATIONS, *APART, "all"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.here is not None:
        sys.stdout.write(json.dumps(run(Path(options.folder) / "net.onnx", options.here)))
        return 0
    chosen = (*OPERATIONS, *APART, "all") if options.only is None else options.only
    table = Table("operation", "peak MB", "of the weights", "seconds")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "net.onnx"
        write_network(path, options.products, options.width)
        weights = os.path.getsize(path.with_suffix(".data")) / 2**20
        for operation in chosen:
            found = measure_apart(path, operation)
            share = f"{found['memory'] / weights:.2f}"
            table.add_row(operation, f"{found['memory']:.0f}", share, f"{found['seconds']:.1f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
