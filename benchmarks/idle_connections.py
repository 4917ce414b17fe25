"""Thousands of connections that say nothing, held open from one address."""

import select
import socket
import threading
import time

from server.ingress_settings import split_address

GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04" + bytes(5)
"""A greeting of HTTP/2: the preface and empty settings."""


class IdleConnections:
    """Keeps so many connections open from one address; what the server closes is opened again at once."""

    def __init__(self, address: str, count: int, greeting: bytes = b"") -> None:
        """Opens them, and opens others for those that are closed, until `close`."""
        self._target = split_address(address)
        self._count = count
        self._greeting = greeting
        self._stopping = threading.Event()
        self._open: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self.opened = 0
        self.full = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            while len(self._open) < self._count and not self._stopping.is_set():
                self._connect()
            self.full.set()
            for number, _ in self._poll.poll(100):
                connection = self._open[number]
                try:
                    gone = not connection.recv(4_096)
                except ConnectionError:
                    gone = True
                if gone:
                    self._poll.unregister(number)
                    self._open.pop(number).close()

    def _connect(self) -> None:
        connection = socket.socket()
        try:
            connection.settimeout(5)
            connection.connect(self._target)
            connection.sendall(self._greeting)
        except OSError:
            connection.close()
            time.sleep(0.001)
            return
        self.opened += 1
        self._open[connection.fileno()] = connection
        self._poll.register(connection, select.POLLIN)

    def close(self) -> None:
        """Closes all of them."""
        self._stopping.set()
        self._thread.join()
        for connection in self._open.values():
            connection.close()
