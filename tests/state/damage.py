"""Spoils what a closed store holds, from outside."""

from collections.abc import Callable
from pathlib import Path

import lmdb
import redis

from snapshot.tombstones import user_hash
from state import StateSettings
from state.redis_keys import RedisKeys


def _change_lmdb(
    settings: StateSettings, database: bytes, key: bytes, change: Callable[[bytes], bytes]
) -> None:
    folder = Path(settings.url.removeprefix("lmdb://"))
    with lmdb.open(str(folder), max_dbs=1) as environment, environment.begin(write=True) as transaction:
        opened = environment.open_db(database, transaction)
        transaction.put(key, change(transaction.get(key, db=opened)), db=opened)


def spoil_behaviours(settings: StateSettings, user_id: str) -> None:
    """Changes the last byte of the record of a user's behaviours."""

    def change(record: bytes) -> bytes:
        return record[:-1] + b"\x09"

    if settings.url.startswith("lmdb://"):
        _change_lmdb(settings, b"behaviours", user_hash(user_id), change)
        return
    with redis.Redis.from_url(settings.url) as client:
        key = RedisKeys(settings.redis.prefix).user(user_hash(user_id))
        client.hset(key, "behaviours", change(client.hget(key, "behaviours")))


def spoil_log(settings: StateSettings, seq: int) -> None:
    """Damages the newest entry of the log, which is `seq`."""
    if settings.url.startswith("lmdb://"):
        _change_lmdb(settings, b"log", seq.to_bytes(8, "big"), lambda entry: entry[:-1] + b"x")
        return
    with redis.Redis.from_url(settings.url) as client:
        log = RedisKeys(settings.redis.prefix).log
        ((found, fields),) = client.xrevrange(log, count=1)
        assert found == f"{seq}-0".encode()
        # A stream never takes a number twice, so the log is made anew up to the damage.
        kept = client.xrange(log, max=f"({seq}-0")
        client.delete(log)
        for number, entry in kept:
            client.xadd(log, entry, id=number)
        client.xadd(log, {b"event": fields[b"event"][:-1] + b"x"}, id=found)


def set_format(settings: StateSettings, format: bytes) -> None:
    """Lets the store claim another format."""
    if settings.url.startswith("lmdb://"):
        _change_lmdb(settings, b"meta", b"format", lambda _: format)
        return
    with redis.Redis.from_url(settings.url) as client:
        client.set(RedisKeys(settings.redis.prefix).format, format)
