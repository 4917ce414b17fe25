"""Search, settings as rows, kept pages and report files."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, cast

import numpy as np
import pytest
from pydantic import BaseModel, Field

from inspection.catalogue_search import CatalogueSearch
from inspection.metric_samples import MetricSamples
from inspection.recent_pages import RecentPages
from inspection.report_files import MAX_BYTES, MAX_REPORTS, read_reports
from inspection.scene_details import inspect_scenes
from inspection.setting_rows import setting_rows
from pipeline.stages import Model
from recall.query import Query
from recall.registry import CHANNELS
from router.engine.engine import Engine
from router.scenes.load import KnownNames, read_scenes
from router.service.impressions import ShownPage
from snapshot import Catalogue, write_catalogue
from snapshot.item_keys import item_keys
from state.channel_rates.rates import NO_RATES
from tests.snapshot.contents import columns as empty_columns

TITLES = ["", "Green Tea", "tea <b>POT</b>", "Straße", "Coffee", "x" * 10_000 + " tea"]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """Five items, the later the better known."""
    columns = empty_columns(5)
    columns["title"] = TITLES
    columns["popularity"][1:] = [1, 2, 3, 4, 5]
    write_catalogue(tmp_path / "catalogue", [f"i{item}" for item in range(1, 6)], columns, {}, {})
    return Catalogue.open(tmp_path / "catalogue")


@pytest.mark.parametrize(
    ("query", "limit", "expected"),
    [
        ("tea", 10, [5, 2, 1]),
        ("TEA pot", 10, [2]),
        ("tea", 2, [5, 2]),
        ("STRASSE", 10, [3]),
        ("i1", 10, [1]),
        (" i4 ", 10, [4]),
        ("nothing", 10, []),
        (".*", 10, []),
    ],
)
def test_items_are_found_by_id_and_by_words_best_known_first(
    catalogue: Catalogue, query: str, limit: int, expected: list[int]
) -> None:
    found, _ = CatalogueSearch(catalogue, 100).find(query, limit)
    assert found.tolist() == expected


def test_a_search_ends_at_its_bound_and_says_so(catalogue: Catalogue) -> None:
    search = CatalogueSearch(catalogue, 2)
    found, searched = search.find("tea", 10)
    assert (found.tolist(), searched, search.truncated) == ([5], 2, True)


def test_scenes_that_the_snapshot_cannot_serve_are_left_out() -> None:
    text = b"""
scenes:
  home:
    channels: {hot: {share: 1.0}}
  photo_search:
    needs: [similar_look]
    channels: {similar_look: {share: 1.0}}
