"""Whether Ray Serve is stopping the replica that runs in this process.

Ray Serve drains a replica before it calls the router's own code, and waits for every call in progress to end.
A call that ends only when the router does, such as a health watch, must end itself, or Serve kills the
replica. Serve informs HAProxy (`Healthz` answers DRAINING), but not the code it serves, which has to check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def draining_of_this_replica() -> Callable[[], bool]:
    """A function that returns whether the replica of this process is stopping.

    Raises RuntimeError where this process is no replica, or Ray Serve stores its state elsewhere.
    """
    from ray._private.worker import global_worker

    for actor in global_worker.actors.values():
        replica: Any = getattr(actor, "_replica_impl", None)
        if isinstance(getattr(replica, "_shutting_down", None), bool):
            return lambda: bool(replica._shutting_down)
    raise RuntimeError(
        "this process is no replica of Ray Serve 2.60, or its replicas have no attribute _shutting_down; "
        "server/ingress/ray_drain.py must be adapted to the version of Ray"
    )
