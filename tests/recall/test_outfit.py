"""Outfit: one item of every other category, by sets, then baskets, then rules."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.outfit_file import read_outfits
from ingest.shop_tables import IngestError
from recall.channel import NothingToRecall
from recall.outfit import build, open_channel
from recall.outfit_sets import OutfitSets
from recall.outfit_settings import OutfitSettings
from recall.outfit_slots import Outfit
from tests.recall.small_shop import DAY, NO_INTERESTS, make_catalogue, make_query, make_source

# Items 1, 2: tops; 3, 4: trousers; 5, 6: shoes; 7, 8: kettles.
CATEGORIES = [1, 1, 2, 2, 3, 3, 4, 4]
PURCHASE = 5
SETS = OutfitSets(np.array([0, 0, 0, 1, 1], np.int32), np.array([1, 3, 5, 2, 3], np.int32))
BASKETS = [(user, item, PURCHASE, user * DAY) for user in range(1, 5) for item in (1, 4)] + [
    (user, item, PURCHASE, user * DAY) for user in range(5, 9) for item in (7, 8)
]


def open_over(folder: Path, sets: OutfitSets | None = SETS, **changed: object) -> Outfit:
    catalogue = make_catalogue(folder, CATEGORIES)
    source = replace(make_source(catalogue, BASKETS), outfits=sets)
    channel = folder / "channel"
    channel.mkdir()
    settings = OutfitSettings.model_validate(changed)
    build(source, channel, settings)
    return open_channel(channel, catalogue, NO_INTERESTS, settings)


def recalled(channel: Outfit, trigger: int, k: int = 10) -> list[int]:
    found = asyncio.run(channel.recall(make_query(triggers=[trigger]), k))
    assert (np.diff(found.scores) < 0).all()
    assert set(found.triggers.tolist()) <= {trigger}
    return [int(item) for item in found.items]


def test_every_other_category_has_its_first_item_before_any_second(tmp_path: Path) -> None:
    channel = open_over(tmp_path)
    items = recalled(channel, 1)
    assert items[:2] == [3, 5]
    assert sorted(items[2:]) == [4, 6]
    assert channel.evidence_of(1, np.array([3, 5, 4, 6], np.int32)) == ["sets", "sets", "baskets", "rules"]
    assert recalled(channel, 1, k=1) == [3]
    assert recalled(channel, 7) == []
    assert recalled(channel, 3)[0] in (1, 2)


def test_what_shares_a_set_with_the_item_comes_first_however_rare_its_category(tmp_path: Path) -> None:
    # Tops go with trousers and shoes as a rule; item 2 alone has a set with a kettle.
    sets = OutfitSets(
        np.repeat(np.arange(4, dtype=np.int32), [3, 3, 3, 2]), np.array([1, 3, 5, 1, 4, 6, 1, 3, 6, 2, 7])
    )
    for most in (6, 2):
        folder = tmp_path / str(most)
        folder.mkdir()
        channel = open_over(folder, sets, slots=most)
        assert recalled(channel, 2)[0] == 7
        assert set(recalled(channel, 2, k=3)[1:]) <= {3, 4, 5, 6}
        assert recalled(channel, 1, k=2) == [3, 6]


def test_an_item_without_a_category_goes_with_what_shares_sets_and_baskets_with_it(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [0, 1, 2, 2])
    sets = OutfitSets(np.array([0, 0, 1, 1], np.int32), np.array([1, 2, 2, 3], np.int32))
    events = [(user, item, PURCHASE, user * DAY) for user in range(1, 5) for item in (1, 4)]
    source = replace(make_source(catalogue, events), outfits=sets)
    channel = tmp_path / "channel"
    channel.mkdir()
    build(source, channel, OutfitSettings())
    opened = open_channel(channel, catalogue, NO_INTERESTS, OutfitSettings())
    assert recalled(opened, 1, k=2) == [2, 4]
    assert opened.evidence_of(1, np.array([2, 4], np.int32)) == ["sets", "baskets"]


def test_without_sets_baskets_say_what_goes_together(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, CATEGORIES)
    source = make_source(catalogue, BASKETS)
    with pytest.raises(NothingToRecall, match="neither outfits nor pictures"):
        build(source, tmp_path, OutfitSettings())
    empty = OutfitSets(np.empty(0, np.int32), np.empty(0, np.int32))
    folder = tmp_path / "baskets"
    folder.mkdir()
    channel = open_over(folder, empty)
    assert recalled(channel, 1) == [4, 3]
    assert channel.evidence_of(1, np.array([4, 3], np.int32)) == ["baskets", "rules"]
    assert channel.evidence_of(2, np.array([4], np.int32)) == ["rules"]
    with pytest.raises(NothingToRecall, match="often enough"):
        build(replace(source, outfits=empty), folder, OutfitSettings(least_together=9))


def test_a_file_of_sets_is_read(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, CATEGORIES)
    assert read_outfits(None, catalogue) is None
    assert read_outfits(tmp_path, catalogue) is None
    (tmp_path / "outfits.csv").write_text("set_id,item_id\nb,i2\na,i1\na,i3\na,i3\nb,unheard of\nb,\n")
    rows = read_outfits(tmp_path, catalogue)
    assert rows is not None
    assert (rows.number.tolist(), rows.item.tolist(), rows.unknown) == ([0, 0, 1], [1, 3, 2], 1)
    (tmp_path / "outfits.csv").write_text("set_id,product\na,i1\n")
    with pytest.raises(IngestError, match="has no column item_id"):
        read_outfits(tmp_path, catalogue)
