"""A console in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from console.app import application
from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress
from server.ingress_settings import split_address


@contextmanager
def console_in_thread(router: RouterAddress, settings: ConsoleSettings) -> Iterator[str]:
    """Serves the router's pages while the body runs; gives their URL without a slash at its end."""
    _, port = split_address(settings.address)
    config = uvicorn.Config(application(router, settings), port=port, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://{settings.address}"
    finally:
        server.should_exit = True
        thread.join(10)
