"""What messages about a storage call its contents and its configuration keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StorageNames:
    """Names for the messages of one storage.

    Attributes:
        contents: what is stored, for example "user state".
        url: configuration key of its URL, for example "state.url".
        prefix: configuration key of the prefix of its keys in Redis.
        when_full: what to do where an LMDB environment has reached its largest size.
        when_out_of_memory: what to do where a Redis server has no memory left.
    """

    contents: str
    url: str
    prefix: str
    when_full: str
    when_out_of_memory: str
