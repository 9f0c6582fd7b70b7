"""Placement: which provider would run each node of a graph."""

from __future__ import annotations

from pathlib import Path

from seqonnx.runtime.device import Device
from seqonnx.runtime.install import load_onnxruntime
from seqonnx.runtime.options import session_options
from seqonnx.runtime.session import create_session


def placement(model: bytes | Path, device: Device) -> dict[str, str]:
    """Ask ONNX Runtime where it would run each node.

    Args:
        model: the model file's bytes, or the path of a model file.
        device: where to run, from `select_device`.

    Returns:
        The provider per node name, in the order of assignment, with the nodes in bodies of Scan,
        Loop and If. The graph is taken as it is written, without optimizations, so that the names
        are those of the file. Nodes without a name are left out.

    Raises:
        ModelFileError: if the file is absent or no ONNX model.
        ExecutionError: if ONNX Runtime refuses the graph.

    Example:
        >>> placement(Path("model.onnx"), select_device("cpu"))  # doctest: +SKIP
        {'dense/MatMul': 'CPUExecutionProvider'}
    """
    options = session_options()
    options.graph_optimization_level = load_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = create_session(model, device, options, "the graph")
    return {
        node.name: subgraph.ep_name
        for subgraph in session.get_provider_graph_assignment_info()
        for node in subgraph.get_nodes()
        if node.name
    }
