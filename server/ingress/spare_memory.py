"""Memory of large messages and of many connections is given back to the system; glibc would keep it."""

from __future__ import annotations

import ctypes
import threading

LARGE_BYTES = 2**20
"""Messages of fewer bytes are what a replica's memory is for."""
_AFTER_S = 1.0

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
_lock = threading.Lock()
_pending = False


def give_back_after(message_bytes: int) -> None:
    """After a large message: returns free memory a second later, when the message is gone.

    As `give_back_soon`.
    """
    if message_bytes >= LARGE_BYTES:
        give_back_soon()


def give_back_soon() -> None:
    """Returns free memory a second later, in a thread.

    At most once a second, since the allocator waits meanwhile: mostly 1 ms for a replica of 250 MiB, at
    times 50. Does nothing where the C library has no `malloc_trim` (malloc_trim(3)).
    """
    global _pending
    if _trim is None:
        return
    with _lock:
        if _pending:
            return
        _pending = True
    timer = threading.Timer(_AFTER_S, _give_back)
    timer.daemon = True
    timer.start()


def _give_back() -> None:
    global _pending
    with _lock:
        _pending = False
    assert _trim is not None
    _trim(0)
