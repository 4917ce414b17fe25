"""Names of the keys in Redis. One hash tag holds them together, so that one script may touch all of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """The keys of one shop's state, all beginning with `{prefix}:`.

    `log`: stream of events; `commits`: number of the last change; `format`: layout of all this;
    `markers`: hash of texts.
    """

    prefix: str
    log: str = field(init=False)
    commits: str = field(init=False)
    format: str = field(init=False)
    markers: str = field(init=False)

    def __post_init__(self) -> None:
        """Computes the keys from the prefix."""
        for name in ("log", "commits", "format", "markers"):
            object.__setattr__(self, name, f"{{{self.prefix}}}:{name}")

    def user(self, user_hash: bytes) -> str:
        """Hash of a user's records by name, and `version`: the number of the change that wrote them last."""
        return f"{{{self.prefix}}}:user:{user_hash.hex()}"

    def seen(self, user_hash: bytes) -> str:
        """Sorted set of the digests of a user's event ids, scored by their day of arrival."""
        return f"{{{self.prefix}}}:seen:{user_hash.hex()}"

    def writer(self, writer: str) -> str:
        """Number of the last group that a writer committed."""
        return f"{{{self.prefix}}}:writer:{writer}"
