"""Whether a server can be used, and what its settings mean for what was acknowledged."""

import logging
from typing import cast

import redis

from foundation.storage.errors import StorageError
from foundation.storage.names import StorageNames

log = logging.getLogger(__name__)

FORMAT = b"1"
_OLDEST = (6, 2)


def check_server(client: redis.Redis, place: str, format_key: str, names: StorageNames) -> None:
    """Checks the server's version, mode and format, and warns where it may lose what it acknowledged.

    Raises:
        StorageError: the server cannot be used, or refuses the credentials.
        redis.RedisError: it cannot be reached.
    """
    try:
        info = client.info()
    except redis.AuthenticationError as error:
        raise StorageError(
            f"{place} refuses the credentials of {names.url} or the environment: {error}"
        ) from error
    found = str(info["redis_version"])
    if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST:
        raise StorageError(f"{place} is Redis {found}; {names.contents} needs 6.2 or newer")
    if info.get("cluster_enabled"):
        raise StorageError(
            f"{place} is part of a Redis Cluster; all keys of one shop are kept in one server, so "
            "name one outside a cluster"
        )
    client.set(format_key, FORMAT, nx=True)
    format_found = client.get(format_key)
    if format_found != FORMAT:
        raise StorageError(
            f"{place} holds {names.contents} of format {format_found!r}, this program reads {FORMAT!r}; open "
            f"it with the program that wrote it, or choose another {names.prefix}"
        )
    for warning in durability_warnings(_configuration(client)):
        log.warning("%s %s", place, warning)


def _configuration(client: redis.Redis) -> dict[str, str]:
    try:
        return cast("dict[str, str]", client.config_get("append*", "maxmemory-policy"))
    except redis.ResponseError:
        # Hosted servers forbid CONFIG; their durability is documented by the host.
        return {}


def durability_warnings(configuration: dict[str, str]) -> list[str]:
    """Warnings about a server's configuration (`CONFIG GET`) that lets it lose acknowledged writes."""
    warnings = []
    if configuration.get("appendonly") == "no":
        warnings.append(
            "keeps no append-only file: a restart loses what was acknowledged since the last dump; set "
            "`appendonly yes`"
        )
    elif configuration.get("appendfsync", "always") != "always":
        warnings.append(
            f"flushes its append-only file `{configuration['appendfsync']}`: a power cut loses what was "
            "acknowledged since the last flush; set `appendfsync always` to lose nothing"
        )
    policy = configuration.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        warnings.append(f"evicts keys when its memory is full ({policy}); set `maxmemory-policy noeviction`")
    return warnings
