import asyncio

import numpy as np
import pytest

from foundation.storage.errors import StorageError
from snapshot.item_keys import item_keys
from snapshot.tombstones import user_hash
from state import EMPTY_STATE, EventBatch, StateSettings, UserState, open_state
from state.store import StateStore
from state.user_state import scene_tag
from tests.state.batches import NOW_MS, batch
from tests.state.damage import set_format, spoil_behaviours, spoil_log
from tests.state.test_event_log import FULL

VIEW, FAVORITE, CART, PURCHASE, IMPRESSION = 2, 3, 4, 5, 1


def keys(*ids: str) -> list[int]:
    return item_keys(ids).tolist()


async def test_an_unknown_user_has_an_empty_state(store: StateStore) -> None:
    state = await store.read("nobody")
    assert len(state.behaviours.items) == len(state.purchases.items) == len(state.impressions.items) == 0
    assert state.profile == EMPTY_STATE.profile == {}


async def test_events_are_read_back_newest_first_whatever_their_order(store: StateStore) -> None:
    await store.append(batch(("u", "a", VIEW, 100), ("u", "c", CART, 300), ("v", "a", VIEW, 1)))
    await store.append(
        batch(("u", "b", PURCHASE, 200), ("u", "d", IMPRESSION, 50), ("u", "e", FAVORITE, 300))
    )
    state = await store.read("u")
    assert state.behaviours.items.tolist() == keys("e", "c", "b", "a")
    assert state.behaviours.events.tolist() == [FAVORITE, CART, PURCHASE, VIEW]
    assert state.behaviours.ts.tolist() == [300, 300, 200, 100]
    assert state.purchases.items.tolist() == keys("b")
    assert state.purchases.ts.tolist() == [200]
    assert state.impressions.items.tolist() == keys("d")
    assert (state.behaviours.items.dtype, state.behaviours.events.dtype) == (np.uint64, np.uint8)
    assert state.behaviours.ts.dtype == np.int64


async def test_read_many_answers_in_the_order_asked(store: StateStore) -> None:
    await store.append(batch(("u", "a", VIEW, 1), ("v", "b", VIEW, 2)))
    states = await store.read_many(["v", "nobody", "u", "v"])
    assert [state.behaviours.items.tolist() for state in states] == [keys("b"), [], keys("a"), keys("b")]


async def test_each_record_keeps_only_its_newest_rows(settings: StateSettings) -> None:
    settings = settings.model_copy(update={"max_behaviours": 3, "max_purchases": 2, "max_impressions": 1})
    store = open_state(settings)
    await store.append(batch(*[("u", f"i{n}", PURCHASE, n) for n in range(10)]))
    await store.append(batch(("u", "old", PURCHASE, 0), ("u", "x", IMPRESSION, 5), ("u", "y", IMPRESSION, 4)))
    state = await store.read("u")
    assert state.behaviours.ts.tolist() == [9, 8, 7]
    assert state.purchases.ts.tolist() == [9, 8]
    assert state.impressions.items.tolist() == keys("x")
    store.close()


async def test_what_was_seen_is_kept_with_its_scene_within_its_bound(settings: StateSettings) -> None:
    store = open_state(settings.model_copy(update={"max_seen": 3}))
    rows = batch(
        ("u", "a", IMPRESSION, 3), ("u", "b", VIEW, 4), ("u", "c", IMPRESSION, 5), ("v", "a", IMPRESSION, 6)
    )
    await store.append(EventBatch.of(rows.rows, ["home", "home", "cart", ""]))
    state = await store.read("u")
    assert state.seen.items.tolist() == keys("c", "a")
    assert state.seen.scenes.tolist() == [scene_tag("cart"), scene_tag("home")]
    assert state.seen.ts.tolist() == [5, 3]
    assert state.impressions.items.tolist() == keys("c", "a")
    # Of the last, nothing says which answer showed it.
    assert not (await store.read("v")).seen.items.size
    later = batch(("u", "d", IMPRESSION, 4), ("u", "e", IMPRESSION, 5))
    await store.append(EventBatch.of(later.rows, ["home"] * 2))
    assert (await store.read("u")).seen.items.tolist() == keys("e", "c", "d")
    store.merge([("u", await store.read("u")), ("w", await store.read("u"))], 0)
    for user in "uw":
        assert (await store.read(user)).seen.items.tolist() == keys("e", "c", "d")
    store.close()


