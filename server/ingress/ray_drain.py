"""Whether the replica of Ray Serve that this process is has been told to stop.

Ray Serve drains a replica before it calls anything of ours, and waits for every call in progress to end. A
call that ends only when the router does, such as a health watch, must know, or the replica is killed in the
end. Serve tells HAProxy (`Healthz` answers DRAINING), but the code it serves must look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def draining_of_this_replica() -> Callable[[], bool]:
    """A look at this process's replica, for use within it.

    Raises RuntimeError where this process is no replica, or Ray Serve keeps its state in another place.
    """
    from ray._private.worker import global_worker

    for actor in global_worker.actors.values():
        replica: Any = getattr(actor, "_replica_impl", None)
        if isinstance(getattr(replica, "_shutting_down", None), bool):
            return lambda: bool(replica._shutting_down)
    raise RuntimeError(
        "this process is no replica of Ray Serve 2.60, or its replicas no longer say whether they drain; "
        "server/ingress/ray_drain.py must be adapted to the version of Ray"
    )
