"""What an operator names for an alert is recalled while it is in force, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from environment.board import Surroundings
from recall.alert_picks import CHANNEL, AlertPicksSettings
from recall.channel import NothingToRecall
from tests.recall.small_shop import NO_INTERESTS, NOW, make_catalogue, make_query, make_source

PURCHASE = 5
# Items 1 to 3 are of category c1, 4 and 5 of c2, 6 of c3; 3 is sold out.
CATEGORIES = (1, 1, 1, 2, 2, 3)
EVENTS = [(1, item, PURCHASE, NOW - 60) for item in (2, 2, 1, 3, 4, 5, 5, 5, 6)]
SETTINGS = AlertPicksSettings(categories={"haze": ["c1", "c2", "gone"], "heat": ["c3"]})


def recalled(folder: Path, alerts: tuple[str, ...], k: int = 10) -> list[int]:
    catalogue = make_catalogue(folder, CATEGORIES, out_of_stock=[3])
    (folder / "channel").mkdir()
    CHANNEL.build(make_source(catalogue, EVENTS), folder / "channel", SETTINGS)
    channel = CHANNEL.open(folder / "channel", catalogue, NO_INTERESTS, SETTINGS)
    query = replace(make_query(), features={"surroundings": Surroundings("Bonn", alerts)})
    return list(asyncio.run(channel.recall(query, k)).items.tolist())


def test_categories_of_the_alert_take_turns_by_how_hot_their_items_are(tmp_path: Path) -> None:
    assert recalled(tmp_path, ("haze",)) == [2, 5, 1, 4]


@pytest.mark.parametrize(
    ("alerts", "k", "items"),
    [((), 10, []), (("storm",), 10, []), (("heat",), 10, [6]), (("haze", "heat"), 3, [2, 5, 6])],
)
def test_only_what_is_in_force_recalls(
    tmp_path: Path, alerts: tuple[str, ...], k: int, items: list[int]
) -> None:
    assert recalled(tmp_path, alerts, k) == items


@pytest.mark.parametrize(
    ("categories", "why"), [({}, "names no category"), ({"haze": ["masks"]}, "none of the categories masks")]
)
def test_without_its_categories_it_is_switched_off(
    tmp_path: Path, categories: dict[str, list[str]], why: str
) -> None:
    source = make_source(make_catalogue(tmp_path, CATEGORIES), EVENTS)
    with pytest.raises(NothingToRecall, match=why):
        CHANNEL.build(source, tmp_path, AlertPicksSettings(categories=categories))
