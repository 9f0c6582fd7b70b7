"""Run the files of a folder in one reader, and say how far each is from what it must give.

    python read.py onnxruntime|openvino|opencv|reference FOLDER

Runs in the reader's own environment, which has NumPy and the reader: nothing of seqonnx. Beside
each `NAME.onnx` lies `NAME.npz` with arrays `input/...` and `output/...`. Prints JSON: the version,
and for each name the largest difference, in parts of the largest number, or the error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def with_onnxruntime(path, inputs, outputs):
    """Outputs by ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(outputs, inputs)


def with_openvino(path, inputs, outputs):
    """Outputs by OpenVINO, in float32 as the file says: its default on some CPUs is bfloat16."""
    import openvino

    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = model(inputs)
    return [results[name] for name in outputs]


def with_opencv(path, inputs, outputs):
    """Outputs by OpenCV's own networks."""
    import cv2

    network = cv2.dnn.readNetFromONNX(str(path))
    for name, array in inputs.items():
        network.setInput(array, name)
    return list(network.forward(outputs))


def with_reference(path, inputs, outputs):
    """Outputs by ONNX's reference."""
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(str(path)).run(outputs, inputs)


READERS = {
    "onnxruntime": ("onnxruntime", with_onnxruntime),
    "openvino": ("openvino", with_openvino),
    "opencv": ("cv2", with_opencv),
    "reference": ("onnx", with_reference),
}


def apart(found, right):
    """The largest difference, in parts of the largest number; infinite for another shape."""
    if found.shape != right.shape:
        return float("inf")
    scale = float(np.abs(right).max())
    return float(np.abs(found.astype(np.float64) - right).max()) / scale


def main(reader, folder):
    """Run all files of a folder."""
    package, read = READERS[reader]
    results = {}
    for path in sorted(Path(folder).glob("*.onnx")):
        arrays = np.load(path.with_suffix(".npz"))
        inputs, outputs = (
            {name.partition("/")[2]: arrays[name] for name in arrays if name.startswith(kind)}
            for kind in ("input/", "output/")
        )
        try:
            found = read(path, inputs, list(outputs))
            pairs = zip(found, outputs.values(), strict=True)
            results[path.stem] = max(apart(np.asarray(a), b) for a, b in pairs)
        except Exception as error:
            results[path.stem] = f"{type(error).__name__}: {error}"
    version = __import__(package).__version__
    print(json.dumps({"version": version, "results": results}))


if __name__ == "__main__":
    main(*sys.argv[1:])
