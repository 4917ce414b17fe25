"""Names of the keys in Redis. One hash tag holds them together, so that one script may touch all of them."""

from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """The keys of one shop's state, all beginning with `{prefix}:`.

    `log`: stream of events; `commits`: number of the last change; `format`: layout of all this; `markers`:
    hash of texts; `erasures`: number of the last deletion of a user; `erased`: hash of deletions by
    tombstone, and their `salt`; `erasing`: hash of user ids whose deletion is under way; `compaction`:
    numbers of deletions that have ended, and of those of which no bytes are left; `rewriting`: who rewrites
    the log; `rewritten`: the stream that will replace it; `pictures_revision`: number of the last change of a
    picture; `picture_log`: sorted set of item keys and contents, scored by their latest change.
    """

    prefix: str
    log: str = field(init=False)
    commits: str = field(init=False)
    format: str = field(init=False)
    markers: str = field(init=False)
    erasures: str = field(init=False)
    erased: str = field(init=False)
    erasing: str = field(init=False)
    compaction: str = field(init=False)
    rewriting: str = field(init=False)
    rewritten: str = field(init=False)
    pictures_revision: str = field(init=False)
    picture_log: str = field(init=False)

    def __post_init__(self) -> None:
        """Computes the keys from the prefix."""
        for part in fields(self):
            if not part.init:
                object.__setattr__(self, part.name, f"{{{self.prefix}}}:{part.name}")

    def user(self, user_hash: bytes) -> str:
        """Hash of a user's records by name, and `version`: the number of the change that wrote them last."""
        return f"{{{self.prefix}}}:user:{user_hash.hex()}"

    def seen(self, user_hash: bytes) -> str:
        """Sorted set of the digests of a user's event ids, scored by their day of arrival."""
        return f"{{{self.prefix}}}:seen:{user_hash.hex()}"

    def taken(self, name: str) -> str:
        """Sorted set of the moments (unix milliseconds) of what may happen only so often."""
        return f"{{{self.prefix}}}:taken:{name}"

    def writer(self, writer: str) -> str:
        """Number of the last group that a writer committed."""
        return f"{{{self.prefix}}}:writer:{writer}"

    def plan(self, plan_key: bytes) -> str:
        """Hash of the exposures under a plan by replica."""
        return f"{{{self.prefix}}}:plan:{plan_key.hex()}"

    def pictures(self, item: int) -> str:
        """Hash of the latest changes of an item's pictures by content; `item`: the item's key."""
        return f"{{{self.prefix}}}:pictures:{item:016x}"