async def test_of_too_many_seen_items_the_oldest_quarter_leaves_at_once(settings: StateSettings) -> None:
    store = open_state(settings.model_copy(update={"max_seen": 8}))
    kept = []
    for at in range(1, 14):
        await store.append(EventBatch.of(batch(("u", f"i{at}", IMPRESSION, at)).rows, ["home"]))
        kept.append((await store.read("u")).seen.ts.tolist())
    assert [len(ts) for ts in kept] == [1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 6, 7]
    assert kept[-1] == list(range(13, 6, -1))
    store.close()


async def test_an_event_id_of_a_user_is_stored_once(store: StateStore) -> None:
    await store.append(batch(("u", "a", VIEW, 1), ("u", "b", VIEW, 2), event_ids=["1", "1"]))
    await store.append(batch(("u", "c", VIEW, 3), ("v", "d", VIEW, 4), event_ids=["1", "1"]))
    await store.append(batch(("u", "e", VIEW, 5), ("u", "e", VIEW, 5), event_ids=["", ""]))
    assert (await store.read("u")).behaviours.items.tolist() == keys("e", "e", "a")
    assert (await store.read("v")).behaviours.items.tolist() == keys("d")
    assert [entry.item_id for _, entry in store.read_log()] == ["a", "d", "e", "e"]
    assert store.status().repeated_events == 2


async def test_an_event_that_changes_no_record_is_logged_once(store: StateStore) -> None:
    no_kind_yet = batch(("u", "a", 9, 1), event_ids=["1"])
    assert list(await store.append(no_kind_yet)) == [0]
    assert list(await store.append(no_kind_yet)) == []
    assert [entry.event for _, entry in store.read_log()] == [9]
    assert await store.read("u") == EMPTY_STATE


async def test_what_was_stored_is_told_apart_from_what_was_known(store: StateStore) -> None:
    assert list(await store.append(batch(("u", "a", VIEW, 1), ("u", "b", VIEW, 2)))) == [0, 1]
    first = batch(("u", "a", VIEW, 1), ("u", "b", VIEW, 2), ("v", "c", VIEW, 3), event_ids=["1", "1", "1"])
    assert list(await store.append(first)) == [0, 2]
    assert list(await store.append(first)) == []
    later = batch(("u", "a", VIEW, 1), ("u", "b", VIEW, 2), event_ids=["1", "2"])
    told = await asyncio.gather(*(store.append(later) for _ in range(20)))
    assert sorted(map(list, told)) == [[]] * 19 + [[1]]
    assert list(await store.append(batch())) == []


async def test_of_two_processes_that_store_one_event_one_is_told_that_it_is_new(
    redis_settings: StateSettings,
) -> None:
    one, other = open_state(redis_settings), open_state(redis_settings)
    for number in range(20):
        event = batch(("u", "a", VIEW, number), event_ids=[str(number)])
        told = await asyncio.gather(one.append(event), other.append(event))
        assert sorted(map(list, told)) == [[], [0]]
    one.close()
    other.close()


async def test_an_event_is_known_again_where_the_clock_went_back_over_midnight(
    settings: StateSettings,
) -> None:
    now = 20_000.0 * 86_400
    store = open_state(settings, lambda: now)
    event = batch(("u", "a", VIEW, 1), event_ids=["1"])
    await store.append(event)
    now -= 2
    await store.append(event)
    assert len((await store.read("u")).behaviours.items) == 1
    store.close()


