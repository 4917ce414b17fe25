"""The address of a Redis or Valkey server: the URL for the client, and the one for messages."""

import os
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from foundation.storage.errors import StorageError
from foundation.storage.names import StorageNames

USERNAME_VARIABLE = "SHOPFRONT_REDIS_USERNAME"
PASSWORD_VARIABLE = "SHOPFRONT_REDIS_PASSWORD"

_CLIENT_SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}
REDIS_SCHEMES = tuple(_CLIENT_SCHEMES)
_SECRET_OPTIONS = ("password", "ssl_password")


def client_url(url: str, names: StorageNames) -> str:
    """The URL as the client understands it, credentials from the environment where it has none.

    Raises:
        StorageError: the URL cannot be read; the message does not repeat its password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise StorageError(f"{names.url} {redacted(url)!r} is no address: {error}") from None
    if parts.scheme != "unix" and not parts.hostname:
        raise StorageError(
            f"{names.url} {redacted(url)!r} names no host; write for example redis://localhost:6379"
        )
    if parts.scheme == "unix" and not parts.path:
        raise StorageError(
            f"{names.url} {redacted(url)!r} names no socket; write for example unix:///run/redis.sock"
        )
    username = unquote(parts.username or "") or os.environ.get(USERNAME_VARIABLE, "")
    password = unquote(parts.password or "") or os.environ.get(PASSWORD_VARIABLE, "")
    place = parts.hostname or ""
    if ":" in place:
        place = f"[{place}]"
    if port is not None:
        place = f"{place}:{port}"
    if username or password:
        place = f"{quote(username, safe='')}:{quote(password, safe='')}@{place}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{_CLIENT_SCHEMES[parts.scheme]}://{place}{parts.path}{query}"


def redacted(url: str) -> str:
    """The URL without its password, for messages and logs."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    address, question, query = rest.partition("?")
    credentials, at, place = address.rpartition("@")
    if at:
        username, colon, _ = credentials.partition(":")
        place = f"{username}{':***' if colon else ''}@{place}"
    shown = urlencode(
        [
            (name, "***" if name in _SECRET_OPTIONS else value)
            for name, value in parse_qsl(query, keep_blank_values=True)
        ],
        safe="*/",
    )
    return f"{scheme}://{place}{question}{shown}"
