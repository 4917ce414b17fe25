"""The TCP connections that this process has accepted, as the kernel knows them, and how to end one.

gRPC's library names neither its connections nor when each was last used, and closes none to make room for
another. The kernel knows both: the sockets are among the process's open files, and TCP_INFO
(https://man7.org/linux/man-pages/man7/tcp.7.html) has the bytes received and the time since the last ones.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")
# include/uapi/linux/tcp.h: tcpi_last_data_recv in ms, tcpi_bytes_received.
_LAST_DATA_RECEIVED = struct.Struct("=I")
_LAST_DATA_RECEIVED_AT = 52
_BYTES_RECEIVED = struct.Struct("=Q")
_BYTES_RECEIVED_AT = 128
_INFO_BYTES = 192
# The client's preface of HTTP/2 and an empty SETTINGS frame; what sent no more has made no call.
_GREETING_BYTES = 24 + 9


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """An accepted connection that both sides hold open."""

    inode: int
    """By which the kernel names the socket; no other has it while this one is open."""
    address: str
    """The caller's, without the port."""
    idle_s: float
    """Since the last byte was received; since it was accepted where none was."""
    silent: bool
    """Whether the caller has sent no more than HTTP/2's greeting, if that."""


def open_files() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir(_OPEN_FILES))


def accepted_connections(port: int) -> list[OpenConnection]:
    """The connections that this process has accepted at `port`; about 15 µs each."""
    found = []
    for connection, inode in _sockets(port):
        with suppress(OSError):
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            (idle_ms,) = _LAST_DATA_RECEIVED.unpack_from(info, _LAST_DATA_RECEIVED_AT)
            (received,) = _BYTES_RECEIVED.unpack_from(info, _BYTES_RECEIVED_AT)
            address = connection.getpeername()[0]
            found.append(OpenConnection(inode, address, idle_ms / 1_000, received <= _GREETING_BYTES))
    return found


def end_connections(port: int, inodes: frozenset[int]) -> int:
    """Ends those of the connections accepted at `port` that are still open; returns how many.

    The program that holds them sees that the caller has gone, and closes them as always.
    """
    ended = 0
    for connection, inode in _sockets(port):
        if inode in inodes:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
                ended += 1
    return ended


def _sockets(port: int) -> Iterator[tuple[socket.socket, int]]:
    """Each socket at the port that has a peer, and its inode; it is not to be closed."""
    for name in os.listdir(_OPEN_FILES):
        number = int(name)
        # Without a duplicate, which would be closed again: closing any descriptor of a file gives up every
        # lock that the process has on the file (fcntl(2)), and LMDB's lock file is among these.
        try:
            status = os.fstat(number)
            if not stat.S_ISSOCK(status.st_mode):
                continue
            connection = socket.socket(fileno=number)
        except OSError:
            # Closed since.
            continue
        try:
            if _is_accepted(connection, port):
                yield connection, status.st_ino
        finally:
            connection.detach()


def _is_accepted(connection: socket.socket, port: int) -> bool:
    if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
        return False
    try:
        connection.getpeername()
        return bool(connection.getsockname()[1] == port)
    except OSError:
        # It listens, or its peer has gone.
        return False
