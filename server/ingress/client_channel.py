"""Channels to a router for programs that call it: plain text, TLS, mutual TLS, bearer tokens."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

_NO_CONNECTION = "failed to connect to all addresses; last error: "
_SILENT = ("Failed to connect to remote host", "DNS", "Name or service", "Timeout")


class ChannelError(Exception):
    """An option cannot be used to call the router; the message names the option and the file."""


@dataclass(frozen=True, slots=True)
class RouterAddress:
    """Where a router is and how to call it. The names are those of the command line's options."""

    address: str
    """host:port."""
    tls: bool = False
    cacert: Path | None = None
    """PEM file of what verifies the router's certificate; None: this machine's authorities."""
    cert: Path | None = None
    """PEM file of the caller's certificate, and below it that of its key, for mutual TLS."""
    key: Path | None = None
    cname: str = ""
    """Name expected in the router's certificate; empty: the host's."""
    authority: str = ""
    """Value of :authority in plain text; empty: the address."""
    token: str = field(default="", repr=False)
    """Sent as `authorization: Bearer <token>` where it is not empty."""


@contextmanager
def open_channel(router: RouterAddress) -> Iterator[grpc.Channel]:
    """A channel to the router while the body runs; it connects at the first call.

    Raises `ChannelError` where a file or the token cannot be used.
    """
    _check_token(router.token)
    if router.tls:
        options = [("grpc.ssl_target_name_override", router.cname)] if router.cname else []
        opened = grpc.secure_channel(router.address, _credentials(router), options)
    else:
        options = [("grpc.default_authority", router.authority)] if router.authority else []
        opened = grpc.insecure_channel(router.address, options)
    with opened as channel:
        yield grpc.intercept_channel(channel, _Bearer(router.token)) if router.token else channel


def open_async_channel(router: RouterAddress) -> grpc.aio.Channel:
    """A channel to the router on the running event loop, which the caller closes.

    The token is not added: send `authorization: Bearer <token>` with each call. Raises `ChannelError` where a
    file or the token cannot be used.
    """
    _check_token(router.token)
    # A router that is back is found within two seconds.
    options: list[tuple[str, Any]] = [("grpc.max_reconnect_backoff_ms", 2_000)]
    if router.tls:
        options += [("grpc.ssl_target_name_override", router.cname)] if router.cname else []
        return grpc.aio.secure_channel(router.address, _credentials(router), options)
    options += [("grpc.default_authority", router.authority)] if router.authority else []
    return grpc.aio.insecure_channel(router.address, options)


def token_in(option: str, path: Path) -> str:
    """The first token of a file with one a line, # for comments. Raises `ChannelError`, naming `option`."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ChannelError(f"{option}: {path} is no text") from error
    except OSError as error:
        raise ChannelError(f"{option}: {path} cannot be read ({error.strerror})") from error
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise ChannelError(f"{option}: {path} holds no token")
    return tokens[0]


def why_unanswered(router: RouterAddress, error: grpc.RpcError) -> str:
    """One line for a person: what came of the call, and what to do where the connection may be at fault."""
    code: grpc.StatusCode = error.code()
    details = " ".join((error.details() or "").removeprefix(_NO_CONNECTION).split())
    hint = _hint(router, code, details)
    return f"{router.address} answers {code.name}: {details}{'; ' if hint else ''}{hint}"


def _hint(router: RouterAddress, code: grpc.StatusCode, details: str) -> str:
    if code is grpc.StatusCode.UNAUTHENTICATED:
        if router.token:
            return "the token that was sent is not accepted"
        return "give --token-file, or set SHOPFRONT_TOKEN"
    if code is grpc.StatusCode.UNAVAILABLE and "Connection refused" in details:
        return "`shopfront run` starts a router; --address names one that runs elsewhere"
    if code is not grpc.StatusCode.UNAVAILABLE or any(word in details for word in _SILENT):
        return ""
    if "CERTIFICATE_VERIFY_FAILED" in details:
        return "nothing trusted here vouches for its certificate: give --cacert"
    if "Hostname Verification" in details:
        return "its certificate is for another name: give the right one with --cname"
    if "WRONG_VERSION_NUMBER" in details:
        return "it does not speak TLS: say --insecure"
    if "Socket closed" not in details and "reset" not in details and "handshake" not in details.lower():
        return ""
    if not router.tls:
        return "where it speaks TLS, give --cacert, or --tls for this machine's authorities"
    if router.cert is None:
        return "where it asks callers for a certificate, give --cert and --key"
    return "it may not accept certificates of the authority behind --cert"


def _check_token(token: str) -> None:
    if token and not (token.isascii() and token.isprintable()):
        raise ChannelError("the token holds what no header may hold; it must be printable ASCII")


def _credentials(router: RouterAddress) -> grpc.ChannelCredentials:
    """The files as gRPC needs them, checked first, since gRPC does not report what is wrong with them."""
    if (router.cert is None) != (router.key is None):
        raise ChannelError("--cert and --key belong together: one of them is missing")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    roots = _read("--cacert", router.cacert)
    if router.cacert is not None:
        try:
            context.load_verify_locations(router.cacert)
        except ssl.SSLError as error:
            raise ChannelError(f"--cacert: {router.cacert} holds no PEM certificate") from error
    certificate, key = _read("--cert", router.cert), _read("--key", router.key)
    if router.cert is not None and router.key is not None:
        try:
            # An empty password: a key that has one must fail here, not ask at the terminal.
            context.load_cert_chain(router.cert, router.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ChannelError(
                f"--cert and --key: {router.cert} and {router.key} are no PEM certificate and its key; the "
                "key must have no passphrase"
            ) from error
    return grpc.ssl_channel_credentials(roots, key, certificate)


def _read(option: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ChannelError(f"{option}: {path} cannot be read ({error.strerror})") from error


@dataclass(frozen=True, slots=True)
class _Details(grpc.ClientCallDetails):  # type: ignore[misc]
    """gRPC gives interceptors details they cannot change, and takes any object with these attributes."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Bearer(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Adds the token to every call; call credentials would do so over TLS only."""

    def __init__(self, token: str) -> None:
        self._metadata = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        """See `grpc.UnaryUnaryClientInterceptor`."""
        details = _Details(
            client_call_details.method,
            client_call_details.timeout,
            [*(client_call_details.metadata or ()), self._metadata],
            client_call_details.credentials,
            client_call_details.wait_for_ready,
            client_call_details.compression,
        )
        return continuation(details, request)
