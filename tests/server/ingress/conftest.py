"""One shop behind every ingress: in this process, behind HAProxy, and behind one gRPC server per replica."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.plugins import load, unload
from testing.running_router import Ingress, as_processes, in_process, watched
from testing.served_shop import ServedShop, make_shop
from testing.service_under_test import ServiceUnderTest
from testing.triton_server import tiny_triton

PLUGINS = ("tests.server.plugin_service.plugin",)


@contextmanager
def plugins_loaded() -> Iterator[None]:
    """`PLUGINS` are registered in this process while the body runs."""
    load(PLUGINS)
    try:
        yield
    finally:
        unload(PLUGINS)


@pytest.fixture(
    scope="package",
    params=[
        pytest.param("in_process", marks=pytest.mark.slow),
        pytest.param("haproxy", marks=pytest.mark.slow),
        pytest.param("grpc", marks=pytest.mark.slow),
    ],
)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceUnderTest]:
    """Every ingress in turn, each with a shop and a Triton of its own."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    shop = make_shop(folder)
    recording = {
        "enabled": True,
        "folder": str(folder / "recordings"),
        "share": 1.0,
        "methods": ["Recommend", "RecommendPage", "SimilarItems", "ReportEvents"],
    }
    # As in a shop with a plug-in: every test here also runs with its RPC service.
    with plugins_loaded(), tiny_triton(folder) as server, watched(server):
        if request.param == "in_process":
            with in_process(shop.settings(server.grpc_url, recording=recording)) as started:
                yield ServiceUnderTest(started, shop, server)
        else:
            settings = shop.settings(
                server.grpc_url,
                ingress={"kind": request.param, "address": "127.0.0.1:0"},
                recording=recording,
            )
            with as_processes(settings, PLUGINS) as started:
                yield ServiceUnderTest(started, shop, server)


@pytest.fixture
def ingress(service: ServiceUnderTest) -> Ingress:
    """The router and a channel to it."""
    return service.ingress


@pytest.fixture
def shop(service: ServiceUnderTest) -> ServedShop:
    """The shop that is served."""
    return service.shop
