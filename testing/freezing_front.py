"""A front of a gRPC server that freezes at the worst moment: connections are up, and others being made."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

_PIECE = 65_536


class FreezingFront:
    """Passes on what comes over its first `passed` connections and leaves further ones without an answer.

    So does the listener of a process that is stopped: the kernel accepts, and nobody speaks. `freeze` stops
    the passed ones as well, `replace` closes all of them as the end of that process would, after which every
    new connection is passed on, as by another process at the same address.
    """

    def __init__(self, server: str, passed: int) -> None:
        """A front of the gRPC server at `server`, host:port."""
        host, _, port = server.rpartition(":")
        self._server = host, int(port)
        self._passed = passed
        self._frozen = threading.Event()
        self._replaced = False
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        """host:port to call."""
        self.held = 0
        """Connections that were accepted and left without an answer."""

    def __enter__(self) -> Self:
        """Begins to accept."""
        threading.Thread(target=self._accept, name="freezing-front", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Closes everything."""
        # Wakes the thread that accepts, which closing alone would not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._reset_all()

    def freeze(self) -> None:
        """Nothing is passed on any more, in neither direction."""
        self._frozen.set()

    def replace(self) -> None:
        """Resets every connection; new ones are all passed on."""
        with self._lock:
            self._replaced = True
        self._reset_all()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._ends.append(caller)
                if not self._replaced and (self._passed == 0 or self._frozen.is_set()):
                    self.held += 1
                    continue
                self._passed -= 1
                upstream = socket.create_connection(self._server)
                self._ends.append(upstream)
                stopped = None if self._replaced else self._frozen
            for source, target in ((caller, upstream), (upstream, caller)):
                threading.Thread(target=_pass_on, args=(source, target, stopped), daemon=True).start()

    def _reset_all(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                # Closed with a reset instead of an end, as sockets of a killed process with unread data are.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)
            end.close()


def _pass_on(source: socket.socket, target: socket.socket, stopped: threading.Event | None) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            if stopped is not None and stopped.is_set():
                return
            target.sendall(piece)
