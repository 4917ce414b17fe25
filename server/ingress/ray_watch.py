"""Whether Ray is alive: its GCS and raylet, which Ray itself does not replace when they die.

Without them replicas continue to answer for a while, but nothing that dies is replaced. A local node's
processes are children of this one and are watched directly. A cluster, and processes that hang, are
recognised by the GCS no longer answering.
"""

from __future__ import annotations

import logging
import threading
import time

import psutil
import ray

from server.ingress.sessions import program_of
from server.ingress_settings import RaySettings
from triton_repo.process_ends import is_alive

logger = logging.getLogger(__name__)

_NODE_PROCESSES = ("gcs_server", "raylet")


class RayWatch:
    """Watches the Ray that this process has joined."""

    def __init__(self, settings: RaySettings) -> None:
        """Raises RuntimeError where a local node's processes cannot be found."""
        self._lost_after_s = settings.lost_after_s
        self._interval_s = settings.look_interval_s
        self._node_id = ray.get_runtime_context().get_node_id()
        self._processes = {} if settings.address else _node_processes()
        self._answered = time.monotonic()
        self._node_is_dead = False
        self._stopping = threading.Event()
        # The call blocks for a minute where Ray does not answer, whatever timeout it is given.
        threading.Thread(target=self._ask, name="ray-watch", daemon=True).start()

    def stop(self) -> None:
        """Ends the watch."""
        self._stopping.set()

    def loss(self) -> str | None:
        """In one line why Ray is lost; None where it is alive."""
        for name, process in self._processes.items():
            if not is_alive(process):
                return f"Ray's {name} (process {process.pid}) has died"
        if self._node_is_dead:
            return "Ray's GCS has given up this node: its raylet does not answer"
        silent_s = time.monotonic() - self._answered
        if silent_s > self._lost_after_s:
            return f"Ray's GCS has not answered for {silent_s:.0f} s"
        return None

    def _ask(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                nodes = ray.nodes()
            except Exception:
                if self._stopping.is_set():
                    return
                # Exceptions of many types; if the failure lasts then `loss` reports it.
                logger.warning("Ray's GCS could not be queried", exc_info=True)
            else:
                self._answered = time.monotonic()
                self._node_is_dead = any(
                    node["NodeID"] == self._node_id and not node["Alive"] for node in nodes
                )


def _node_processes() -> dict[str, psutil.Process]:
    children = {program_of(child): child for child in psutil.Process().children()}
    missing = [name for name in _NODE_PROCESSES if name not in children]
    if missing:
        raise RuntimeError(f"Ray runs without {', '.join(missing)} among this process's children")
    return {name: children[name] for name in _NODE_PROCESSES}
