"""Certificates of the own gRPC ingress: checked at start, and read again when they are renewed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from server.ingress_settings import TlsSettings

logger = logging.getLogger(__name__)

Now = Callable[[], datetime]


class TlsError(Exception):
    """Certificates that cannot serve; the message names the setting, the file and what is wrong."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def server_credentials(settings: TlsSettings, now: Now = _utc_now) -> grpc.ServerCredentials:
    """Credentials that follow the files: a new connection is met with what they hold by then.

    Renewed files that are wrong are refused with a line in the log, and those before them stay.
    Raises `TlsError` where the files cannot serve at all.
    """
    files = CertificateFiles(settings, now)
    return grpc.dynamic_ssl_server_credentials(
        files.current, files.renewed, require_client_authentication=settings.client_ca is not None
    )


class CertificateFiles:
    """What the files hold, as gRPC wants it; `renewed` is called by gRPC's threads at every handshake."""

    def __init__(self, settings: TlsSettings, now: Now = _utc_now) -> None:
        """Raises `TlsError` where the files cannot serve."""
        self._settings = settings
        self._now = now
        self._seen = self._state()
        self.current = _configuration(settings, now)

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration where the files changed, else None."""
        state = self._state()
        if state == self._seen:
            return None
        self._seen = state
        try:
            self.current = _configuration(self._settings, self._now)
        except TlsError as error:
            # Also where the key is new and its certificate is still being written; it changes again then.
            logger.error("the certificates stay as they were: %s", error)
            return None
        logger.info("renewed certificates are in use")
        return self.current

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        settings = self._settings
        return tuple(
            _state_of(path) for path in (settings.certificate, settings.key, settings.client_ca) if path
        )


def _state_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _configuration(settings: TlsSettings, now: Now) -> grpc.ServerCertificateConfiguration:
    chain = _read("certificate", settings.certificate)
    certificate = _certificates("certificate", settings.certificate, chain)[0]
    _check_dates("certificate", settings.certificate, certificate, now())
    key_bytes = _read("key", settings.key)
    _check_key(settings, key_bytes, certificate)
    authorities = None
    if settings.client_ca is not None:
        authorities = _read("client_ca", settings.client_ca)
        for authority in _certificates("client_ca", settings.client_ca, authorities):
            _check_dates("client_ca", settings.client_ca, authority, now())
    return grpc.ssl_server_certificate_configuration([(key_bytes, chain)], authorities)


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"ingress.tls.{name}: {path} cannot be read ({error.strerror})") from error


def _certificates(name: str, path: Path, data: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise TlsError(f"ingress.tls.{name}: {path} holds no PEM certificate ({error})") from error


def _check_dates(name: str, path: Path, certificate: x509.Certificate, now: datetime) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    subject = certificate.subject.rfc4514_string()
    if now > ends:
        raise TlsError(f"ingress.tls.{name}: {path} ({subject}) expired on {ends:%F %R} UTC; renew it")
    if now < begins:
        raise TlsError(
            f"ingress.tls.{name}: {path} ({subject}) is not valid before {begins:%F %R} UTC; look at this "
            "machine's clock"
        )


def _check_key(settings: TlsSettings, data: bytes, certificate: x509.Certificate) -> None:
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError as error:
        raise TlsError(f"ingress.tls.key: {settings.key} has a passphrase; store it without one") from error
    except ValueError as error:
        raise TlsError(f"ingress.tls.key: {settings.key} holds no PEM private key ({error})") from error
    forms = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*forms) != certificate.public_key().public_bytes(*forms):
        raise TlsError(
            f"ingress.tls.key: {settings.key} is not the key of the certificate in {settings.certificate}"
        )
