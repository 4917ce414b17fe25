"""Removals from the cart in a shop's files: apart from the events, by whatever common name, counted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ingest.corrections import UNKNOWN
from ingest.ingest_folder import ingest_folder
from ingest.mapping import DEFAULT_EVENT_NAMES
from ingest.settings import IngestSettings
from ingest.shop_tables import IngestError
from shopfront.shop_report import shop_tables
from snapshot.dataset import CART_REMOVALS_NAME, Dataset
from snapshot.event_codes import EVENT_CODES, HISTORY_CODES
from state import StateSettings, open_state
from state.cart import contents, taken_out
from state.seed import seed_state
from tests.ingest.small_shop import START, csv_text, write

NAMES = sorted(name for name, kind in DEFAULT_EVENT_NAMES.items() if kind == "remove_from_cart")


def dataset_of(folder: Path, rows: list[tuple[str, str, str, int, object]], *, quantities: bool) -> Dataset:
    """A data set of forty views of four shoppers, and rows of user, item, event, second and quantity."""
    views = [(f"u{row % 4}", f"i{row % 5}", "view", 600 * row, "") for row in range(40)]
    everything = sorted([*views, *rows], key=lambda row: row[3])
    user, item, event, ts, quantity = zip(*everything, strict=True)
    table = {"user_id": user, "item_id": item, "event": event, "timestamp": [START + each for each in ts]}
    if quantities:
        table["quantity"] = quantity
    write(folder / "shop", {"events.csv": csv_text(table)})
    return ingest_folder(
        folder / "shop", folder, IngestSettings(), seed=0, created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )


ROWS: list[tuple[str, str, str, int, object]] = [
    ("u0", "i0", "cart", 100, 3),
    ("u0", "i1", "cart", 200, ""),
    ("u0", "i0", NAMES[0], 300, 2),
    ("u0", "i1", NAMES[1], 400, ""),
    ("u1", "i2", "cart", 500, 2),
    ("u1", "i2", NAMES[2].upper(), 600, -1),
    ("u1", "i9", NAMES[3], 700, ""),
    ("nobody", "i2", NAMES[4], 800, ""),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return dataset_of(tmp_path_factory.mktemp("shop"), ROWS, quantities=True)


def test_removals_are_no_events_and_those_of_nobody_are_counted(dataset: Dataset) -> None:
    removals, manifest = dataset.cart_removals(), dataset.manifest
    assert dict(removals.schema) == {"user": pl.Int32, "item": pl.Int32, "ts": pl.Int64, "pieces": pl.Int32}
    users, items = dataset.users()["user_id"], dataset.items()["item_id"]
    found = [(users[user - 1], items[item - 1], ts - START, n) for user, item, ts, n in removals.iter_rows()]
    assert sorted(found) == [("u0", "i0", 300, 2), ("u0", "i1", 400, 0), ("u1", "i2", 600, 1)]
    assert set(dataset.events().collect()["event"]) <= set(HISTORY_CODES.values())
    assert "nobody" not in users
    assert "i9" not in items
    assert (manifest.rows["events_remove_from_cart"], manifest.rows["events_cart"]) == (3, 3)
    assert manifest.rows["events"] == 43
    assert manifest.removed[UNKNOWN] == 2
    assert "remove_from_cart" not in manifest.switched_off


def test_the_profile_says_how_many_carts_were_taken_out_again(dataset: Dataset) -> None:
    assert dataset.manifest.shop is not None
    facts = dataset.manifest.shop
    assert facts.events["remove_from_cart"] == 3
    # Two of three pieces, all, and one of two.
    assert facts.carts_removed == pytest.approx(2 / 3 + 1 + 1 / 2)
    measured = shop_tables(facts)[0]
    place = list(measured.columns[0].cells).index("carts taken out again")
    assert [list(column.cells)[place] for column in measured.columns[1:]] == [
        "72.2%",
        "by 3 removals, which count as no interest",
    ]


@pytest.mark.parametrize(("quantity", "left_out"), [(0.5, 1), (-1.2, 2), (0, 0), (3e11, 1_000_000)])
def test_a_part_of_a_piece_is_not_all_that_the_cart_has(
    tmp_path: Path, quantity: float, left_out: int
) -> None:
    rows = [("u0", "i0", "cart", 100, 2.5), ("u0", "i0", NAMES[0], 300, quantity)]
    assert dataset_of(tmp_path, rows, quantities=True).cart_removals()["pieces"].to_list() == [left_out]


def test_a_log_of_removals_alone_is_refused_as_such(tmp_path: Path) -> None:
    table = {
        "user_id": ["u0", "u1"],
        "item_id": ["i0", "i1"],
        "event": NAMES[:2],
        "timestamp": [START, START + 60],
    }
    write(tmp_path / "shop", {"events.csv": csv_text(table)})
    with pytest.raises(IngestError, match="all 2 events take something out of a cart"):
        ingest_folder(
            tmp_path / "shop", tmp_path, IngestSettings(), seed=0, created_at=datetime(2026, 1, 1, tzinfo=UTC)
        )


def test_a_data_set_without_the_file_has_none(tmp_path: Path) -> None:
    plain = dataset_of(tmp_path, [("u0", "i0", "cart", 100, "")], quantities=False)
    assert not (plain.path / CART_REMOVALS_NAME).exists()
    assert plain.cart_removals().is_empty()
    assert "remove_from_cart" in plain.manifest.switched_off


def test_the_seeded_state_has_the_carts_of_the_files(dataset: Dataset, tmp_path: Path) -> None:
    settings = StateSettings(url=f"lmdb://{tmp_path}", sync=False)
    store = open_state(settings)
    seed_state(store, dataset, settings)
    items = dataset.catalogue.item_ids

    def cart(user: str) -> tuple[dict[str, int], list[str]]:
        state = asyncio.run(store.read(user))
        found = contents(state.cart_changes, state.purchases, 0)
        gone = taken_out(state.cart_changes, state.purchases)
        dense = dataset.catalogue.dense_from_keys
        return (
            dict(zip(items(dense(found.items)), found.pieces.tolist(), strict=True)),
            list(items(dense(gone.items))),
        )

    assert cart("u0") == ({"i0": 1}, ["i1"])
    assert cart("u1") == ({"i2": 1}, [])
    assert cart("u2") == ({}, [])
    store.close()


def test_every_kind_that_the_service_takes_has_a_name_in_files() -> None:
    assert set(DEFAULT_EVENT_NAMES.values()) == set(EVENT_CODES)
