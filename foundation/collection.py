"""The garbage collector while modules are imported, which makes many objects that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Python collects no garbage while the body runs; afterwards as before.

    Looking through everything imported so far, again and again, takes a sixth of the time of importing the
    settings or a replica.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