async def test_an_event_id_is_forgotten_after_the_window(settings: StateSettings) -> None:
    now = 1_700_000_000.0
    settings = settings.model_copy(update={"deduplication_days": 2})
    store = open_state(settings, lambda: now)
    event = batch(("u", "a", VIEW, 1), event_ids=["1"])
    await store.append(event)
    now += 2 * 86_400
    await store.append(event)
    assert len((await store.read("u")).behaviours.items) == 1
    now += 3 * 86_400
    await store.append(event)
    assert len((await store.read("u")).behaviours.items) == 2
    store.close()


async def test_state_outlives_the_process(settings: StateSettings) -> None:
    store = open_state(settings)
    await store.append(batch(("u", "a", VIEW, 1)))
    store.put_profiles({"u": {"city": "Lyon"}}, 10)
    store.close()
    store.close()
    again = open_state(settings)
    state = await again.read("u")
    assert state.behaviours.items.tolist() == keys("a")
    assert state.profile == {"city": "Lyon"}
    again.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.append(batch(("u", "a", VIEW, 1)))


async def test_impressions_are_written_soon_and_at_close(settings: StateSettings) -> None:
    store = open_state(settings)
    await store.append_impressions("u", item_keys(["a", "b"]), 100)
    for _ in range(1_000):
        if len((await store.read("u")).impressions.items):
            break
        await asyncio.sleep(0.01)
    assert (await store.read("u")).impressions.items.tolist() == keys("a", "b")
    await store.append_impressions("u", item_keys(["c"]), 200)
    await store.append_impressions("u", item_keys([]), 300)
    store.close()
    store = open_state(settings)
    impressions = (await store.read("u")).impressions
    assert impressions.items.tolist() == keys("c", "a", "b")
    assert impressions.ts.tolist() == [200, 100, 100]
    assert list(store.read_log()) == []
    store.close()


async def test_impressions_beyond_the_queue_are_dropped_and_counted(settings: StateSettings) -> None:
    settings = settings.model_copy(update={"max_queued_impressions": 3, "impressions_flush_s": 3_600})
    store = open_state(settings)
    await store.append_impressions("u", item_keys(["a", "b"]), 1)
    await store.append_impressions("u", item_keys(["c", "d"]), 2)
    status = store.status()
    assert (status.queued_impressions, status.dropped_impressions) == (2, 2)
    store.close()


async def test_the_newer_profile_stays(store: StateStore) -> None:
    assert store.put_profiles({"u": {"city": "Lyon"}, "v": {}}, 100) == 2
    assert store.put_profiles({"u": {"city": "Nice"}}, 99) == 0
    assert (await store.read("u")).profile == {"city": "Lyon"}
    assert store.put_profiles({"u": {"gender": "f"}}, 100) == 1
    assert (await store.read("u")).profile == {"gender": "f"}


def test_markers_are_kept(store: StateStore) -> None:
    assert store.marker("seeded:1") is None
    store.set_marker("seeded:1", "2,469")
    assert store.marker("seeded:1") == "2,469"


async def test_merging_the_past_is_repeatable_and_keeps_what_is_newer(store: StateStore) -> None:
    await store.append(batch(("u", "a", VIEW, 100), ("u", "b", PURCHASE, 300), ("u", "b", VIEW, 300)))
    source = batch(("u", "a", VIEW, 100), ("u", "c", PURCHASE, 200), ("u", "d", IMPRESSION, 50))
    past = await _state_of(source)
    for _ in range(2):
        store.merge([("u", past), ("v", UserState(profile={"city": "Lyon"}))], 10)
        state = await store.read("u")
        assert state.behaviours.items.tolist() == keys("b", "b", "c", "a")
        assert state.purchases.items.tolist() == keys("b", "c")
        assert state.impressions.items.tolist() == keys("d")
    assert (await store.read("v")).profile == {"city": "Lyon"}
    assert len(list(store.read_log())) == 3


async def _state_of(events: EventBatch) -> UserState:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        other = open_state(StateSettings(url=f"lmdb://{folder}/other"))
        await other.append(events)
        state = await other.read(events.rows[0].user_id)
        other.close()
    return state


