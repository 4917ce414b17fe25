"""What ingest measures of a shop equals a literal count, and is kept in the manifest."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.shop_fit.proposal import FOR_EVER_DAYS, propose
from ingest.shop_facts import facts_of, measure_shop
from snapshot import Catalogue, write_catalogue
from snapshot.event_codes import IMPRESSION, PURCHASE, REMOVE_FROM_CART
from snapshot.manifest import MANIFEST_NAME, Manifest, read_manifest
from snapshot.shop_facts import ShopFacts
from testing.shop_kinds import fashion_shop, film_shop, grocer
from tests.ingest.test_real_data import (
    ONLINE_RETAIL,
    ONLINE_RETAIL_MAPPING,
    TAOBAO,
    TAOBAO_MAPPING,
    folder_with,
)
from tests.snapshot.contents import columns

DAY = 86_400
TITLES = ["Tea", " tea ", "TEA", "Mug", "", "", "Cup"]
BRANDS = [1, 1, 2, 0, 0, 0, 1]
CATEGORIES = [1, 1, 2, 2, 0, 3, 0]
UNTIL = 8 * DAY


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue") / "catalogue"
    made: dict[str, Any] = columns(len(TITLES)) | {"title": ["", *TITLES]}
    made["brand"][1:], made["category"][1:] = BRANDS, CATEGORIES
    names = {"brand": ["a", "b"], "category": ["x", "y", "z"]}
    write_catalogue(folder, [f"i{item}" for item in range(len(TITLES))], made, names, {})
    return Catalogue.open(folder)


ROWS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 6), st.integers(0, 10 * DAY)), max_size=60
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_every_measure_equals_a_literal_count(
    catalogue: Catalogue, rows: list[tuple[int, int, int, int]]
) -> None:
    schema = {"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}
    events = pl.DataFrame(rows, schema=schema, orient="row")
    pieces = pl.col("ts").mod(3).cast(pl.Int32).alias("pieces")
    removals = events.filter(pl.col("event") == REMOVE_FROM_CART).select("user", "item", "ts", pieces)
    others = events.filter(pl.col("event") != REMOVE_FROM_CART)
    measured = measure_shop(others, catalogue, UNTIL, removals)
    removed = literal_carts_removed([row for row in rows if row[3] < UNTIL])
    assert measured.carts_removed == pytest.approx(removed)
    assert msgspec.structs.replace(measured, carts_removed=0.0) == literal(rows)


def literal_carts_removed(rows: list[tuple[int, int, int, int]]) -> float:
    """Of each cart the part that the removals after it, until a purchase, took out of what there was."""
    order = {4: 0, PURCHASE: 1, REMOVE_FROM_CART: 2}
    changes = sorted((ts, order[event], user, item) for user, item, event, ts in rows if event in order)
    total, level, open_carts = 0.0, Counter(), defaultdict(list)
    for ts, kind, user, item in changes:
        key = (user, item)
        if kind == 0:
            level[key] += 1
            open_carts[key].append(1.0)
            continue
        left = level[key] - (ts % 3 or level[key])
        share = max(left, 0) / level[key] if level[key] else 0.0
        if kind == 2:
            open_carts[key] = [kept * share for kept in open_carts[key]]
        level[key] = max(left, 0) if kind == 2 else 0
        if kind == 1:
            total += sum(1 - kept for kept in open_carts.pop(key, []))
    return total + sum(1 - kept for carts in open_carts.values() for kept in carts)


def literal(rows: list[tuple[int, int, int, int]]) -> ShopFacts:
    rows = [row for row in rows if row[3] < UNTIL]
    names = {1: "impression", 2: "view", 3: "favorite", 4: "cart", 5: "purchase", 6: "remove_from_cart"}
    named, rows = rows, [row for row in rows if row[2] != REMOVE_FROM_CART]
    taken = {(user, item, ts // DAY) for user, item, event, ts in rows if event != IMPRESSION}
    bought = {(user, item, ts // DAY) for user, item, event, ts in rows if event == PURCHASE}
    gaps = []
    for user, item, day in bought:
        earlier = [other for who, what, other in bought if (who, what) == (user, item) and other < day]
        if earlier:
            gaps.append(day - max(earlier))
    history = Counter(user for user, _, _ in taken)
    by_user = defaultdict(set)
    for user, item, _ in taken:
        if CATEGORIES[item - 1]:
            by_user[user].add(CATEGORIES[item - 1])
    products = [(title.strip().lower(), brand) for title, brand in zip(TITLES, BRANDS, strict=True) if title]
    quantiles = np.quantile(list(history.values()), (0.1, 0.25, 0.5, 0.75, 0.9)) if history else np.zeros(5)
    times = sorted(ts for _, _, _, ts in rows)
    edge = round(0.01 * (len(times) - 1))
    return ShopFacts(
        days=(times[-1 - edge] - times[edge]) / DAY if times else 0.0,
        shoppers=len(history),
        events={
            name: count
            for code, name in names.items()
            if (count := sum(event == code for _, _, event, _ in named))
        },
        takes=len(later(taken)),
        repeat_takes=repeats(taken),
        purchases=len(later(bought)),
        repeat_purchases=repeats(bought),
        repeat_gap_days=float(np.median(gaps)) if gaps else None,
        history=tuple(quantiles.tolist()),
        categories=3,
        categories_per_shopper=float(np.median([len(each) for each in by_user.values()])) if by_user else 0.0,
        items=7,
        titled=5,
        shared_titles=sum(products.count(product) > 1 for product in products),
        groups={"category": 5 / 7, "standard_category": 0.0, "brand": 4 / 7, "shop": 0.0, "venue": 0.0},
    )


@pytest.mark.parametrize(
    ("prices", "categories", "variants"),
    [
        # The first two teas are of one brand.
        ([5.0, 5.25, 9.0, 1.0, 1.0, 1.0, 1.0], [1, 1, 2, 2, 0, 3, 0], 2),
        ([5.0, 5.3, 5.0, 1.0, 1.0, 1.0, 1.0], [1, 1, 2, 2, 0, 3, 0], 0),
        ([5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0], [1, 2, 1, 2, 0, 3, 0], 0),
        ([float("nan"), 5.0, 5.0, 1.0, 1.0, 1.0, 1.0], [1, 1, 1, 2, 0, 3, 0], 0),
        ([float("nan")] * 7, [1, 1, 1, 2, 0, 3, 0], 0),
        ([0.0] * 7, [1, 1, 1, 2, 0, 3, 0], 0),
        ([5.0] * 7, [0] * 7, 2),
    ],
)
def test_items_of_one_title_category_and_price_are_variants(
    tmp_path: Path, prices: list[float], categories: list[int], variants: int
) -> None:
    made: dict[str, Any] = columns(len(TITLES)) | {"title": ["", *TITLES]}
    made["brand"][1:], made["category"][1:], made["price"][1:] = BRANDS, categories, prices
    names = {"brand": ["a", "b"], "category": ["x", "y", "z"]}
    write_catalogue(tmp_path / "c", [f"i{item}" for item in range(len(TITLES))], made, names, {})
    schema = {"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}
    nothing = pl.DataFrame(schema=schema)
    removals = nothing.select("user", "item", "ts", pieces=pl.lit(1, pl.Int32))
    facts = measure_shop(nothing, Catalogue.open(tmp_path / "c"), UNTIL, removals)
    assert (facts.titled, facts.shared_titles, facts.variant_titles) == (5, 2, variants)


def later(taken: set[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    return [row for row in taken if any(user == row[0] and day < row[2] for user, _, day in taken)]


def repeats(taken: set[tuple[int, int, int]]) -> int:
    return sum(
        any((user, item) == row[:2] and day < row[2] for user, item, day in taken) for row in later(taken)
    )


def test_a_grocer_shows_the_same_again_soon(tmp_path: Path) -> None:
    facts = facts_of(grocer(tmp_path))
    assert facts.purchase_repeat_rate > 0.8
    assert facts.repeat_gap_days == 7
    proposal = propose(facts)
    assert (proposal.again.value, proposal.window_days.value, proposal.dedup.value) == (0.75, 1.0, False)
    assert "of 60 titled items share title and brand" in proposal.dedup.reason


def test_a_film_shop_never_shows_what_is_owned(tmp_path: Path) -> None:
    facts = facts_of(film_shop(tmp_path))
    assert (facts.repeat_purchases, facts.repeat_gap_days) == (0, None)
    proposal = propose(facts)
    assert (proposal.again.value, proposal.window_days.value, proposal.dedup.value) == (
        0.0,
        FOR_EVER_DAYS,
        True,
    )
    assert "0.0% of" in proposal.window_days.reason


def test_a_fashion_shop_shows_again_what_was_looked_at_but_not_what_was_bought(tmp_path: Path) -> None:
    proposal = propose(facts_of(fashion_shop(tmp_path)))
    assert (proposal.again.value, proposal.window_days.value, proposal.dedup.value) == (0.75, 365.0, True)


def test_the_facts_are_in_the_manifest_and_an_old_one_without_still_opens(tmp_path: Path) -> None:
    dataset = film_shop(tmp_path)
    assert read_manifest(dataset.path).shop == dataset.manifest.shop is not None
    path = dataset.path / MANIFEST_NAME
    old = msgspec.json.decode(path.read_bytes())
    del old["shop"]
    path.write_bytes(msgspec.json.encode(old))
    manifest: Manifest = read_manifest(dataset.path)
    assert manifest.shop is None
    aged = type(dataset)(dataset.path, manifest, dataset.catalogue)
    assert facts_of(aged) == dataset.manifest.shop


@pytest.mark.parametrize(
    ("file", "mapping", "expected"),
    [
        (TAOBAO, TAOBAO_MAPPING, (0.75, 1.0, False)),
        (ONLINE_RETAIL, ONLINE_RETAIL_MAPPING, (0.75, 2.4, True)),
    ],
)
@pytest.mark.slow
def test_real_logs_get_what_suits_them(
    tmp_path: Path, file: Path, mapping: str, expected: tuple[float, float, bool]
) -> None:
    from ingest.ingest_folder import ingest_folder
    from ingest.settings import IngestSettings

    if not file.exists():
        pytest.skip(f"{file} is not here")
    facts = facts_of(ingest_folder(folder_with(mapping, tmp_path), tmp_path, IngestSettings(), seed=0))
    proposal = propose(facts)
    assert (proposal.again.value, proposal.window_days.value, proposal.dedup.value) == expected
