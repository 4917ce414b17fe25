"""A shop behind two replicas and a watched Triton, with judges that are content with little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.settings import RouterSettings
from tests.rollout.traffic import Operator
from tests.router.served_shop import ServedShop, make_shop
from tests.server.ingress.conftest import as_processes, watched
from tests.triton_server import tiny_triton
from triton_repo.server import TritonServer

# A machine that is busy with other tests: what is judged are differences, in wide margins.
QUICK_JUDGE: dict[str, Any] = {
    "alpha": 0.2,
    "min_requests": 60,
    "min_users": 20,
    "errors": {"margin": 0.2},
    "degraded": {"margin": 0.2},
    "empty": {"margin": 0.2},
    "short": {"margin": 0.2},
    "latency": {"quantiles": [0.5], "ratio": 1.6, "allowance_ms": 20.0},
    "drift": {"psi": 1.0, "ks": 0.5},
    "overlap": {"minimum": 0.4, "min_requests": 20},
    "ctr": {"margin": 0.5, "enabled": False},
    "cvr": {"margin": 0.5, "enabled": False},
}


def quick_settings(shop: ServedShop, triton_url: str, **sections: Any) -> RouterSettings:
    """Settings of a router whose rollouts take seconds."""
    rollout = {
        "judge": QUICK_JUDGE,
        "poll_interval_s": 0.1,
        "lease_s": 1.0,
        "shadow": {"share": 1.0},
        "preparation": {"requests": 10},
        "error_grace_s": 10.0,
        "missing_grace_s": 5.0,
        "deadline_s": 120.0,
    }
    return shop.settings(
        triton_url,
        ingress={"kind": "grpc", "address": "127.0.0.1:0"},
        rollout=rollout,
        ranking={"score_timeout_ms": 1_000.0, "breaker": {"timeouts": 0}},
        **sections,
    )


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
