"""One shop, its router, a console and a browser for every test that looks at pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress
from server.ingress.ports import free_ports
from server.settings import RouterSettings
from shopfront.console_beside import console_beside
from testing.quick_rollouts import quick_settings
from testing.running_router import in_process
from testing.served_shop import ServedShop, make_shop
from testing.triton_models import add_tiny_version
from testing.triton_server import tiny_triton


@dataclass(frozen=True)
class Shown:
    """A shop whose router can be asked through a console at `url`."""

    shop: ServedShop
    settings: RouterSettings
    port: int
    url: str
    audit: Path


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A console in its own process beside the router of a small shop, with a second version of `bst`."""
    folder = tmp_path_factory.mktemp("console")
    shop = make_shop(folder)
    with tiny_triton(folder) as server:
        add_tiny_version(server.repository, "bst", 2)
        settings = quick_settings(shop, server.grpc_url, metrics={"enabled": True})
        (port,) = free_ports(1)
        audit = folder / "audit.jsonl"
        console = ConsoleSettings(address="127.0.0.1:0", audit=audit)
        with (
            in_process(settings, port) as ingress,
            console_beside(RouterAddress(ingress.address), console, folder, print) as url,
        ):
            yield Shown(shop, settings, port, url, audit)
