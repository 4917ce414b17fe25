"""A shop behind two replicas and a watched Triton, with judges that are content with little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testing.quick_rollouts import quick_settings
from testing.rollout_traffic import Operator
from testing.running_router import as_processes, watched
from testing.served_shop import ServedShop, make_shop
from testing.triton_server import tiny_triton
from triton_repo.server import TritonServer


@dataclass(frozen=True)
class Stand:
    """A router to roll models out on."""

    address: str
    shop: ServedShop
    triton: TritonServer
    replica_pids: Callable[[], list[int]]
    """Process ids of the replicas that live."""

    @property
    def operator(self) -> Operator:
        """Someone who rolls models out."""
        return Operator(self.address)

    @property
    def dataset(self) -> str:
        """The data set that is served."""
        return self.shop.dataset.manifest.id


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Two replicas behind one port, and a Triton that is started again when it dies."""
    folder: Path = tmp_path_factory.mktemp("rollout")
    shop = make_shop(folder)
    with (
        tiny_triton(folder, health_interval_s=0.3) as server,
        watched(server),
        as_processes(quick_settings(shop, server.grpc_url)) as ingress,
    ):
        assert ingress.handle is not None
        yield Stand(ingress.address, shop, server, ingress.handle.replica_pids)
