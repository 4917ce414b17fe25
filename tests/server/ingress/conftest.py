"""One shop behind every ingress: in this process, behind HAProxy, and with gRPC servers of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testing.running_router import Ingress, as_processes, in_process, watched
from testing.served_shop import ServedShop, make_shop
from testing.triton_server import tiny_triton
from triton_repo.server import TritonServer


@dataclass(frozen=True)
class Stand:
    """A router under test with a shop and a Triton that a test may break, if it mends them."""

    ingress: Ingress
    shop: ServedShop
    triton: TritonServer


@pytest.fixture(
    scope="session",
    params=[
        "in_process",
        pytest.param("haproxy", marks=pytest.mark.slow),
        pytest.param("grpc", marks=pytest.mark.slow),
    ],
)
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Every ingress in turn, each with a shop and a Triton of its own."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    shop = make_shop(folder)
    recording = {
        "enabled": True,
        "folder": str(folder / "recordings"),
        "share": 1.0,
        "methods": ["Recommend", "RecommendPage", "SimilarItems", "ReportEvents"],
    }
    with tiny_triton(folder) as server, watched(server):
        if request.param == "in_process":
            with in_process(shop.settings(server.grpc_url, recording=recording)) as started:
                yield Stand(started, shop, server)
        else:
            settings = shop.settings(
                server.grpc_url,
                ingress={"kind": request.param, "address": "127.0.0.1:0"},
                recording=recording,
            )
            with as_processes(settings) as started:
                yield Stand(started, shop, server)


@pytest.fixture
def ingress(stand: Stand) -> Ingress:
    """The way in."""
    return stand.ingress


@pytest.fixture
def shop(stand: Stand) -> ServedShop:
    """The shop served."""
    return stand.shop
