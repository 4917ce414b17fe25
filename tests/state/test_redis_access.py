"""A user of Redis with the rights the manual lists, and no others, can do all that the program does."""

import asyncio
import re
from pathlib import Path

from rollout.record import ArmStatisticsRow, HistoryEntry, ModelRecord
from rollout.redis_store import RedisRolloutStore
from state import RedisSettings, StateSettings, UserState, open_state
from state.picture_changes import ALL_CONTENTS, PictureChange
from testing.redis_server import RedisServer
from tests.state.batches import batch

MANUAL = Path(__file__).parents[2] / "docs/manual/state.md"


async def test_the_rights_in_the_manual_suffice(redis_server: RedisServer) -> None:
    rights = " ".join(re.findall(r"`(\+[^`]*)`", MANUAL.read_text())).split()
    with redis_server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "shop", "on", ">pw", "~{shopfront}:*", "resetchannels", "-@all", *rights
        )
    url = redis_server.url.replace("unix://", "unix://shop:pw@")
    settings = RedisSettings(read_timeout_s=10, write_timeout_s=10)

    store = open_state(StateSettings(url=url, log_max_events=1, redis=settings))
    await store.append(batch(("u", "a", 2, 1), ("u", "b", 5, 1), event_ids=["1", "2"]))
    await store.append(batch(("u", "a", 2, 1), ("u", "b", 1, 1), event_ids=["1", ""]))
    assert [len(state.purchases.items) for state in await store.read_many(["u", "v"])] == [1, 0]
    assert store.put_profiles({"u": {"city": "Lyon"}}, 1) == 1
    store.merge([("v", UserState(profile={"city": "Nice"}))], 1)
    store.set_marker("m", "1")
    assert store.marker("m") == "1"
    assert [seq for seq, _ in store.read_log()] == [3]
    picture = PictureChange(1, bytes(15) + b"1", b"encoder1...")
    gone = PictureChange(1, ALL_CONTENTS, None)
    assert store.pictures.change([picture, picture, gone], 5) == ["stored", "unchanged", "deleted"]
    assert [change.revision for change in store.pictures.since(0)] == [store.pictures.revision()]
    store._clean_up()  # type: ignore[attr-defined]
    assert store.delete_user("u")
    await asyncio.to_thread(store.close)

    rollouts = RedisRolloutStore(url, settings)
    entry = HistoryEntry(0.0, "bst", "r", 1, "started", "op", "preparing", 0, 0, "")
    assert rollouts.compare_and_swap(ModelRecord("bst", 1), entry)
    assert rollouts.read("bst").generation == 1
    assert rollouts.read_history("bst") == [(1, entry)]
    assert rollouts.hold_lease("lead", "a", 1.0, 1.0) == rollouts.read_lease("lead")
    rollouts.release_lease("lead", "a")
    rollouts.put_arm_statistics("r", [ArmStatisticsRow("a", 0, "candidate", b"")])
    assert len(rollouts.read_arm_statistics("r")) == 1
    rollouts.drop_arm_statistics("r")
    rollouts.close()
