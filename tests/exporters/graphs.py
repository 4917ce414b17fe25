"""Running a graph that lies in memory."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime as ort


def run(graph: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """The graph's one output, by ONNX Runtime on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, dict(feeds))
    return np.asarray(output)
