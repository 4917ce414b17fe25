"""Tables computed in parts are those computed at once, to the byte."""

from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall import interactions
from recall.basket_settings import BasketSettings
from recall.baskets import baskets_of
from recall.build_events import build_events, mapped_events
from recall.category_completion import category_completion
from recall.channel import BuildSource
from recall.interactions import impressions_of, interactions_of
from recall.item_knn_build import sequence_neighbours
from recall.item_knn_settings import ItemKnnSettings
from recall.ranki2i_build import item_neighbours
from recall.ranki2i_settings import Ranki2iSettings
from recall.registry import CHANNELS
from router.scenes.components import registered_tables
from router.tables.files import build_tables
from snapshot import log_parts
from snapshot.growing_columns import GrowingColumns, mapped, mapped_order
from snapshot.partition_work import balanced_ranges
from testing.divided_work import DividedWork
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_source

ITEMS = 9


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1, 2, 3] * 3, out_of_stock=[4])


@pytest.mark.parametrize("channel", ["ranki2i", "item_knn", "bought_together"])
def test_a_channels_files_are_the_same_however_the_log_is_divided(shop, channel, tmp_path):
    kind = CHANNELS[channel]
    kind.build(replace(shop.source, work=DividedWork(5)), tmp_path, kind.settings())
    assert _files(tmp_path) == _files(shop.folder / channel)


_BUILT_OF_EVENTS = ("ranki2i", "bought_together", "item_knn", "context", "hot", "category_hot", "again")
_TABLES = ("anchor_pairs", "popularity", "standard_categories", "purchase_cycles", "logistic_ranker")


def test_files_are_the_same_where_a_long_log_is_worked_on_in_small_parts(shop, tmp_path, monkeypatch):
    """What is built of 12,000 events takes the memory of 500 on the way, and no file shows it."""
    source = replace(shop.source, pictures=None)
    kinds = {name: registered_tables()[name] for name in _TABLES}
    settings = {name: kind.settings() for name, kind in kinds.items()}
    build_tables(kinds, source, tmp_path / "whole", settings)
    sizes: list[int] = []
    monkeypatch.setattr(log_parts, "ROWS_AT_ONCE", 500)
    scored = interactions.behaviour_scores
    monkeypatch.setattr(
        interactions, "behaviour_scores", lambda events: sizes.append(events.height) or scored(events)
    )
    for name in _BUILT_OF_EVENTS:
        (tmp_path / name).mkdir()
        CHANNELS[name].build(source, tmp_path / name, CHANNELS[name].settings())
        assert _files(tmp_path / name) == _files(shop.folder / name), name
    build_tables(kinds, source, tmp_path / "parts", settings)
    for name in _TABLES:
        assert _files(tmp_path / "parts" / name) == _files(tmp_path / "whole" / name), name
    longest = int(source.events["user"].value_counts()["count"].max())
    assert len(sizes) > 20
    assert max(sizes) < 500 + longest


@pytest.mark.parametrize("rows_at_once", [1, 30])
def test_related_categories_are_the_same_category_by_category(shop, monkeypatch, rows_at_once):
    taken = interactions.interactions_of(shop.source)

    def completed() -> object:
        return category_completion(taken, shop.source.catalogue, Ranki2iSettings(), 1.0)

    whole = completed()
    assert len(whole.items) > 20
    monkeypatch.setattr(log_parts, "ROWS_AT_ONCE", rows_at_once)
    _assert_same(whole, completed())


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 9))
def test_parts_of_any_column_are_whole_and_sums_and_orders_those_of_all_rows(values, at_once):
    column = np.sort(np.array(values, np.int32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_parts, "ROWS_AT_ONCE", at_once)
        parts = [column[rows] for rows in log_parts.run_slices(column)]
        assert np.concatenate(parts).tolist() == column.tolist()
        for one, other in pairwise(parts):
            assert one[-1] < other[0]
        shuffled = np.random.default_rng(1).permutation(column)
        weights = np.random.default_rng(2).random(len(column))
        sums = log_parts.sums_by(shuffled, lambda rows: weights[rows], 10)
        begins = np.concatenate(([0], np.cumsum(np.bincount(shuffled, minlength=10))))
        order = mapped_order(shuffled, begins)
    assert sums.tolist() == np.bincount(shuffled, weights, 10).tolist()
    assert order.tolist() == np.argsort(shuffled, kind="stable").tolist()


def test_mapped_numbers_and_events_are_those_that_were_given(shop):
    numbers = np.arange(12, dtype=np.float32).reshape(4, 3)
    copy = mapped(numbers)
    assert (copy.dtype, copy.flags.writeable) == (numbers.dtype, False)
    np.testing.assert_array_equal(copy, numbers)
    log = shop.dataset.events().filter(pl.col("event") != 1)
    assert mapped_events(log).equals(build_events(log))
    nothing = log.filter(pl.col("ts") < 0)
    assert mapped_events(nothing).equals(build_events(nothing))


def test_a_part_with_other_columns_than_the_first_is_refused():
    with closing(GrowingColumns()) as growing:
        growing.add({"item": np.arange(3, dtype=np.int32)})
        with pytest.raises(ValueError, match="int64"):
            growing.add({"item": np.arange(3)})


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


_EVENT = st.tuples(
    st.integers(1, 6), st.integers(1, ITEMS), st.integers(1, 5), st.integers(NOW - 2 * DAY, NOW + 60)
)
_LOGS = st.lists(st.tuples(_EVENT, st.sampled_from([None, "a", "b"])), min_size=1, max_size=60)


@settings(max_examples=10)
@given(_LOGS, st.integers(2, 9))
def test_columns_and_neighbours_of_any_log_do_not_depend_on_its_division(catalogue, log, parts):
    source = make_source(catalogue, [event for event, _ in log])
    sessions = pl.Series("session_id", [session for _, session in log], dtype=pl.String)
    source = replace(source, events=source.events.insert_column(4, sessions))
    divided = replace(source, work=DividedWork(parts))
    for made in (interactions_of, impressions_of, _baskets, _sequence_neighbours, _item_neighbours):
        _assert_same(made(source), made(divided))


def _baskets(source: BuildSource) -> object:
    return baskets_of(source, BasketSettings(events="all"))


def _sequence_neighbours(source: BuildSource) -> object:
    return sequence_neighbours(source, ItemKnnSettings(pairs_per_block=1_000))


def _item_neighbours(source: BuildSource) -> object:
    taken = interactions_of(source)
    return item_neighbours(taken, source, Ranki2iSettings(pairs_per_block=1_000))


def _assert_same(whole: object, parts: object) -> None:
    for name in type(whole).__dataclass_fields__:
        one, other = getattr(whole, name), getattr(parts, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, err_msg=name)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 12))
def test_ranges_cover_every_row_once(load, parts):
    ranges = balanced_ranges(np.array([99, *load]), parts)
    assert len(ranges) <= parts
    rows = [row for start, stop in ranges for row in range(start, stop)]
    assert rows == list(range(1, len(load) + 1))
    assert not load or all(stop > start for start, stop in ranges)


def test_ranges_are_of_equal_load():
    loads = np.random.default_rng(0).integers(1, 100, 1_001)
    of_range = [loads[start:stop].sum() for start, stop in balanced_ranges(loads, 8)]
    assert len(of_range) == 8
    assert max(of_range) - min(of_range) <= 200
