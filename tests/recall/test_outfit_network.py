"""The network of outfits, on sets of a made-up style: it is taught, judged by sets held out, and served."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recall.item_pictures import ItemPictures
from recall.outfit import build, open_channel
from recall.outfit_network import first_pictures, pairs_of, train
from recall.outfit_sets import OutfitSets
from recall.outfit_settings import OutfitSettings
from recall.outfit_slots import NETWORK, Outfit
from recall.picture_space import PictureSpace
from snapshot.catalogue import Catalogue
from tests.recall.small_shop import NO_INTERESTS, make_catalogue, make_source

CATEGORIES, PER_CATEGORY, STYLES, DIMENSIONS = 3, 100, 10, 16
SIZE = CATEGORIES * PER_CATEGORY
STYLE = np.arange(SIZE + 1) % STYLES
"""Of each item, of which its picture shows a trace that is another one in each category."""
BARE = 7
"""An item without a picture."""


def pictures_of(catalogue: Catalogue) -> ItemPictures:
    random = np.random.default_rng(1)
    traces = random.standard_normal((CATEGORIES + 1, STYLES, DIMENSIONS))
    category = np.asarray(catalogue.category)
    items = np.setdiff1d(np.arange(1, SIZE + 1), [BARE]).astype(np.int32)
    vectors = traces[category[items], STYLE[items]] + 0.5 * random.standard_normal((len(items), DIMENSIONS))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    space = PictureSpace(np.zeros(DIMENSIONS, np.float32), np.eye(DIMENSIONS, dtype=np.float32))
    contents = np.zeros((len(items), 2), np.uint64)
    return ItemPictures(items, vectors, space, np.zeros(SIZE + 1, np.int32), contents)


def made_sets(count: int, of_style: bool) -> OutfitSets:
    """Sets of an item of each category, all of one style or of any."""
    random = np.random.default_rng(2)
    rows = []
    for _ in range(count):
        style = random.integers(0, STYLES)
        for category in range(CATEGORIES):
            items = np.arange(category * PER_CATEGORY + 1, (category + 1) * PER_CATEGORY + 1)
            rows.append(random.choice(items[STYLE[items] == style] if of_style else items))
    return OutfitSets(np.repeat(np.arange(count, dtype=np.int32), CATEGORIES), np.array(rows, np.int32))


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return make_catalogue(tmp_path, np.repeat(np.arange(1, CATEGORIES + 1), PER_CATEGORY).tolist())


def opened(folder: Path, catalogue: Catalogue, sets: OutfitSets, network_from: int) -> Outfit:
    source = replace(make_source(catalogue, []), outfits=sets, pictures=pictures_of(catalogue))
    settings = OutfitSettings(network_from=network_from)
    channel = folder / "channel"
    channel.mkdir()
    build(source, channel, settings)
    return open_channel(channel, catalogue, NO_INTERESTS, settings)


def evidence(channel: Outfit, items: NDArray[np.integer]) -> Counter[str]:
    return Counter(
        why for item in items.tolist() for _, slot in channel.slots_of(item) for why in slot.evidence
    )


def test_sets_of_a_style_teach_what_goes_with_items_that_no_set_has(
    tmp_path: Path, catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    sets = made_sets(120, True)
    kept = sets.item != BARE
    sets = OutfitSets(sets.number[kept], sets.item[kept])
    with caplog.at_level(logging.INFO, "recall.outfit_build"):
        channel = opened(tmp_path, catalogue, sets, 100)
    assert "the network is kept" in caplog.text
    alone = np.setdiff1d(np.arange(1, SIZE + 1), np.append(sets.item, BARE))[:40]
    assert len(alone) >= 20
    right = []
    for item in alone.tolist():
        assert len(channel.slots_of(item)) == CATEGORIES - 1
        for _, slot in channel.slots_of(item):
            assert set(slot.evidence) == {"network"}
            right.append((STYLE[slot.items] == STYLE[item]).mean())
            assert channel.evidence_of(item, slot.items) == slot.evidence
    # One of ten by chance.
    assert np.mean(right) > 0.6
    # What has no picture is matched by rule, and comes after what has one.
    assert set(evidence(channel, np.array([BARE]))) == {"rules"}
    assert channel.evidence_of(PER_CATEGORY + 1, np.array([BARE], np.int32)) == ["rules"]
    # Of two items that are in one set, that says so still.
    first, second = sets.item[:2].tolist()
    assert channel.evidence_of(first, np.array([second], np.int32)) == ["sets"]


@pytest.mark.parametrize(
    ("of_style", "network_from"), [(False, 100), (True, 121), (True, 0)], ids=["no style", "few", "off"]
)
def test_without_a_style_or_enough_sets_there_is_no_network(
    tmp_path: Path, catalogue: Catalogue, of_style: bool, network_from: int
) -> None:
    channel = opened(tmp_path, catalogue, made_sets(120, of_style), network_from)
    assert not (tmp_path / "channel" / f"{NETWORK}.npy").exists()
    assert set(evidence(channel, np.arange(1, 40))) <= {"sets", "rules"}


def test_training_is_repeatable_and_leaves_torch_as_it_was(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr("recall.outfit_network._STEPS", 10)
    pictures = pictures_of(catalogue)
    rows = first_pictures(pictures.items, SIZE)
    pairs = pairs_of(made_sets(20, True), np.asarray(catalogue.category), rows >= 0)
    before = torch.get_rng_state()
    first, second = (train(pairs, rows, pictures.vectors, catalogue, 3) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert (first == second).all()
    assert not first[BARE].any()
    np.testing.assert_allclose(np.linalg.norm(first[pictures.items], axis=1), 1, atol=1e-5)


def test_pairs_are_of_one_set_and_two_categories() -> None:
    category = np.array([0, 1, 1, 2, 0], np.int32)
    sets = OutfitSets(np.array([0, 0, 0, 1, 1, 2, 2], np.int32), np.array([1, 2, 3, 3, 4, 1, 2], np.int32))
    pairs = pairs_of(sets, category, np.ones(5, np.bool_))
    rows = zip(pairs.set.tolist(), pairs.item.tolist(), pairs.other.tolist(), strict=True)
    assert set(rows) == {(0, 1, 3), (0, 3, 1), (0, 2, 3), (0, 3, 2)}
    assert not len(pairs_of(sets, category, np.zeros(5, np.bool_)).set)
    assert first_pictures(np.array([2, 2, 4], np.int32), 4).tolist() == [-1, -1, 0, -1, 2]
