"""A graph whose constants do not fit one file is written as two, and read as one."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from exporters import graph_files
from exporters.graph_files import load_graph, save_graph

ROWS, WIDTH = 5_000, 64
TABLE = np.random.default_rng(5).standard_normal((ROWS, WIDTH)).astype(np.float32)


def graph() -> onnx.ModelProto:
    """Looks vectors up in a table, as MIND does for its catalogue, and adds a small constant."""
    constants = [
        numpy_helper.from_array(TABLE, "table"),
        numpy_helper.from_array(np.float32([2.0]), "two"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "item"], ["row"]),
        helper.make_node("Add", ["row", "two"], ["vector"]),
    ]
    inner = helper.make_graph(
        nodes,
        "lookup",
        [helper.make_tensor_value_info("item", onnx.TensorProto.INT64, ["B"])],
        [helper.make_tensor_value_info("vector", onnx.TensorProto.FLOAT, ["B", WIDTH])],
        constants,
    )
    return helper.make_model(inner, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.fixture
def least_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file holds next to nothing, so that this table is too large for it."""
    monkeypatch.setattr(graph_files, "ONE_FILE_BYTES", 1 << 16)


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


@pytest.mark.usefixtures("least_file")
def test_a_large_graph_is_two_files_that_can_be_moved_and_answer_alike(tmp_path: Path) -> None:
    folder = tmp_path / "written"
    folder.mkdir()
    assert save_graph(graph(), folder) == folder / "model.onnx"
    found = sizes(folder)
    assert set(found) == {"model.onnx", "model.onnx.data"}
    assert found["model.onnx"] < 1024
    assert found["model.onnx.data"] == TABLE.nbytes
    assert (folder / "model.onnx.data").stat().st_mode & 0o777 == 0o644

    moved = folder.rename(tmp_path / "moved")
    session = ort.InferenceSession(moved / "model.onnx", providers=["CPUExecutionProvider"])
    items = np.array([0, 7, ROWS - 1])
    np.testing.assert_array_equal(session.run(None, {"item": items})[0], TABLE[items] + 2)


@pytest.mark.usefixtures("least_file")
def test_constants_apart_are_mapped_by_what_runs_the_graph(tmp_path: Path) -> None:
    save_graph(graph(), tmp_path)
    session = ort.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    session.run(None, {"item": np.array([1])})
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(tmp_path) in line]
    assert len(mapped) == 1
    assert mapped[0].endswith("model.onnx.data")


@pytest.mark.usefixtures("least_file")
def test_writing_again_neither_grows_the_files_nor_changes_the_graph(tmp_path: Path) -> None:
    save_graph(graph(), tmp_path)
    size, loaded = sizes(tmp_path), load_graph(tmp_path)
    before = loaded.SerializeToString(deterministic=True)
    save_graph(loaded, tmp_path)
    assert loaded.SerializeToString(deterministic=True) == before
    assert sizes(tmp_path) == size
    np.testing.assert_array_equal(numpy_helper.to_array(load_graph(tmp_path).graph.initializer[0]), TABLE)


def test_a_small_graph_is_one_file_and_leaves_no_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(graph_files, "ONE_FILE_BYTES", 1 << 16)
        save_graph(graph(), tmp_path)
    save_graph(load_graph(tmp_path), tmp_path)
    assert set(sizes(tmp_path)) == {"model.onnx"}
    onnx.checker.check_model(tmp_path / "model.onnx")
