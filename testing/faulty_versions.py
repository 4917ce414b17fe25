"""Versions of the tiny `bst` that are good, shuffled, slow or answer NaN, and one whose process dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import psutil
from onnx import TensorProto, helper, numpy_helper

from testing.triton_models import bst_feeds, item_weights, stage_tiny_version
from triton_repo.bound_process import session_of
from triton_repo.manifest import MANIFEST, read_manifest, write_manifest
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer

_SIZE = 192
_LOADED_AFTER_S = 1.5


def add_version(
    repository: ModelRepository,
    dataset: str,
    *,
    weights: np.ndarray | None = None,
    slow_ms: float = 0.0,
    nan_above: int | None = None,
    nan_without_history: bool = False,
) -> int:
    """Adds a version of the tiny bst of seed 1, trained on `dataset` by its manifest; returns its number.

    weights              float32[ITEMS + 1] in place of the seed's
    slow_ms              milliseconds every answer takes longer
    nan_above            every score is NaN where the first candidate's item id is at least this
    nan_without_history  every score is NaN for a shopper without a history
    """
    staged = stage_tiny_version(repository, "bst", seed=1)
    path = staged / "model.onnx"
    model = onnx.load(path)
    if weights is not None:
        _set(model, "weights", weights.astype(np.float32))
    if nan_above is not None:
        _answer_nan(model, "candidate_item", "GreaterOrEqual", nan_above)
    if nan_without_history:
        _answer_nan(model, "history_item", "LessOrEqual", 0)
    if slow_ms:
        _slow_down(model, slow_ms)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    manifest = read_manifest(staged)
    (staged / MANIFEST).unlink()
    write_manifest(staged, msgspec.structs.replace(manifest, dataset=dataset, files={}))
    return repository.add_version("bst", staged)


def similar_weights() -> np.ndarray:
    """The weights of seed 1, changed by a hundredth: a good retraining."""
    noise = np.random.default_rng(7).normal(size=item_weights(1).size) * 0.01
    return (item_weights(1) + noise).astype(np.float32)


def shuffled_weights() -> np.ndarray:
    """Every item's weight replaced by the negative of its own: the order is upside down."""
    return (-3.0 * item_weights(1) - 3.0).astype(np.float32)


def _set(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    (tensor,) = (each for each in model.graph.initializer if each.name == name)
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def _rename_output(model: onnx.ModelProto, to: str) -> None:
    for node in model.graph.node:
        for position, output in enumerate(node.output):
            if output == "score":
                node.output[position] = to


def _answer_nan(model: onnx.ModelProto, ids: str, comparison: str, limit: int) -> None:
    """NaN where the first of the input `ids` compares so with the limit."""
    _rename_output(model, "plain_score")
    graph = model.graph
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.int32(limit), "limit"),
            numpy_helper.from_array(np.float32(np.nan), "nan"),
            numpy_helper.from_array(np.array([-1], np.int64), "flat"),
            numpy_helper.from_array(np.array([0], np.int64), "zeroth"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Reshape", [ids, "flat"], ["flat_ids"]),
            helper.make_node("Gather", ["flat_ids", "zeroth"], ["first_id"]),
            helper.make_node(comparison, ["first_id", "limit"], ["is_nan"]),
            helper.make_node("Where", ["is_nan", "nan", "plain_score"], ["score"]),
        ]
    )


def _slow_down(model: onnx.ModelProto, slow_ms: float) -> None:
    """Adds a loop of matrix products whose result does not change the scores."""
    _rename_output(model, "plain_score")
    rounds = max(1, round(slow_ms / _round_ms()))
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state_in", "shrinking"], ["state_out"]),
            helper.make_node("Identity", ["go_in"], ["go_out"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("round_number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_in", TensorProto.FLOAT, [_SIZE, _SIZE]),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, [_SIZE, _SIZE]),
        ],
    )
    graph = model.graph
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.int64(rounds), "rounds"),
            numpy_helper.from_array(np.bool_(True), "go"),
            numpy_helper.from_array(np.eye(_SIZE, dtype=np.float32) * 0.5, "shrinking"),
            numpy_helper.from_array(np.ones((_SIZE, _SIZE), np.float32), "state"),
            numpy_helper.from_array(np.float32(0.0), "nothing"),
        ]
    )
    graph.node.extend(
        [
            # From an input, so that nothing can be computed ahead.
            helper.make_node("ReduceMax", ["plain_score"], ["highest"], keepdims=0),
            helper.make_node("Mul", ["state", "highest"], ["state_here"]),
            helper.make_node("Loop", ["rounds", "go", "state_here"], ["state_end"], body=body),
            helper.make_node("ReduceMax", ["state_end"], ["left"], keepdims=0),
            helper.make_node("Mul", ["left", "nothing"], ["nil"]),
            helper.make_node("Add", ["plain_score", "nil"], ["score"]),
        ]
    )


def _round_ms() -> float:
    """Milliseconds of one matrix product of the loop, on this machine now."""
    left = np.ones((_SIZE, _SIZE), np.float32)
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [_SIZE, _SIZE]) for name in "abc"]
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "one", value[:2], value[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    took = []
    for _ in range(30):
        began = time.perf_counter()
        session.run(None, {"a": left, "b": left})
        took.append((time.perf_counter() - began) * 1000.0)
    return float(np.median(took))


@contextmanager
def dying(server: TritonServer, version: int, pause_s: float = 0.1) -> Iterator[list[float]]:
    """Kills the model process of a version of bst again and again; yields the moments of its deaths.

    Never while it is being loaded: Triton may wait for ever for a model process that died then.
    """
    stop, deaths = threading.Event(), []
    folder = str(server.repository.version_folder("bst", version))

    def kill() -> None:
        while not stop.wait(pause_s):
            for pid in _processes(server, folder):
                os.kill(pid, signal.SIGKILL)
                deaths.append(time.monotonic())

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        yield deaths
    finally:
        stop.set()
        killer.join(10)


def _processes(server: TritonServer, folder: str) -> list[int]:
    found: list[int] = []
    for process in session_of(server._process) if server._process is not None else ():
        try:
            command, age_s = process.cmdline(), time.time() - process.create_time()
            graph = Path(process.cwd(), *command[1:2]).resolve()
        except psutil.Error:
            continue
        if graph.parent == Path(folder).resolve() and age_s > _LOADED_AFTER_S:
            found.append(process.pid)
    return found


def answer(path: Path) -> tuple[np.ndarray, float]:
    """The scores of a version computed in this process, and the milliseconds it takes."""
    session = ort.InferenceSession(path / "model.onnx", providers=["CPUExecutionProvider"])
    feeds = bst_feeds(1, 20)
    session.run(None, feeds)
    began = time.perf_counter()
    (scores,) = session.run(None, feeds)
    return np.asarray(scores), (time.perf_counter() - began) * 1000.0