"""
    scenes = read_scenes(text, "scenes.yaml", KnownNames(CHANNELS, ("bst",)))
    engine = SimpleNamespace(configured=scenes, scenes={"home": scenes["home"]}, plans={})
    engine.pipelines = {"home": SimpleNamespace(live_fusion=None)}
    (shown,) = inspect_scenes(cast(Engine, engine), NO_RATES).scenes
    assert shown.name == "home"
    assert {row.key: row.value for row in shown.settings}["channels.hot.share"] == "1.0"


class _Part(BaseModel):
    """A part."""

    weight: float = Field(0.5, ge=0, le=1, description="How much it counts.")


class _Empty(BaseModel):
    """A part without settings."""


class _Whole(BaseModel):
    parts: dict[str, BaseModel] = Field(default={}, description="Parts by name.")
    inner: _Part = Field(default_factory=_Part, description="One part.")
    names: tuple[str, ...] = Field(("a",), description="Names,\n  on two lines.")
    required: int = Field(gt=2, description="No default.")
    kind: Literal["near", "far"] = Field("far", description="One of two.")
    list_of: list[_Part] = Field([_Part()], description="Parts in a row.")


def test_settings_become_rows_with_value_default_meaning_and_bounds() -> None:
    whole = _Whole(parts={"one": _Part(weight=1.0), "none": _Empty()}, required=3)
    rows = {row.key: row for row in setting_rows(whole)}
    assert list(rows) == [
        "parts.one.weight",
        "parts.none",
        "inner.weight",
        "names",
        "required",
        "kind",
        "list_of",
    ]
    weight = rows["parts.one.weight"]
    assert (weight.value, weight.default_value, weight.description, weight.bounds) == (
        "1.0", "0.5", "How much it counts.", "at least 0, at most 1",
    )  # fmt: skip
    assert rows["parts.none"].description == "A part without settings."
    assert (rows["names"].value, rows["names"].description) == ('["a"]', "Names, on two lines.")
    assert (rows["required"].default_value, rows["required"].bounds) == ("", "above 2")
    assert rows["kind"].bounds == "one of near, far"
    assert rows["list_of"].default_value == '[{"weight": 0.5}]'


def test_the_last_pages_are_kept_and_no_more(catalogue: Catalogue) -> None:
    kept = RecentPages(3)
    for number in range(5):
        page = ShownPage(
            "home",
            ["i1"],
            item_keys(["i1", "gone"]),
            number,
            str(number),
            model=Model("bst", "1"),
            took_ms=float(number % 4),
            degraded=("ranking",),
        )
        query = Query(scene="home", now=number, user_id=f"u{number % 2}")
        assert kept.applies_to(query, page)
        asyncio.run(kept.after(query, page))
    assert [page.request_id for page in kept.listed(catalogue, 10).pages] == ["4", "3", "2"]
    assert [page.request_id for page in kept.listed(catalogue, 10, "u0").pages] == ["4", "2"]
    assert len(kept.listed(catalogue, 1).pages) == 1
    slowest = kept.listed(catalogue, 2, slowest_first=True).pages
    assert [(page.request_id, page.took_ms, list(page.degraded)) for page in slowest] == [
        ("3", 3.0, ["ranking"]),
        ("2", 2.0, ["ranking"]),
    ]
    newest = kept.listed(catalogue, 1).pages[0]
    assert [item.item_id for item in newest.items] == ["i1", ""]
    assert newest.items[0].title == TITLES[1]
    nothing = RecentPages(0)
    assert not nothing.applies_to(Query(scene="home", now=0), ShownPage("home", ["i1"], item_keys(["i1"]), 0))


def test_reports_are_the_newest_and_bounded(tmp_path: Path) -> None:
    assert not read_reports(tmp_path / "missing").reports
    for number in range(MAX_REPORTS + 2):
        path = tmp_path / f"r{number:02}.json"
        path.write_text(json.dumps({"number": number}))
        path.touch()
        stamp = 1_000_000_000 * (number + 1)
        os.utime(path, ns=(stamp, stamp))
    (tmp_path / "large.json").write_text(" " * (MAX_BYTES + 1))
    (tmp_path / "other.txt").write_text("{}")
    (tmp_path / "link.json").symlink_to("/etc/passwd")
    found = read_reports(tmp_path).reports
    assert len(found) == MAX_REPORTS
    assert [report.name for report in found[:2]] == [f"r{MAX_REPORTS + 1:02}", f"r{MAX_REPORTS:02}"]
    assert json.loads(found[0].json) == {"number": MAX_REPORTS + 1}


def test_counts_are_read_at_most_once_a_second(tmp_path: Path) -> None:
    now = [10.0]
    samples = MetricSamples(tmp_path, clock=lambda: now[0])

    async def read_twice() -> tuple[int, int, int]:
        first = await samples.read(())
        now[0] += 0.5
        second = await samples.read(("shopfront_",))
        now[0] += 1.0
        third = await samples.read(())
        return first.at_ms, second.at_ms, third.at_ms

    assert asyncio.run(read_twice()) == (10_000, 10_000, 11_500)


def test_negative_and_huge_popularity_do_not_break_the_order(catalogue: Catalogue) -> None:
    order = CatalogueSearch(catalogue, 100)._order
    assert sorted(order.tolist()) == [1, 2, 3, 4, 5]
    assert order.dtype == np.int32
