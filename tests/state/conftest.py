from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from state import RedisSettings, StateSettings, open_state
from state.store import StateStore
from testing.redis_server import RedisServer, running_redis

_prefixes = count()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A server for tests that leave it as they found it, each under a prefix of its own."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server for one test, which may kill it."""
    with running_redis() as server:
        yield server


@pytest.fixture
def lmdb_settings(tmp_path: Path) -> StateSettings:
    return StateSettings(url=f"lmdb://{tmp_path / 'state'}")


@pytest.fixture
def redis_settings(shared_redis: RedisServer) -> StateSettings:
    # A busy machine must not turn a slow answer into a failed test.
    return StateSettings(
        url=shared_redis.url,
        redis=RedisSettings(prefix=f"test-{next(_prefixes)}", read_timeout_s=10, write_timeout_s=10),
    )


@pytest.fixture(params=["lmdb", "redis"])
def settings(request: pytest.FixtureRequest) -> StateSettings:
    """Settings of an empty store of each kind."""
    chosen = request.getfixturevalue(f"{request.param}_settings")
    assert isinstance(chosen, StateSettings)
    return chosen


@pytest.fixture
def store(settings: StateSettings) -> Iterator[StateStore]:
    opened = open_state(settings)
    yield opened
    opened.close()
