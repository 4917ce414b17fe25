"""Amends the configuration that Ray Serve wrote for HAProxy, then becomes HAProxy.

Run as a script, by the one that `haproxy_program` writes: `haproxy_launch.py <haproxy> [argument…]`, where
`-f <file>` names the configuration, which Ray Serve writes anew before each start. Two amendments:

- Until a fresh HAProxy has been told of the replicas it would answer NOT_FOUND, which callers do not retry.
  It does not listen for gRPC until then, so that callers wait for a connection.
- Each call is given an id in the header `x-shopfront-call-id`. HAProxy sends a call of a replica that died to
  another one with the same id, so that events without an event_id are stored once.
"""

import os
import sys
from pathlib import Path

CALL_ID_HEADER = "x-shopfront-call-id"

_FRONTEND = "frontend grpc_frontend\n"
_BIND = "    bind "
_MODE = "    mode http\n"
# Ray Serve writes one such line for each application that has replicas.
_REPLICAS = "req.hdr(application) -m str "
_CALL_ID = f"    http-request set-header {CALL_ID_HEADER} %[uuid]\n"


def amended(configuration: str) -> str:
    """The configuration with both amendments; as it is where it has no gRPC frontend, or has them already."""
    before, found, frontend = configuration.partition(_FRONTEND)
    if not found or CALL_ID_HEADER in configuration:
        return configuration
    frontend = frontend.replace(_MODE, _MODE + _CALL_ID, 1)
    if _REPLICAS not in frontend:
        listening, _, rest = frontend.partition(_BIND)
        frontend = listening + rest.partition("\n")[2]
    return before + found + frontend


def main(program: str, arguments: list[str]) -> None:
    """Amends the file and becomes `program`; does not return."""
    path = Path(arguments[arguments.index("-f") + 1])
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(amended(path.read_text()))
    fresh.replace(path)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
