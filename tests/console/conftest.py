"""One shop, its router, a console and a browser for every test that looks at pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress
from server.ingress.ports import free_ports
from server.settings import RouterSettings
from shopfront.console_beside import console_beside
from testing.faulty_versions import add_version, shuffled_weights
from testing.quick_rollouts import quick_settings
from testing.running_router import in_process
from testing.served_shop import SCENES, ServedShop, make_shop
from testing.triton_server import tiny_triton


@dataclass(frozen=True)
class Shown:
    """A shop whose router can be asked through a console at `url`."""

    shop: ServedShop
    settings: RouterSettings
    port: int
    url: str
    audit: Path
    router: ExitStack

    def start_router(self) -> None:
        """Starts the router at its port."""
        self.router.enter_context(in_process(self.settings, self.port))

    def stop_router(self) -> None:
        """Ends the router."""
        self.router.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A console in its own process beside the router of a small shop, with a bad second version of `bst`."""
    folder = tmp_path_factory.mktemp("console")
    shop = make_shop(folder)
    shop.scenes.write_text(
        SCENES.replace("  candidates: 100\n", "  candidates: 100\n  feature_log: {enabled: true}\n")
    )
    with tiny_triton(folder) as server:
        add_version(server.repository, shop.dataset.manifest.id, weights=shuffled_weights())
        settings = quick_settings(shop, server.grpc_url, metrics={"enabled": True}).model_copy(
            update={"experiments": shop.folder / "experiments.yaml"}
        )
        (port,) = free_ports(1)
        audit = folder / "audit.jsonl"
        console = ConsoleSettings(address="127.0.0.1:0", audit=audit)
        router = RouterAddress(f"127.0.0.1:{port}")
        with console_beside(router, console, folder, print) as url, ExitStack() as running:
            shown = Shown(shop, settings, port, url.rstrip("/"), audit, running)
            shown.start_router()
            yield shown