async def test_the_log_holds_every_field_in_order(settings: StateSettings) -> None:
    store = open_state(settings, lambda: NOW_MS / 1000)
    await store.append(EventBatch.of([FULL]))
    assert list(store.read_log()) == [(1, FULL)]
    store.close()


async def test_the_log_is_read_in_pieces_from_any_place(store: StateStore) -> None:
    for part in range(3):
        await store.append(batch(*[("u", f"{part}-{n}", VIEW, n) for n in range(1_000)]))
    entries = list(store.read_log())
    assert [seq for seq, _ in entries] == list(range(1, 3_001))
    assert entries[1_500][1].item_id == "1-500"
    assert [seq for seq, _ in store.read_log(after_seq=990, limit=2_005)] == list(range(991, 2_996))
    assert list(store.read_log(after_seq=3_000)) == []
    assert list(store.read_log(limit=0)) == []


async def test_the_log_keeps_its_newest_events_and_never_uses_a_number_twice(settings: StateSettings) -> None:
    now = NOW_MS / 1000
    settings = settings.model_copy(update={"log_max_events": 10, "log_max_days": 1})
    store = open_state(settings, lambda: now)
    await store.append(batch(*[("u", f"i{n}", VIEW, n) for n in range(25)], arrived_ms=NOW_MS))
    assert [seq for seq, _ in store.read_log()] == list(range(16, 26))
    now += 2 * 86_400
    await store.append(batch(("u", "z", VIEW, 1), arrived_ms=int(now * 1000)))
    assert [seq for seq, _ in store.read_log()] == [26]
    now += 2 * 86_400
    await store.append(batch(("u", "z", IMPRESSION, 1), arrived_ms=int(now * 1000)))
    assert [seq for seq, _ in store.read_log()] == [27]
    store.close()


async def test_a_corrupt_record_is_an_error_that_names_it_and_can_be_removed(settings: StateSettings) -> None:
    store = open_state(settings)
    await store.append(batch(("u", "a", VIEW, 1), ("v", "b", VIEW, 1)))
    store.close()
    spoil_behaviours(settings, "u")
    store = open_state(settings)
    with pytest.raises(StorageError, match=f"{user_hash('u').hex()} in database behaviours"):
        await store.read("u")
    with pytest.raises(StorageError, match="delete_user"):
        await store.append(batch(("v", "c", VIEW, 2), ("u", "c", VIEW, 2)))
    assert (await store.read("v")).behaviours.items.tolist() == keys("b")
    assert len(list(store.read_log())) == 2

    spoiled = asyncio.create_task(store.append(batch(("u", "c", VIEW, 2))))
    sound = [asyncio.create_task(store.append(batch(("v", f"i{n}", VIEW, 3 + n)))) for n in range(20)]
    await asyncio.gather(*sound)
    with pytest.raises(StorageError):
        await spoiled
    assert len((await store.read("v")).behaviours.items) == 21

    assert store.delete_user("u")
    assert not store.delete_user("u")
    await store.append(batch(("u", "c", VIEW, 2)))
    assert (await store.read("u")).behaviours.items.tolist() == keys("c")
    store.close()


async def test_a_corrupt_log_entry_is_an_error_that_names_it(settings: StateSettings) -> None:
    store = open_state(settings)
    await store.append(batch(("u", "a", VIEW, 1), ("u", "b", VIEW, 1)))
    store.close()
    spoil_log(settings, 2)
    store = open_state(settings)
    await store.append(batch(("u", "c", VIEW, 1)))
    with pytest.raises(StorageError, match=r"entry 2 of the event log is corrupt.*after_seq=2"):
        list(store.read_log())
    assert [item.item_id for _, item in store.read_log(after_seq=2)] == ["c"]
    store.close()


def test_a_store_of_another_format_is_refused(settings: StateSettings) -> None:
    open_state(settings).close()
    set_format(settings, b"99")
    with pytest.raises(StorageError, match="format b'99'"):
        open_state(settings)
