"""Graphs that this process runs in Triton's place."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.contracts import contracts
from pipeline.stages import DependencyError
from router.ranking.settings import TritonClientSettings
from router.ranking.triton_client import TritonClient
from testing.triton_models import add_tiny_version, mind_feeds, mind_interests
from triton_repo.local_graphs import GRAPH, MOST_OPEN, GraphFailed, LocalGraph, LocalGraphs
from triton_repo.manifest import read_manifest, write_manifest
from triton_repo.repository import ModelRepository

_MOST = 2**20


@pytest.fixture
def repository(tmp_path: Path) -> ModelRepository:
    made = ModelRepository(tmp_path, contracts())
    add_tiny_version(made, "mind", 1)
    return made


def graphs_of(
    repository: ModelRepository, models: tuple[str, ...] = ("mind",), most: int = _MOST
) -> LocalGraphs:
    return LocalGraphs(repository.models_folder, models, most)


async def opened(graphs: LocalGraphs, version: str = "1") -> LocalGraph | None:
    """The graph once its opening has ended; None where it is left to Triton."""
    await graphs.prepare({"mind": version})
    return graphs.find("mind", version)


async def test_a_version_is_opened_for_later_calls(repository: ModelRepository) -> None:
    graphs = graphs_of(repository)
    assert graphs.find("mind", "1") is None
    graph = await opened(graphs)
    assert graph is not None
    feeds = mind_feeds(3)
    answer = graph.run(feeds, ["interests"])["interests"]
    np.testing.assert_allclose(answer, mind_interests(1, feeds), rtol=0, atol=1e-6)


async def test_other_models_and_versions_that_are_not_there_are_triton_s(repository: ModelRepository) -> None:
    graphs = graphs_of(repository)
    assert await opened(graphs) is not None
    assert graphs.find("bst", "1") is None
    assert graphs.find("mind", "2") is None
    (repository.version_folder("mind", 1)).rename(repository.root / "gone")
    assert graphs.find("mind", "1") is None


async def test_a_version_made_anew_under_its_number_is_opened_anew(repository: ModelRepository) -> None:
    graphs = graphs_of(repository)
    assert await opened(graphs) is not None
    repository.refuse("mind", 1)
    assert add_tiny_version(repository, "mind", 2) == 1
    assert graphs.find("mind", "1") is None
    graph = await opened(graphs)
    assert graph is not None
    feeds = mind_feeds(1)
    answer = graph.run(feeds, ["interests"])["interests"]
    np.testing.assert_allclose(answer, mind_interests(2, feeds), rtol=0, atol=1e-6)


async def test_too_large_torn_and_text_graphs_are_left_to_triton(
    repository: ModelRepository, caplog: pytest.LogCaptureFixture
) -> None:
    folder = repository.version_folder("mind", 1)
    size = (folder / GRAPH).stat().st_size
    assert await opened(graphs_of(repository, most=size - 1)) is None
    assert await opened(graphs_of(repository, most=size)) is not None

    whole = (folder / GRAPH).read_bytes()
    (folder / GRAPH).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with caplog.at_level(logging.WARNING):
        assert await opened(graphs_of(repository)) is None
    assert "is corrupt" in caplog.text

    text = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 18]> g (string[1] a) => (string[1] b) { b = Identity(a) }'
    )
    onnx.save(text, folder / GRAPH)
    write_manifest(folder, read_manifest(folder))
    assert await opened(graphs_of(repository)) is None


async def test_constants_that_lie_apart_count_as_the_graph_s(repository: ModelRepository) -> None:
    folder = repository.version_folder("mind", 1)
    graph = onnx.load(folder / GRAPH)
    onnx.save_model(
        graph, folder / GRAPH, save_as_external_data=True, location=f"{GRAPH}.data", size_threshold=0
    )
    write_manifest(folder, read_manifest(folder))
    size = sum((folder / name).stat().st_size for name in (GRAPH, f"{GRAPH}.data"))
    assert (folder / GRAPH).stat().st_size < size
    assert await opened(graphs_of(repository, most=size - 1)) is None
    opened_apart = await opened(graphs_of(repository, most=size))
    assert opened_apart is not None
    feeds = mind_feeds(2)
    answer = opened_apart.run(feeds, ["interests"])["interests"]
    np.testing.assert_allclose(answer, mind_interests(1, feeds), rtol=0, atol=1e-6)


async def test_no_more_versions_are_kept_than_serve(repository: ModelRepository) -> None:
    graphs = graphs_of(repository)
    for version in range(1, MOST_OPEN + 2):
        if version > 1:
            add_tiny_version(repository, "mind", version)
        assert await opened(graphs, str(version)) is not None
    assert graphs.find("mind", "1") is None
    assert graphs.find("mind", str(MOST_OPEN + 1)) is not None


async def test_what_a_graph_refuses_is_a_failed_dependency(repository: ModelRepository) -> None:
    graphs = graphs_of(repository)
    graph = await opened(graphs)
    assert graph is not None
    feeds = mind_feeds(1)
    short = feeds | {"history_item": feeds["history_item"][:, :3]}
    with pytest.raises(GraphFailed, match="history_item"):
        graph.run(short, ["interests"])
    client = TritonClient(TritonClientSettings(url="127.0.0.1:1"), local=graphs)
    with pytest.raises(DependencyError, match=r"mind version 1 failed in this process: .*history_item"):
        await client.infer("mind", "1", short, ["interests"], 1.0)
    with pytest.raises(TypeError, match="its registration declares"):
        await client.infer("mind", "1", feeds | {"history_item": np.zeros((1, 50))}, ["interests"], 1.0)
