"""The environment variables Ray and Ray Serve are started with.

Ray reads them when it is imported, so they must be set before. A cluster that the router is deployed to must
be started with `serve_environment`.
"""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from registration.plugins import VARIABLE
from server.ingress.add_services import REQUEST_BYTES_VARIABLE
from server.ingress.haproxy_admin import ADMIN_SOCKET
from server.ingress.haproxy_launch import CONNECTIONS_VARIABLE
from server.ingress.haproxy_program import write_haproxy_program
from server.ingress.ports import free_ports, free_range
from server.ingress_settings import IngressSettings, RaySettings
from server.rpc.methods import received_bytes

_PROXY_SHARE = 0.25
"""Part of the time for the router's start that its proxy may take."""
_WITHOUT_RAY_S = 300
_RAY_LOG_BYTES = 16 * 1024 * 1024


def serve_environment(settings: IngressSettings, plugins: Sequence[str] = ()) -> dict[str, str]:
    """What the ingress needs of Ray Serve, on any node.

    `plugins`: modules that every process loads; they must be loaded in this one, since their RPC services may
    take larger requests.
    """
    shared = {
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        # HAProxy is replaced after three failed checks, and no call is answered until then: a dead one is
        # noticed at once, a slow one is given time.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": str(settings.health_check_period_s / 4),
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": str(2 * settings.health_check_period_s),
        # Serve kills a proxy that takes longer than this to start, 5 s by default, which ends the router's
        # start. Beside other work, a build for one, it takes longer; one that died is noticed at once.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": str(settings.start_timeout_s * _PROXY_SHARE),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(settings.deregister_s),
        "RAY_SERVE_LOG_TO_STDERR": "0",
        # What runs by the clock: each step of the controller takes 3 ms of a core, ten times a second by
        # default. HAProxy notices a replica that died by itself.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.25",
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "1000",
        # One that does not answer its health checks would not drain either.
        "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
        REQUEST_BYTES_VARIABLE: str(settings.limits.request_bytes),
        # gRPC's threads receive messages, and with an arena for each of them a replica keeps 80 MiB of large
        # ones, of which malloc_trim gives little back.
        "MALLOC_ARENA_MAX": "2",
    }
    if plugins:
        shared[VARIABLE] = ",".join(plugins)
    if settings.kind == "grpc":
        return shared | {"RAY_SERVE_ENABLE_HA_PROXY": "0"}
    return shared | {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        # A call whose replica died before it answered goes to another one. Recommendations only read, and
        # events are stored once: by their event_id, else by the id HAProxy gives the call.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_RETRIES": "3",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_GRPC_MAX_MESSAGE_SIZE": str(received_bytes(settings.limits.request_bytes)),
        "RAY_SERVE_HAPROXY_H2_FE_MAX_CONCURRENT_STREAMS": str(settings.limits.streams_per_connection),
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": str(math.ceil(settings.limits.idle_connection_s)),
        CONNECTIONS_VARIABLE: " ".join(
            str(figure)
            for figure in (
                math.ceil(1_000 * settings.limits.handshake_s),
                math.ceil(1_000 * settings.limits.idle_connection_s),
                settings.limits.connections,
                settings.limits.connections_per_address,
            )
        ),
    }


def local_environment(ray: RaySettings, folder: Path) -> dict[str, str]:
    """A small node next to others: no usage statistics, no fixed port of Serve, all files under `folder`."""
    metrics_port, stats_port, http_port, grpc_port = free_ports(4)
    replica_ports = free_range(seed=os.getpid())
    half = len(replica_ports) // 2
    return {
        "RAY_AUTH_MODE": ray.auth_mode,
        # One of its own for each node: Ray would make one and write it to the user's home.
        "RAY_AUTH_TOKEN": secrets.token_hex(32) if ray.auth_mode == "token" else "",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Of each of Ray's own logs: by default 512 MiB and five older files.
        "RAY_ROTATION_MAX_BYTES": str(_RAY_LOG_BYTES),
        "RAY_ROTATION_BACKUP_COUNT": "1",
        "RAY_enable_metrics_collection": "0",
        "RAY_event_stats": "0",
        "RAY_task_events_report_interval_ms": "0",
        "RAY_raylet_report_resources_period_milliseconds": "1000",
        # Replicas end so long after the GCS or the raylet: they answer while the router that replaces them
        # starts, which then ends them.
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(_WITHOUT_RAY_S),
        "RAY_raylet_death_check_interval_milliseconds": str(1_000 * _WITHOUT_RAY_S),
        "RAY_num_prestart_python_workers": "0",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(write_haproxy_program(folder)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / ADMIN_SOCKET),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(http_port),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(grpc_port),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(replica_ports[0]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(replica_ports[half - 1]),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(replica_ports[half]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(replica_ports[-1]),
    }
