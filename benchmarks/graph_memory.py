"""What a graph takes of memory in a process of its own.

Run `python -m benchmarks.graph_memory model.onnx feeds.npz`. It prints
the growth of the resident set in MiB, at its highest, from before the graph is opened until it has answered
the call ten times on one thread.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


def graph_memory(model: Path, feeds: Mapping[str, NDArray[np.int32]]) -> float:
    """MiB that opening `model` and answering `feeds` adds to a fresh process."""
    with tempfile.TemporaryDirectory(prefix="memory-") as scratch:
        path = Path(scratch) / "feeds.npz"
        np.savez(path, allow_pickle=False, **dict(feeds))
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.graph_memory", str(model), str(path)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return float(answer.stdout)


def main() -> None:
    """Measure this process."""
    model, path = Path(sys.argv[1]), Path(sys.argv[2])
    with np.load(path, allow_pickle=False) as stored:
        feeds = {name: stored[name] for name in stored.files}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    before = _highest_resident_kib()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    for _ in range(10):
        session.run(None, feeds)
    print((_highest_resident_kib() - before) / 1024)


def _highest_resident_kib() -> int:
    """VmHWM: unlike getrusage's figure it begins anew with a program, not with its starter."""
    (found,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found)


if __name__ == "__main__":
    main()
