"""TLS of the own server: who gets in, renewal without a restart, and what start says of wrong files."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from router.service.serving_state import ServingState
from server.ingress.own_grpc import RunningServer, serve_in_process
from server.ingress.tls import TlsError, server_credentials
from server.ingress_settings import TlsSettings
from tests.server.ingress.certificates import Authority, Pair


class NoCalls:
    """Stands in for `CallHandler` where only health is asked for."""

    def __init__(self) -> None:
        self.serving_state = lambda: ServingState(True)

    async def handle(self, *arguments: Any) -> Message:
        raise AssertionError("no call was expected")


async def serve(tls: TlsSettings) -> RunningServer:
    return await serve_in_process(NoCalls(), tls=tls)  # type: ignore[arg-type]


async def check(address: str, credentials: grpc.ChannelCredentials | None) -> str:
    """SERVING, or the code the check ended with; on a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = (
        grpc.aio.insecure_channel(address, options=options)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials, options=options)
    )
    async with channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=10
            )
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def settings_of(folder: Path, pair: Pair, client_ca: bytes | None = None) -> TlsSettings:
    certificate, key = pair.write(folder, "server")
    if client_ca is None:
        return TlsSettings(certificate=certificate, key=key)
    path = folder / "clients.pem"
    path.write_bytes(client_ca)
    return TlsSettings(certificate=certificate, key=key, client_ca=path)


async def test_callers_are_answered_over_tls_and_not_without(tmp_path: Path) -> None:
    authority = Authority()
    server = await serve(settings_of(tmp_path, authority.issue("router")))
    trusting = grpc.ssl_channel_credentials(authority.certificate)
    assert await check(server.address, trusting) == "SERVING"
    assert await check(server.address, None) == "UNAVAILABLE"
    assert await check(server.address, grpc.ssl_channel_credentials(Authority().certificate)) == "UNAVAILABLE"
    await server.stop(0)


async def test_mutual_tls_wants_a_certificate_of_the_named_authority(tmp_path: Path) -> None:
    servers, clients = Authority("servers"), Authority("clients")
    server = await serve(settings_of(tmp_path, servers.issue("router"), clients.certificate))
    ours, strangers = clients.issue("backend"), Authority("strangers").issue("backend")

    def showing(pair: Pair | None) -> grpc.ChannelCredentials:
        shown = (None, None) if pair is None else (pair.key, pair.certificate)
        return grpc.ssl_channel_credentials(servers.certificate, *shown)

    assert await check(server.address, showing(ours)) == "SERVING"
    assert await check(server.address, showing(None)) == "UNAVAILABLE"
    assert await check(server.address, showing(strangers)) == "UNAVAILABLE"
    await server.stop(0)


async def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    before, after = Authority("before"), Authority("after")
    settings = settings_of(tmp_path, before.issue("router"))
    server = await serve(settings)
    assert await check(server.address, grpc.ssl_channel_credentials(before.certificate)) == "SERVING"

    # A renewal that is only half done changes nothing.
    settings.certificate.write_bytes(after.issue("router").certificate)
    assert await check(server.address, grpc.ssl_channel_credentials(before.certificate)) == "SERVING"

    after.issue("router").write(tmp_path, "server")
    assert await check(server.address, grpc.ssl_channel_credentials(after.certificate)) == "SERVING"
    assert await check(server.address, grpc.ssl_channel_credentials(before.certificate)) == "UNAVAILABLE"
    await server.stop(0)


def test_files_that_cannot_serve_are_named(tmp_path: Path) -> None:
    authority = Authority()
    good = authority.issue("router")
    settings = settings_of(tmp_path, good, authority.certificate)
    server_credentials(settings)
    wrong = {
        "certificate: .* cannot be read": {"certificate": tmp_path / "none.pem"},
        "key: .* cannot be read": {"key": tmp_path / "none.key"},
        "client_ca: .* holds no PEM": {"client_ca": settings.key},
        "key: .* holds no PEM private key": {"key": settings.certificate},
        "certificate: .* holds no PEM": {"certificate": settings.key},
        "key: .* is not the key of": {"key": authority.issue("other").write(tmp_path, "other")[1]},
        "expired on .*; renew it": dict(
            zip(
                ("certificate", "key"),
                authority.issue("old", begins=timedelta(days=-9), ends=timedelta(days=-1)).write(
                    tmp_path, "old"
                ),
                strict=True,
            )
        ),
        "is not valid before": dict(
            zip(
                ("certificate", "key"),
                authority.issue("early", begins=timedelta(days=1), ends=timedelta(days=2)).write(
                    tmp_path, "early"
                ),
                strict=True,
            )
        ),
    }
    for message, change in wrong.items():
        with pytest.raises(TlsError, match=message):
            server_credentials(settings.model_copy(update=change))


async def test_http2_is_agreed_on_and_old_tls_is_not(tmp_path: Path) -> None:
    authority = Authority()
    server = await serve(settings_of(tmp_path, authority.issue("router")))
    host, _, port = server.address.rpartition(":")
    certificate = await _served_certificate(host, int(port))
    assert x509.load_pem_x509_certificate(certificate.encode()).subject.rfc4514_string() == "CN=router"
    await server.stop(0)


async def _served_certificate(host: str, port: int) -> str:
    import asyncio

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    session = writer.get_extra_info("ssl_object")
    assert session.selected_alpn_protocol() == "h2"
    assert session.version() in {"TLSv1.2", "TLSv1.3"}
    shown = session.getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(shown)
