"""Adds every registered RPC service, and health, to a gRPC server: the router's own or Ray Serve's."""

from __future__ import annotations

import os
from itertools import groupby
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from registration.plugins import VARIABLE
from server.ingress.malformed import TolerantRegistrar, tolerant
from server.ingress_settings import LimitSettings
from server.rpc.methods import method_table

REQUEST_BYTES_VARIABLE = "SHOPFRONT_REQUEST_BYTES"
"""Largest request of methods without a limit of their own; unset: the default."""
_HEALTH_BYTES = 1_024
_HEALTH_REQUESTS: dict[str, type[Message]] = dict.fromkeys(("Check", "Watch"), health_pb2.HealthCheckRequest)


def add_services(servicer: Any, server: Any, request_bytes: int) -> None:
    """Adds the services of the table and `grpc.health.v1.Health` to `server`.

    Requests that cannot be read or are too large reach the servicer as `MalformedRequest`.

    Args:
        servicer: has a method for each bare method name.
        server: any server with gRPC's two registration methods (`grpc.aio.Server`, Ray Serve's).
        request_bytes: largest request of methods without a limit of their own.
    """
    for service, methods in groupby(method_table().values(), lambda method: method.service):
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                getattr(servicer, method.name),
                request_deserializer=tolerant(
                    method.request,
                    method.options.request_bytes or request_bytes,
                    method.options.repeated,
                ),
                response_serializer=method.response.SerializeToString,
            )
            for method in methods
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        server.add_registered_method_handlers(service, handlers)
    health_pb2_grpc.add_HealthServicer_to_server(
        servicer, TolerantRegistrar(server, _HEALTH_REQUESTS, _HEALTH_BYTES)
    )


def add_services_in_ray(servicer: Any, server: Any) -> None:
    """`add_services` for Ray Serve, which calls it by its import path in the processes that receive calls.

    Its proxies receive no settings: plug-ins and limits come from the environment.
    """
    if os.environ.get(VARIABLE):
        # A proxy without plug-ins does without the registries, and so without the libraries of channels.
        from server.plugins import load_from_environment

        load_from_environment()
    limit = os.environ.get(REQUEST_BYTES_VARIABLE)
    add_services(servicer, server, int(limit) if limit else LimitSettings().request_bytes)
