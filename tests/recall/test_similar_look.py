"""Similar_look: what looks like the triggers, of their category, in stock, each item once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recall.channel import NothingToRecall
from recall.item_pictures import ItemPictures
from recall.picture_space import PictureSpace
from recall.pictures.settings import SimilarLookSettings
from recall.similar_look import SimilarLook, build, open_channel
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import NO_INTERESTS, make_catalogue, make_query, make_source

ANGLES = {1: (0, 170), 2: (10,), 3: (25, 5), 4: (40,), 5: (2,), 6: (60,), 7: (1,)}
"""Item → directions of its pictures in degrees."""
CATEGORIES = [1, 1, 1, 2, 2, 1, 1, 1]
OUT_OF_STOCK = [7]


def pictures(size: int) -> ItemPictures:
    items = [item for item, angles in ANGLES.items() for _ in angles]
    radians = np.radians([angle for angles in ANGLES.values() for angle in angles])
    vectors = np.stack((np.cos(radians), np.sin(radians)), axis=1).astype(np.float32)
    space = PictureSpace(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    contents = np.arange(2 * len(items), dtype=np.uint64).reshape(-1, 2)
    return ItemPictures(np.array(items, np.int32), vectors, space, np.zeros(size + 1, np.int32), contents)


def open_over(folder: Path, **changed: object) -> SimilarLook:
    folder.mkdir(exist_ok=True)
    catalogue = make_catalogue(folder, CATEGORIES, OUT_OF_STOCK)
    settings = SimilarLookSettings.model_validate({"minimum_likeness": -1.0} | changed)
    source = replace(make_source(catalogue, [(1, 1, 2, 5)]), pictures=pictures(catalogue.size))
    channel = folder / "channel"
    channel.mkdir()
    rows = build(source, channel, settings)
    assert rows == {"pictures": 9, "items": 7, "dimensions": 2}
    return open_channel(channel, catalogue, NO_INTERESTS, settings)


def recalled(
    channel: SimilarLook, triggers: list[int], k: int = 10, **query: object
) -> dict[int, tuple[float, int]]:
    found = asyncio.run(channel.recall(make_query(triggers=triggers, **query), k))  # type: ignore[arg-type]
    assert (np.diff(found.scores) <= 0).all()
    return {
        int(item): (round(float(score), 3), int(trigger))
        for item, score, trigger in zip(found.items, found.scores, found.triggers, strict=True)
    }


def cosine(degrees: float) -> float:
    return round(float(np.cos(np.radians(degrees))), 3)


def test_the_nearest_of_the_category_come_first(tmp_path: Path) -> None:
    channel = open_over(tmp_path)
    assert recalled(channel, [1]) == {3: (cosine(5), 1), 2: (cosine(10), 1), 6: (cosine(60), 1)}
    assert list(recalled(channel, [1], k=2)) == [3, 2]
    assert recalled(channel, [1], k=0) == {}


def test_within_anything_categories_do_not_matter(tmp_path: Path) -> None:
    found = recalled(open_over(tmp_path, within="anything"), [1])
    assert list(found) == [5, 3, 2, 4, 6]
    assert found[5] == (cosine(2), 1)


def test_the_heavier_trigger_counts_more_and_is_named(tmp_path: Path) -> None:
    found = recalled(open_over(tmp_path), [6, 1], weights=[0.1, 1.0])
    assert found == {3: (cosine(5), 1), 2: (cosine(10), 1)}
    found = recalled(open_over(tmp_path / "few", triggers=1), [1, 6], weights=[0.1, 1.0])
    assert found == {2: (cosine(50), 6), 3: (cosine(35), 6)}


def test_what_is_not_alike_or_has_no_picture_is_not_recalled(tmp_path: Path) -> None:
    assert list(recalled(open_over(tmp_path, minimum_likeness=0.9), [1])) == [3, 2]
    channel = open_over(tmp_path / "other")
    assert recalled(channel, [8]) == {}
    assert recalled(channel, []) == {}


def test_a_search_takes_any_vector(tmp_path: Path) -> None:
    channel = open_over(tmp_path)
    east = np.array([1, 0], np.float32)
    items, likeness, _ = channel.search(east, 3)
    assert items.tolist() == [1, 5, 3]
    np.testing.assert_allclose(likeness, [1, cosine(2), cosine(5)], atol=1e-3)
    assert channel.search(east, 9, category=2)[0].tolist() == [5, 4]
    eligible = np.zeros(9, np.bool_)
    assert channel.search(east, 9, eligible=eligible)[0].tolist() == []
    eligible[[3, 4, 7]] = True
    assert channel.search(east, 9, eligible=eligible)[0].tolist() == [3, 4]
    assert channel.search(east, 9, eligible=eligible, category=2)[0].tolist() == [4]


def test_in_shards_the_same_is_recalled(tmp_path: Path) -> None:
    whole, parts = open_over(tmp_path / "whole"), open_over(tmp_path / "parts", shards=3)
    for triggers in ([1], [6, 1], [8]):
        assert recalled(parts, triggers) == recalled(whole, triggers)
    assert not (tmp_path / "parts" / "channel" / "pictures.faiss").exists()


def test_a_shop_without_pictures_has_no_such_channel(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, CATEGORIES)
    source = make_source(catalogue, [(1, 1, 2, 5)])
    with pytest.raises(NothingToRecall, match="no pictures"):
        build(source, tmp_path, SimilarLookSettings())


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    open_over(tmp_path)
    settings, folder = SimilarLookSettings(), tmp_path / "channel"
    (tmp_path / "small").mkdir()
    (tmp_path / "whole").mkdir()
    small = make_catalogue(tmp_path / "small", [1, 1])
    with pytest.raises(SnapshotError, match="names items that the catalogue does not have"):
        open_channel(folder, small, NO_INTERESTS, settings)
    whole = make_catalogue(tmp_path / "whole", CATEGORIES)
    PictureSpace(np.zeros(2, np.float32), np.ones((2, 3), np.float32)).save(folder)
    with pytest.raises(SnapshotError, match="in a space of 3"):
        open_channel(folder, whole, NO_INTERESTS, settings)
