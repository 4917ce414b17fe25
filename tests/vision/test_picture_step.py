"""From a shop's folder to vectors, groups and the channel, through the real steps and the real encoder."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recall.build import RECALL_FOLDER, open_channels
from recall.settings import RecallSettings
from recall.similar_look import NAME, SimilarLook
from shopfront import picture_step
from shopfront.settings import default_settings
from snapshot.dataset import ITEMS_WITH_PICTURES
from snapshot.store import SnapshotStore
from snapshot.thumbnails import Thumbnails
from testing.served_shop import ServedShop
from tests.recall.small_shop import NO_INTERESTS, make_query
from tests.vision.conftest import ITEMS, PICTURED, PictureShop, make_pictures
from vision.thumbnails import make_thumbnails

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_step_reports_what_became_of_the_pictures(picture_shop: PictureShop) -> None:
    assert picture_shop.dataset.manifest.rows[ITEMS_WITH_PICTURES] == PICTURED
    usable = PICTURED - 5
    assert f"{usable} pictures of {usable} items, {usable} encoded now" in picture_shop.printed
    for reason in ("damaged", "unknown_format", "no_file", "outside", "url"):
        assert f"1 × {reason}" in picture_shop.printed


def test_a_second_build_encodes_nothing_again(picture_shop: PictureShop) -> None:
    made, printed = make_pictures(
        picture_shop.workspace, picture_shop.data, picture_shop.dataset, picture_shop.repository
    )
    assert ", 0 encoded now" in printed
    again = picture_step.opened(picture_shop.workspace, made)
    assert again is not None
    np.testing.assert_array_equal(again.vectors, picture_shop.pictures.vectors)


def test_usable_pictures_are_kept_small_for_people(picture_shop: PictureShop) -> None:
    kept = Thumbnails.open(picture_shop.thumbnails)
    assert kept is not None
    assert kept.items.tolist() == picture_shop.pictures.items.tolist()
    for item in kept.items[:5].tolist():
        content = kept.read(item)
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.size) == ("JPEG", (96, 96))
    catalogue, settings = picture_shop.dataset.catalogue, default_settings().pictures
    few = settings.model_copy(update={"thumbnails": 3, "thumbnail_side": 32})
    items, used = picture_shop.dataset.items(), picture_shop.pictures.items
    made = make_thumbnails(items, used, catalogue.popularity, picture_shop.data, few)
    named = picture_shop.pictures.items.tolist()
    best = sorted(named, key=lambda item: -catalogue.popularity[item])[:3]
    assert set(made) == set(best)
    assert all(max(Image.open(io.BytesIO(content)).size) == 32 for content in made.values())


def test_twins_are_one_group_and_look_alike(picture_shop: PictureShop) -> None:
    catalogue = picture_shop.dataset.catalogue
    numbers = catalogue.dense([f"i{row:04d}" for row in range(20)]).reshape(10, 2)
    pictures = picture_shop.pictures
    groups = pictures.groups[numbers]
    assert (groups[:, 0] == groups[:, 1]).all()
    assert (groups > 0).all()
    row = {int(item): at for at, item in reversed(list(enumerate(pictures.items)))}
    likeness = [float(pictures.vectors[row[a]] @ pictures.vectors[row[b]]) for a, b in numbers.tolist()]
    assert min(likeness) > 0.8


def test_a_snapshot_recalls_by_looks_and_has_the_groups(tmp_path: Path, picture_shop: PictureShop) -> None:
    served = ServedShop(tmp_path, picture_shop.dataset)
    id = served.publish(models={"bst": 1, "mind": 1, "picture_encoder": 1}, pictures=picture_shop.pictures)
    snapshot = SnapshotStore(served.folder / "snapshots").open(id)
    np.testing.assert_array_equal(snapshot.catalogue.picture_group, picture_shop.pictures.groups)
    assert snapshot.catalogue.code_count("picture_group") == picture_shop.pictures.groups.max()
    channels = open_channels(
        snapshot.path / RECALL_FOLDER, snapshot.catalogue, NO_INTERESTS, RecallSettings()
    )
    channel = channels[NAME]
    assert isinstance(channel, SimilarLook)
    first, twin = snapshot.catalogue.dense(["i0002", "i0003"])
    found, _, _ = channel.search(channel.vectors_of(np.array([first]))[1][0], 3)
    sold = [item for item in (first, twin) if snapshot.catalogue.in_stock[item]]
    assert found[: len(sold)].tolist() == sold
    query = replace(make_query(triggers=[int(first)]), now=0)
    assert first not in asyncio.run(channel.recall(query, 10)).items


def test_a_shop_without_pictures_goes_without_and_says_why(tmp_path: Path, picture_shop: PictureShop) -> None:
    manifest = picture_shop.dataset.manifest
    settings = default_settings()
    assert picture_step.why_none(settings, manifest) == ""
    off = settings.model_copy(update={"pictures": settings.pictures.model_copy(update={"enabled": False})})
    assert picture_step.why_none(off, manifest) == "pictures.enabled is false"
    served = ServedShop(tmp_path, picture_shop.dataset)
    snapshot = served.snapshots.open(served.publish())
    assert "pictures" in (snapshot.path / RECALL_FOLDER / NAME / "switched_off.txt").read_text()
    assert snapshot.catalogue.picture_group.tolist() == [0] * (ITEMS + 1)
    assert not (snapshot.path / "catalogue" / "picture_group.npy").exists()


def test_the_extra_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, picture_shop: PictureShop
) -> None:
    monkeypatch.setattr(picture_step, "find_spec", lambda name: None)
    reason = picture_step.why_none(default_settings(), picture_shop.dataset.manifest)
    assert "install the extra `vision`" in reason
