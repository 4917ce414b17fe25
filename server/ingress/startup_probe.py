"""Whether a router that this program started serves yet."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.ingress.sessions import listens_on
from server.ingress_settings import split_address
from server.settings import RouterSettings


def why_not_serving(settings: RouterSettings, processes: Sequence[psutil.Process]) -> str | None:
    """Why the router of these processes does not serve at its address; None where it does."""
    ingress = settings.ingress
    # Where two routers share the address the other one could answer. On a cluster the listener may be on
    # another machine.
    if not settings.ray.address and not listens_on(processes, split_address(ingress.address)[1]):
        return "none of its processes listens there"
    # This program has no certificate that callers must show: the replicas have reported that they serve.
    return _connect(ingress.address) if ingress.tls is not None else _check_health(ingress.address)


def _connect(address: str) -> str | None:
    try:
        socket.create_connection(split_address(address), timeout=1.0).close()
    except OSError as error:
        return str(error)
    return None


def _check_health(address: str) -> str | None:
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=1.0)
        except grpc.RpcError as error:
            # An UNAUTHENTICATED answer proves that it serves.
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return None
            return f"{error.code().name}: {error.details()}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
