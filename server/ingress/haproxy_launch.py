"""Amends the configuration that Ray Serve wrote for HAProxy, then becomes HAProxy.

Run as a script, by the program that `haproxy_program` writes: `haproxy_launch.py <haproxy> [argument…]`,
where `-f <file>` names the configuration, which Ray Serve writes before each start. Six amendments:

- Until a fresh HAProxy has received the list of replicas it would answer NOT_FOUND, which callers do not
  retry. It does not listen for gRPC until then, so that callers wait for a connection.
- Each call is given an id in the header `x-shopfront-call-id`. HAProxy sends a call of a replica that died to
  another one with the same id, so that events without an event_id are stored once.
- Once the router stops (`haproxy_drain`), new calls are refused as UNAVAILABLE, which callers send elsewhere,
  and a fresh HAProxy does not listen for gRPC. Ray Serve's own fallback would answer NOT_FOUND.
- A HAProxy that takes over from none does not load the state of replicas that was saved at the last change
  of the configuration: one that was down then would be down until its checks pass, and calls be refused.
- Where HAProxy finds no replica that answers, Ray Serve has it say HTTP 500, which gRPC takes for UNKNOWN and
  callers do not retry. It says HAProxy's own 502, 503 or 504 instead, which gRPC takes for UNAVAILABLE.
- Connections that say nothing, or not all of their first request, are closed. As many are taken as the
  limit of open files allows; when three quarters of the places are taken, an address that has more than its
  share gets no further ones, so that others do. `CONNECTIONS_VARIABLE` has the figures. Else silent
  connections would hold every place for an hour.
"""

import os
import re
import resource
import sys
from pathlib import Path

CALL_ID_HEADER = "x-shopfront-call-id"
CONNECTIONS_VARIABLE = "SHOPFRONT_CONNECTIONS"
"""`<ms to set up> <ms idle> <connections> <connections per address>`; unset: no limits."""
STOPPING_VARIABLE = "proc.shopfront_stopping"
STOPPING_FILE = "stopping"

_FRONTEND = "frontend grpc_frontend\n"
_BIND = "    bind "
_SAVED_STATE = "    load-server-state-from-file global\n"
# https://docs.haproxy.org/2.8/management.html#3
_TAKE_OVER = "-sf"
_NO_SHARED_PORT = "-dR"
_MODE = "    mode http\n"
_BACKEND = re.compile(r"^(backend \S+\n    mode http\n)", re.MULTILINE)
# https://docs.haproxy.org/2.8/configuration.html#4-http-error
_OWN_ERRORS = "".join(f"    http-error status {status} default-errorfiles\n" for status in (502, 503, 504))
# Ray Serve writes one such line for each application that has replicas.
_REPLICAS = "req.hdr(application) -m str "
_RULES = (
    "    http-request return status 200 content-type application/grpc hdr grpc-status 14 "
    f'hdr grpc-message "this router is stopping" if {{ var({STOPPING_VARIABLE}) -m found }}\n'
    # Ray's own list of applications: callers need not know what runs on the node.
    "    http-request return status 200 content-type application/grpc hdr grpc-status 12 "
    "if { path /ray.serve.RayServeAPIService/ListApplications }\n"
    f"    http-request set-header {CALL_ID_HEADER} %[uuid]\n"
)


_FULL_SHARE = 0.75
# Listeners, health checks, connections for statistics.
_OTHER_FILES = 256
_OTHER_CONNECTIONS = 64
_MAXCONN = re.compile(r"^    maxconn \d+$", re.MULTILINE)
_CONNECTIONS = """\
    maxconn {most}
    timeout client {setup_ms}ms
    timeout http-request {setup_ms}ms
    timeout http-keep-alive {idle_ms}ms
    stick-table type ipv6 size 100k expire 1m store conn_cur
    tcp-request connection track-sc0 src
    tcp-request connection reject if {{ fe_conn gt {full} }} {{ sc0_conn_cur gt {per_address} }}
"""


def affordable(connections: int, files: int) -> int:
    """Connections that a HAProxy which may open `files` files can take, `connections` at most.

    It reckons with two files each, one for the replica's side, and would not start if these were too many.
    """
    return max(1, min(connections, (files - _OTHER_FILES) // 2 - _OTHER_CONNECTIONS))


def amended(
    configuration: str,
    *,
    stopping: bool = False,
    takes_over: bool = False,
    connections: str = "",
    files: int = 2**20,
) -> str:
    """The configuration with the amendments; as it is where it has no gRPC frontend, or has them already.

    Args:
        configuration: what Ray Serve wrote.
        stopping: whether the router stops.
        takes_over: whether another HAProxy runs, whose state of replicas was saved just now.
        connections: value of `CONNECTIONS_VARIABLE`.
        files: how many HAProxy may open.
    """
    before, found, frontend = configuration.partition(_FRONTEND)
    if not found or CALL_ID_HEADER in configuration:
        return configuration
    if not takes_over:
        before = before.replace(_SAVED_STATE, "")
    limits = ""
    if connections:
        setup_ms, idle_ms, wanted, per_address = connections.split()
        most = affordable(int(wanted), files)
        limits = _CONNECTIONS.format(
            most=most,
            full=int(_FULL_SHARE * most),
            setup_ms=setup_ms,
            idle_ms=idle_ms,
            per_address=per_address,
        )
        # For splicing, which HTTP/2 cannot do, HAProxy would set files aside.
        before = _MAXCONN.sub(f"    maxconn {most + _OTHER_CONNECTIONS}\n    maxpipes 1", before, count=1)
    frontend = frontend.replace(_MODE, _MODE + _OWN_ERRORS + limits + _RULES, 1)
    frontend = _BACKEND.sub(rf"\g<1>{_OWN_ERRORS}", frontend)
    if stopping or _REPLICAS not in frontend:
        listening, _, rest = frontend.partition(_BIND)
        frontend = listening + rest.partition("\n")[2]
    return before + found + frontend


def shared(arguments: list[str]) -> list[str]:
    """The arguments without the one that forbids sharing a port.

    A router that replaces one whose Ray was lost listens at the same address while that one still answers.
    """
    return [argument for argument in arguments if argument != _NO_SHARED_PORT]


def main(program: str, arguments: list[str]) -> None:
    """Amends the file and becomes `program`; does not return."""
    path = Path(arguments[arguments.index("-f") + 1])
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    # Ray Serve keeps the file in the router's folder, or in one per node below it.
    stopping = any((folder / STOPPING_FILE).exists() for folder in (path.parent, path.parent.parent))
    connections = os.environ.get(CONNECTIONS_VARIABLE, "")
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    fresh.write_text(
        amended(
            path.read_text(),
            stopping=stopping,
            takes_over=_TAKE_OVER in arguments,
            connections=connections,
            files=files,
        )
    )
    fresh.replace(path)
    os.execv(program, [program, *shared(arguments)])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
