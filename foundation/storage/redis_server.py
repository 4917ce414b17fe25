"""Whether a server can hold user state, and what its settings mean for what was acknowledged."""

import logging
from typing import cast

import redis

from foundation.storage.errors import StateError

log = logging.getLogger(__name__)

FORMAT = b"1"
_OLDEST = (6, 2)


def check_server(client: redis.Redis, place: str, format_key: str) -> None:
    """Checks the server's version, mode and format, and warns where it may lose what it acknowledged.

    Raises:
        StateError: the server cannot be used, or refuses the credentials.
        redis.RedisError: it cannot be reached.
    """
    try:
        info = client.info()
    except redis.AuthenticationError as error:
        raise StateError(
            f"{place} refuses the credentials of state.url or the environment: {error}"
        ) from error
    found = str(info["redis_version"])
    if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST:
        raise StateError(f"{place} is Redis {found}; user state needs 6.2 or newer")
    if info.get("cluster_enabled"):
        raise StateError(
            f"{place} is part of a Redis Cluster; one shop's state lies in one server, so name one outside it"
        )
    client.set(format_key, FORMAT, nx=True)
    format_found = client.get(format_key)
    if format_found != FORMAT:
        raise StateError(
            f"{place} holds user state of format {format_found!r}, this program reads {FORMAT!r}; open it "
            "with the program that wrote it, or choose another state.redis.prefix"
        )
    for warning in durability_warnings(_configuration(client)):
        log.warning("%s %s", place, warning)


def _configuration(client: redis.Redis) -> dict[str, str]:
    try:
        return cast("dict[str, str]", client.config_get("append*", "maxmemory-policy"))
    except redis.ResponseError:
        # Hosted servers forbid CONFIG; what they promise is theirs to say.
        return {}


def durability_warnings(configuration: dict[str, str]) -> list[str]:
    """What of a server's configuration (`CONFIG GET`) lets it lose acknowledged events, in words."""
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
