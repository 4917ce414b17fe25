"""Item_units: how sessions end, how popular items are thinned, and that units alone place an item."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from recall import item_units
from recall.channel import NothingToRecall
from recall.item_parts import ItemParts
from recall.item_units_build import item_vectors
from recall.item_units_network import UnitVectors
from recall.item_units_settings import ItemUnitsSettings
from recall.selling_points import found_point_codes, point_codes, selling_points
from recall.titles.settings import TitleTaggerSettings
from recall.unit_sessions import WIDTH, thinned, unit_sessions
from snapshot import Catalogue, write_catalogue
from tests.recall.small_shop import NOW, make_catalogue, make_query, make_source
from tests.snapshot.contents import columns as empty_columns

VIEW, PURCHASE = 2, 5
EACH = 8
"""Items of a category; the last of each is in no session."""


def rows_of(sessions: np.ndarray) -> list[list[int]]:
    return [row[row > 0].tolist() for row in sessions]


def test_sessions_end_with_a_purchase_a_pause_and_another_shopper(tmp_path) -> None:  # type: ignore[no-untyped-def]
    catalogue = make_catalogue(tmp_path, [1] * 6)
    log = [
        (1, 1, VIEW, 0), (1, 2, PURCHASE, 60), (1, 6, PURCHASE, 60), (1, 3, VIEW, 120), (1, 4, VIEW, 3_780),
        (1, 5, VIEW, 7_300), (2, 6, VIEW, 7_382), (2, 1, 1, 7_383), (2, 2, VIEW, 7_384),
    ]  # fmt: skip
    source = make_source(catalogue, log)
    assert rows_of(unit_sessions(source, 60, cut_on_purchase=True)) == [[1, 2, 6], [3], [4, 5], [6, 2]]
    assert rows_of(unit_sessions(source, 60, cut_on_purchase=False)) == [[1, 2, 6, 3], [4, 5], [6, 2]]
    numbered = source.events.with_columns(session_id=pl.Series([1, 1, 1, 2, 2, 2, 3, 3, 3]))
    given = replace(source, events=numbered)
    assert rows_of(unit_sessions(given, 10_000, cut_on_purchase=False)) == [[1, 2, 6], [3, 4, 5], [6, 2]]


def test_a_long_session_continues_in_another_row(tmp_path) -> None:  # type: ignore[no-untyped-def]
    items = [1 + at % 7 for at in range(WIDTH + 3)]
    source = make_source(make_catalogue(tmp_path, [1] * 7), [(1, i, VIEW, at) for at, i in enumerate(items)])
    assert rows_of(unit_sessions(source, 60, cut_on_purchase=True)) == [items[:WIDTH], items[WIDTH:]]
    (tmp_path / "other").mkdir()
    empty = make_source(make_catalogue(tmp_path / "other", [1]), [])
    assert unit_sessions(empty, 60, cut_on_purchase=True).shape == (0, WIDTH)


def test_popular_items_are_thinned_by_their_share_and_order_is_kept() -> None:
    sessions = np.zeros((4_000, 6), np.int32)
    sessions[:, :5] = [1, 2, 1, 3, 1]
    sessions[::40, 5] = 4
    left = thinned(sessions, 0.05, np.random.default_rng(0))
    before, after = np.bincount(sessions.ravel()), np.bincount(left.ravel())
    share = before / before[1:].sum()
    for item in (1, 2, 3):
        assert after[item] / before[item] == pytest.approx(math.sqrt(0.05 / share[item]), abs=0.02)
    assert after[4] == before[4]
    for row in left:
        some = row[row > 0].tolist()
        assert row[: len(some)].tolist() == some
        assert [item for item in some if item != 1] == sorted(item for item in some if item != 1)
    assert thinned(sessions, 0, np.random.default_rng(0)) is sessions


def test_selling_points_are_words_that_belong_together() -> None:
    titles = [["ice", "cold", "tea"], ["ice", "cold", "tea"], ["ice", "cold"], ["tea", "pot"], ["old", "pot"]]
    found = selling_points(titles, 2, 1.0)
    assert found == {
        ("ice", "cold"): 3 * 5 / (3 * 3),
        ("cold", "tea"): 2 * 5 / (3 * 3),
        ("ice", "cold", "tea"): 2 * 5 / (3 * 3),
    }
    codes, count = point_codes(titles, 2, 1.2, 2)
    assert count == 2
    assert codes.tolist() == [[1, 0], [1, 0], [1, 0], [0, 0], [0, 0]]


def test_a_title_is_its_attention_over_its_words() -> None:
    parts = ItemParts((), np.zeros((2, 0), np.int32), (), np.array([[0, 0, 0], [1, 3, 0]], np.int32), 5)
    vectors = UnitVectors(parts, np.zeros((2, 1), np.int32), 1, 4, torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    with torch.no_grad():
        for layer in (vectors.query, vectors.key, vectors.value, vectors.words):
            layer.weight.normal_()
        found = vectors(torch.tensor([0, 1])).numpy()
        word, q, k, v = (
            layer.weight.numpy() for layer in (vectors.words, vectors.query, vectors.key, vectors.value)
        )
    words = word[[1, 3]]
    near = np.exp((words @ q.T) @ (words @ k.T).T / math.sqrt(4))
    expected = (near / near.sum(1, keepdims=True)) @ (words @ v.T)
    np.testing.assert_allclose(found[1], expected.mean(0), rtol=1e-4, atol=1e-6)
    assert (found[0] == 0).all()


def test_points_that_a_tagger_found_are_shared_by_enough_titles_the_rarest_first() -> None:
    red, cotton = ("colour", "red"), ("material", "cotton")
    titles = [[red, cotton], [red, red], [cotton], [("material", "red")], [red]]
    codes, count = found_point_codes(titles, 2, 2)
    assert count == 3
    assert codes.tolist() == [[2, 1], [1, 0], [2, 0], [0, 0], [1, 0]]
    assert found_point_codes(titles, 2, 1)[0].tolist() == [[2], [1], [2], [0], [1]]


@pytest.mark.slow
def test_points_of_tagged_titles_place_items_where_groups_of_words_cannot(tmp_path) -> None:  # type: ignore[no-untyped-def]
    # One category; a single word of the title tells which items go together.
    size = 24
    titles = ["", *(f"{'red' if item <= size // 2 else 'blue'} thing{item}" for item in range(1, size + 1))]
    columns = empty_columns(size)
    columns["category"][1:] = 1
    columns["in_stock"][1:] = True
    columns["title"] = titles
    items = [f"i{item}" for item in range(1, size + 1)]
    write_catalogue(tmp_path / "catalogue", items, columns, {"category": ["c1"]}, {})
    rng = np.random.default_rng(3)
    log = [
        (user, 1 + size // 2 * (user % 2) + int(item), VIEW, NOW - 1_000 + step)
        for user in range(1, 81)
        for step, item in enumerate(rng.permutation(size // 2)[:6])
    ]
    source = make_source(Catalogue.open(tmp_path / "catalogue"), log)
    tagged = pl.DataFrame({
        "tokens": [[colour, f"pot{at}"] for at in range(4) for colour in ("red", "blue")],
        "tags": [["B-colour", "O"]] * 8,
    })  # fmt: skip
    settings = ItemUnitsSettings(
        dimensions=8, batch=256, words=0, popular_threshold=0, max_pairs=20_000,
        tagger=TitleTaggerSettings(form="dictionary"),
    )  # fmt: skip
    plain, _ = item_vectors(source, settings)
    np.testing.assert_allclose(plain[1:] @ plain[1:].T, 1, rtol=1e-5)
    vectors, _ = item_vectors(replace(source, tagged_titles=tagged), settings)
    near = vectors[1:] @ vectors[1:].T
    half = size // 2
    assert near[:half, :half].min() > near[:half, half:].max()


@pytest.mark.slow
def test_an_item_that_nobody_took_stands_beside_what_it_is_like(tmp_path) -> None:  # type: ignore[no-untyped-def]
    # Shoppers go from category 1 to 2 and from 3 to 4; the last item of each is new.
    catalogue = make_catalogue(tmp_path, [1 + item // EACH for item in range(4 * EACH)])
    rng, log = np.random.default_rng(2), []
    for user in range(1, 121):
        first = 2 * (user % 2)
        for step, item in enumerate(rng.permutation(EACH - 1)[:6]):
            category = first + step % 2
            log.append((user, 1 + EACH * category + int(item), VIEW, NOW - 10_000 + step))
    source = make_source(catalogue, log)
    settings = ItemUnitsSettings(
        dimensions=16, batch=256, neighbours=4 * EACH, popular_threshold=0, words=0, selling_points=0
    )
    tables = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        rows = item_units.build(source, tmp_path / name, settings)
        tables.append([file.read_bytes() for file in sorted((tmp_path / name).iterdir())])
    assert tables[0] == tables[1]
    assert (rows["vectors"], rows["without_session"]) == (4 * EACH, 4)
    channel = item_units.open_channel(tmp_path / "one", catalogue, None, settings)  # type: ignore[arg-type]
    recalled = asyncio.run(channel.recall(make_query([(EACH, VIEW, NOW)]), EACH))
    assert set(np.asarray(catalogue.category)[recalled.items].tolist()) <= {1, 2}
    assert 2 * EACH in asyncio.run(channel.recall(make_query([(EACH, VIEW, NOW)]), 2 * EACH)).items


def test_items_of_which_nothing_is_known_switch_it_off(tmp_path) -> None:  # type: ignore[no-untyped-def]
    source = make_source(make_catalogue(tmp_path, [0, 0]), [(1, 1, VIEW, 0), (1, 2, VIEW, 1)])
    with pytest.raises(NothingToRecall, match="nothing is known"):
        item_units.build(source, tmp_path, ItemUnitsSettings(words=0))
