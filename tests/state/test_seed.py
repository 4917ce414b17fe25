from pathlib import Path

import polars as pl
import pytest

from snapshot.catalogue import CATALOGUE_FOLDER, Catalogue
from snapshot.catalogue_writer import write_catalogue
from snapshot.dataset import Dataset
from snapshot.item_keys import item_keys
from snapshot.manifest import Manifest
from state import StateSettings, open_state
from state.seed import seed_state
from state.store import StateStore
from tests.snapshot.contents import columns
from tests.state.batches import batch

ITEMS = [f"item-{n}" for n in range(1, 6)]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    folder = tmp_path / "dataset" / CATALOGUE_FOLDER
    folder.parent.mkdir()
    write_catalogue(folder, ITEMS, columns(len(ITEMS)), {}, {})
    return Catalogue.open(folder)


def dataset(
    folder: Path, catalogue: Catalogue, events: list[tuple[int, int, int, int]], id: str = "d1"
) -> Dataset:
    """Users "u1", "u2", "u3", and events (user, item, event, ts)."""
    pl.DataFrame(
        sorted(events, key=lambda row: (row[0], row[3])),
        schema={"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64},
        orient="row",
    ).write_parquet(folder / "dataset/events.parquet")
    pl.DataFrame(
        {
            "user": pl.Series([1, 2, 3], dtype=pl.Int32),
            "user_id": ["u1", "u2", "u3"],
            "gender": ["f", None, None],
            "gender_code": pl.Series([1, 0, 0], dtype=pl.Int32),
            "city": ["Lyon", "", None],
            "hobby": ["chess", "tea", None],
        }
    ).write_parquet(folder / "dataset/users.parquet")
    times = [event[3] for event in events] or [0]
    manifest = Manifest(kind="dataset", id=id, time_range=(min(times), max(times)))
    return Dataset(folder / "dataset", manifest, catalogue)


EVENTS = [
    (1, 1, 2, 100),
    (1, 2, 5, 200),
    (1, 2, 5, 200),
    (1, 3, 1, 300),
    (2, 5, 4, 50),
]


async def test_history_and_profile_of_every_user_are_there(
    store: StateStore, settings: StateSettings, tmp_path: Path, catalogue: Catalogue
) -> None:
    progressed: list[tuple[int, int]] = []
    data = dataset(tmp_path, catalogue, EVENTS)
    assert seed_state(store, data, settings, lambda done, total: progressed.append((done, total)))
    assert progressed == [(3, 3)]
    first, second, third = await store.read_many(["u1", "u2", "u3"])
    assert first.behaviours.items.tolist() == item_keys(["item-2", "item-2", "item-1"]).tolist()
    assert first.behaviours.events.tolist() == [5, 5, 2]
    assert first.behaviours.ts.tolist() == [200, 200, 100]
    assert first.purchases.items.tolist() == item_keys(["item-2", "item-2"]).tolist()
    assert first.impressions.items.tolist() == item_keys(["item-3"]).tolist()
    assert first.profile == {"gender": "f", "city": "Lyon", "hobby": "chess"}
    assert second.behaviours.items.tolist() == item_keys(["item-5"]).tolist()
    assert second.profile == {"hobby": "tea"}
    assert (len(third.behaviours.items), third.profile) == (0, {})
    assert list(store.read_log()) == []


async def test_seeding_again_changes_nothing_and_live_events_stay(
    store: StateStore, settings: StateSettings, tmp_path: Path, catalogue: Catalogue
) -> None:
    await store.append(batch(("u1", "live", 3, 400), ("u1", "item-1", 2, 100)))
    store.put_profiles({"u1": {"city": "Nice"}}, 1_000)
    data = dataset(tmp_path, catalogue, EVENTS)
    assert seed_state(store, data, settings)
    seeded = await store.read("u1")
    assert seeded.behaviours.items.tolist() == item_keys(["live", "item-2", "item-2", "item-1"]).tolist()
    assert seeded.profile == {"city": "Nice"}

    assert not seed_state(store, data, settings)
    grown = dataset(tmp_path, catalogue, [*EVENTS, (1, 4, 2, 500)], id="d2")
    assert seed_state(store, grown, settings)
    again = await store.read("u1")
    assert again.behaviours.items.tolist() == [
        *item_keys(["item-4"]).tolist(),
        *seeded.behaviours.items.tolist(),
    ]
    assert again.purchases.items.tolist() == seeded.purchases.items.tolist()
    assert again.impressions.items.tolist() == seeded.impressions.items.tolist()


async def test_a_run_that_was_cut_off_is_repeated_whole(
    store: StateStore,
    settings: StateSettings,
    tmp_path: Path,
    catalogue: Catalogue,
) -> None:
    data = dataset(tmp_path, catalogue, EVENTS)

    def cut_off(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed_state(store, data, settings, cut_off)
    assert seed_state(store, data, settings)
    assert len((await store.read("u1")).behaviours.items) == 3


async def test_records_keep_their_bounds(tmp_path: Path, catalogue: Catalogue) -> None:
    settings = StateSettings(url=f"lmdb://{tmp_path}/s", max_behaviours=4, max_purchases=2, max_impressions=1)
    store = open_state(settings)
    events = [(1, 1 + n % 5, 1 + n % 5, n) for n in range(40)]
    assert seed_state(store, dataset(tmp_path, catalogue, events), settings)
    state = await store.read("u1")
    assert state.behaviours.ts.tolist() == [39, 38, 37, 36]
    assert state.purchases.ts.tolist() == [39, 34]
    assert state.impressions.ts.tolist() == [35]
    store.close()


async def test_a_data_set_without_events_seeds_profiles(
    store: StateStore, settings: StateSettings, tmp_path: Path, catalogue: Catalogue
) -> None:
    assert seed_state(store, dataset(tmp_path, catalogue, []), settings)
    assert (await store.read("u1")).profile["city"] == "Lyon"
