"""A running service that a test may break, if it repairs it again."""

from __future__ import annotations

from dataclasses import dataclass

from testing.rollout_traffic import Operator
from testing.running_router import Ingress
from testing.served_shop import ServedShop
from triton_repo.server import TritonServer


@dataclass(frozen=True)
class ServiceUnderTest:
    """A router with its shop and its Triton."""

    ingress: Ingress
    shop: ServedShop
    triton: TritonServer

    @property
    def address(self) -> str:
        """Host and port of the router."""
        return self.ingress.address

    @property
    def operator(self) -> Operator:
        """An operator who calls this router."""
        return Operator(self.address)

    @property
    def dataset(self) -> str:
        """Id of the data set that is served."""
        return self.shop.dataset.manifest.id

    def replica_pids(self) -> list[int]:
        """Process ids of the replicas that live; the router must run in its own processes."""
        assert self.ingress.handle is not None
        return self.ingress.handle.replica_pids()
