import socket
from collections.abc import Iterator

import pytest

from tests.loadtest.greeter import Greeter, greeter


@pytest.fixture(scope="session")
def running_greeter() -> Iterator[Greeter]:
    with greeter() as running:
        yield running


@pytest.fixture
def server(running_greeter: Greeter) -> Greeter:
    running_greeter.seen.requests.clear()
    running_greeter.seen.metadata.clear()
    running_greeter.seen.streams.clear()
    return running_greeter


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
