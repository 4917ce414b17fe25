"""Calls a router's health check, for health checks of containers.

python -m server.ingress.check_health HOST:PORT [--cacert FILE] [--cert FILE --key FILE] [--cname NAME]
    [--tls] [--token-file FILE]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.ingress.client_channel import ChannelError, RouterAddress, open_channel, token_in, why_unanswered

TIMEOUT_S = 2.0


def serves(router: RouterAddress, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether the router answers SERVING within `timeout_s` seconds; if not, prints why to standard error.

    Raises `ChannelError` where `router` names a file that cannot be used.
    """
    with open_channel(router) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError as error:
            print(why_unanswered(router, error), file=sys.stderr)
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main(arguments: Sequence[str]) -> int:
    """The exit status of a health check: 0 where the router serves."""
    parser = argparse.ArgumentParser("python -m server.ingress.check_health")
    parser.add_argument("address", help="host:port of the router")
    parser.add_argument("--tls", action="store_true", help="use TLS and trust this machine's authorities")
    for name, what in (
        ("cacert", "PEM file that verifies the router's certificate"),
        ("cert", "PEM file of this side's certificate"),
        ("key", "PEM file of its key"),
        ("token-file", "file whose first line is a bearer token"),
    ):
        parser.add_argument(f"--{name}", type=Path, help=what)
    parser.add_argument("--cname", default="", help="name to expect in the router's certificate")
    given = parser.parse_args(arguments)
    try:
        router = RouterAddress(
            given.address,
            tls=given.tls or bool(given.cacert or given.cert or given.key or given.cname),
            cacert=given.cacert,
            cert=given.cert,
            key=given.key,
            cname=given.cname,
            token=token_in("--token-file", given.token_file) if given.token_file else "",
        )
        return 0 if serves(router) else 1
    except ChannelError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
