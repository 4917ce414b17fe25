"""New versions on a running server: both serve, nothing in flight fails, bad ones are refused."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from testing.triton_models import add_tiny_version, bst_feeds, bst_scores, stage_tiny_version
from testing.triton_server import infer, tiny_triton
from triton_repo.control import TritonControl, publish_version
from triton_repo.errors import ModelLoadError
from triton_repo.manifest import read_manifest, write_manifest
from triton_repo.server import TritonServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TritonServer]:
    with tiny_triton(tmp_path) as started:
        yield started


@contextmanager
def continuous_requests(url: str, version: str, seed: int) -> Iterator[Counter[str]]:
    """Asks a `bst` version without pause from two threads; counts right answers and every failure."""
    outcomes: Counter[str] = Counter()
    stop = threading.Event()
    feeds = bst_feeds(1, 300)
    expected = bst_scores(seed, feeds)
    tensors = [
        InferInput(name, list(values.shape), "INT32").set_data_from_numpy(values)
        for name, values in feeds.items()
    ]

    def ask() -> None:
        with InferenceServerClient(url) as client:
            while not stop.is_set():
                try:
                    answer = client.infer("bst", tensors, model_version=version, client_timeout=10.0)
                except InferenceServerException as error:
                    outcomes[str(error)] += 1
                else:
                    right = np.allclose(answer.as_numpy("score"), expected, rtol=0, atol=1e-6)
                    outcomes["right" if right else "wrong"] += 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_new_version_serves_beside_the_old_one_without_a_failed_request(server: TritonServer) -> None:
    feeds = bst_feeds(2, 50)
    with (
        TritonControl(server.grpc_url) as control,
        continuous_requests(server.grpc_url, "1", seed=1) as outcomes,
    ):
        version = add_tiny_version(server.repository, "bst", seed=2)
        publish_version(control, server.repository, "bst", version)
        assert control.ready_versions("bst") == [1, 2]
        for number in (1, 2):
            answer = infer(server.grpc_url, "bst", feeds, version=str(number))
            np.testing.assert_allclose(answer, bst_scores(number, feeds), rtol=0, atol=1e-6)
    assert outcomes.pop("right") > 0
    assert outcomes == {}


def test_a_third_version_retires_the_first(server: TritonServer) -> None:
    with TritonControl(server.grpc_url) as control:
        for seed in (2, 3):
            version = add_tiny_version(server.repository, "bst", seed)
            publish_version(control, server.repository, "bst", version)
        assert control.ready_versions("bst") == [2, 3]
        assert control.ready_versions("mind") == [1]


def test_a_version_the_server_cannot_load_is_refused_while_the_old_one_serves(server: TritonServer) -> None:
    staged = stage_tiny_version(server.repository, "bst", seed=2)
    (staged / "model.onnx").write_bytes(b"this is no graph")
    write_manifest(staged, read_manifest(staged))
    version = server.repository.add_version("bst", staged)
    with (
        TritonControl(server.grpc_url) as control,
        continuous_requests(server.grpc_url, "1", seed=1) as outcomes,
    ):
        with pytest.raises(
            ModelLoadError, match=r"did not load bst: version 2: .*INVALID_PROTOBUF"
        ) as refused:
            publish_version(control, server.repository, "bst", version)
        assert control.ready_versions("bst") == [1]
    assert "\n" not in str(refused.value)
    assert outcomes.pop("right") > 0
    assert outcomes == {}
    assert server.repository.versions("bst") == [1]
    with TritonControl(server.grpc_url) as control:
        publish_version(control, server.repository, "bst", add_tiny_version(server.repository, "bst", 3))
        assert control.ready_versions("bst") == [1, 2]


def test_a_version_torn_on_disk_does_not_keep_the_server_from_starting(server: TritonServer) -> None:
    version = add_tiny_version(server.repository, "bst", seed=2)
    with (server.repository.version_folder("bst", version) / "model.onnx").open("r+b") as stream:
        stream.truncate(100)
    server.stop()
    server.start()
    with TritonControl(server.grpc_url) as control:
        assert control.ready_versions("bst") == [1]


def test_unloading_ends_a_model(server: TritonServer) -> None:
    with TritonControl(server.grpc_url) as control:
        control.unload("bst")
        for _ in range(100):
            if not control.ready_versions("bst"):
                break
            threading.Event().wait(0.05)
        assert control.ready_versions("bst") == []
        control.load("bst")
        assert control.ready_versions("bst") == [1]


def test_a_server_that_is_down_is_named(server: TritonServer) -> None:
    server.stop()
    with (
        TritonControl(server.grpc_url) as control,
        pytest.raises(
            ModelLoadError, match=r"Triton at 127\.0\.0\.1:\d+ did not load bst: it is not running"
        ),
    ):
        control.load("bst")
