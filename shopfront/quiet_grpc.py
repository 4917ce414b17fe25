"""Keeps gRPC's library from writing to a terminal what the command's own message contains too."""

from __future__ import annotations

import os

_VERBOSITY = "GRPC_VERBOSITY"


def import_grpc_quietly() -> None:
    """Imports gRPC with its log switched off, unless GRPC_VERBOSITY asks for it.

    The library reads the variable while it is imported. Programs started from here find it as it was.
    """
    if _VERBOSITY in os.environ:
        return
    os.environ[_VERBOSITY] = "NONE"
    try:
        import grpc  # noqa: F401
    finally:
        del os.environ[_VERBOSITY]
