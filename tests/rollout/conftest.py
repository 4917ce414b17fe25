"""A shop behind two replicas and a watched Triton, with judges that need little traffic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.quick_rollouts import quick_settings
from testing.running_router import as_processes, watched
from testing.served_shop import make_shop
from testing.service_under_test import ServiceUnderTest
from testing.triton_server import tiny_triton


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    """Two replicas behind one port, and a Triton that is started again when it dies."""
    folder: Path = tmp_path_factory.mktemp("rollout")
    shop = make_shop(folder)
    with (
        tiny_triton(folder, health_interval_s=0.3) as server,
        watched(server),
        as_processes(quick_settings(shop, server.grpc_url)) as ingress,
    ):
        yield ServiceUnderTest(ingress, shop, server)
