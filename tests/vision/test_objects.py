"""Where things are in photos: made-up scenes, layers that learn from them, what stands out of a ground."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from protos.shopfront.v1 import visual_pb2
from recall.found_boxes import FoundBoxes, overlaps
from recall.object_head import COARSE, FINE, GRID, ObjectHead
from snapshot.manifest import SnapshotError
from testing.picture_shop import draw
from tests.vision.picture_shop import PictureShop
from vision.build_objects import object_head
from vision.composites import scene
from vision.fit_object_head import targets
from vision.photo_part import tapped
from vision.salience import foreground, salient_boxes
from vision.settings import PictureSettings

EDGES = st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 5), max_size=12)


def boxes_of(drawn: list[tuple[float, ...]]) -> FoundBoxes:
    rows = np.array(drawn, np.float32).reshape(-1, 5)
    edges = np.concatenate((np.sort(rows[:, [0, 2]], axis=1), np.sort(rows[:, [1, 3]], axis=1)), axis=1)
    return FoundBoxes(edges[:, [0, 2, 1, 3]], rows[:, 4])


@settings(max_examples=40, deadline=None)
@given(EDGES, st.integers(1, 5), st.floats(0.1, 0.9))
def test_no_box_that_is_kept_overlaps_a_surer_one(
    drawn: list[tuple[float, ...]], most: int, overlap: float
) -> None:
    boxes = boxes_of(drawn)
    kept = boxes.without_overlap(most, overlap)
    assert len(kept) <= most
    assert (np.diff(kept.confidence) <= 0).all()
    shared = overlaps(kept.edges, kept.edges)
    assert (shared[~np.eye(len(kept), dtype=bool)] <= overlap + 1e-6).all()
    if len(kept) < most:
        # What was left out overlaps a surer one that was kept.
        for edges, confidence in zip(boxes.edges, boxes.confidence, strict=True):
            surer = kept.edges[kept.confidence >= confidence]
            same = (kept.edges == edges).all(axis=1).any()
            assert same or (overlaps(edges[None], surer) > overlap - 1e-6).any()


def test_overlap_is_intersection_over_union() -> None:
    first = np.array([[0, 0, 1, 1], [0, 0, 0.5, 0.5]], np.float32)
    second = np.array([[0.5, 0.5, 1, 1], [0.25, 0, 0.75, 0.5]], np.float32)
    np.testing.assert_allclose(overlaps(first, second), [[0.25, 0.25], [0, 1 / 3]], atol=1e-6)


def test_a_scene_has_its_things_where_it_says() -> None:
    pictures = [draw(category, 5) for category in range(6)]
    random = np.random.default_rng(4)
    grey = Image.new("RGB", (128, 128), (120, 120, 120))
    found = 0
    for _ in range(12):
        pixels, boxes = scene(pictures, 128, random, grey)
        assert pixels.shape == (128, 128, 3)
        assert 1 <= len(boxes) <= 3
        assert ((boxes >= 0) & (boxes <= 1)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        marked = np.zeros((128, 128), bool)
        for left, top, right, bottom in np.round(boxes * 128).astype(int).tolist():
            marked[top:bottom, left:right] = True
        stands_out = foreground(pixels)
        # Nearly all that stands out of the grey lies in a box.
        found += (stands_out & marked).sum() >= 0.95 * stands_out.sum() > 0
    assert found >= 10
    again = scene(pictures, 128, np.random.default_rng(9))[0]
    np.testing.assert_array_equal(again, scene(pictures, 128, np.random.default_rng(9))[0])


def test_what_stands_out_of_a_plain_ground_is_found() -> None:
    image = Image.new("RGB", (300, 200), (230, 226, 220))
    pen = ImageDraw.Draw(image)
    pen.ellipse((30, 40, 130, 160), fill=(160, 30, 40))
    pen.rectangle((200, 60, 260, 120), fill=(20, 60, 150))
    found = salient_boxes(image)
    truth = np.array([[0.1, 0.2, 0.433, 0.8], [0.667, 0.3, 0.867, 0.6]], np.float32)
    assert len(found) == 2
    assert overlaps(found.edges, truth).max(axis=0).min() > 0.85
    assert len(salient_boxes(Image.new("RGB", (40, 40), (7, 7, 7)))) == 0


@pytest.mark.slow
def test_layers_learned_where_things_are_and_are_kept(picture_shop: PictureShop, tmp_path: Path) -> None:
    head = picture_shop.pictures.objects
    assert head is not None
    # Of scenes held out; the whole scene would overlap a thing by less than a quarter.
    assert head.overlap > 0.4
    assert "the surest box overlaps one by" in picture_shop.printed
    head.save(tmp_path)
    again = ObjectHead.open(tmp_path)
    assert again is not None
    random = np.random.default_rng(8)
    fine = random.standard_normal((FINE, GRID, GRID), np.float32)
    coarse = random.standard_normal((COARSE, GRID // 2, GRID // 2), np.float32)
    before, after = (each.find(fine, coarse, 5, 0.01) for each in (head, again))
    assert len(before) > 0
    np.testing.assert_array_equal(before.edges, after.edges)
    assert ((before.edges >= 0) & (before.edges <= 1)).all()
    assert (before.edges[:, 2:] > before.edges[:, :2]).all()
    assert len(head.find(fine, coarse, 5, 1.0)) == 0
    replace(head, weights={**head.weights, "last_bias": np.full(5, np.nan, np.float32)}).save(tmp_path)
    with pytest.raises(SnapshotError):
        ObjectHead.open(tmp_path)
    assert ObjectHead.open(tmp_path / "nowhere") is None


@pytest.mark.slow
def test_layers_are_learned_once_for_an_encoder(picture_shop: PictureShop) -> None:
    class Once:
        name, side = "another", 224
        asked = 0

        def encode(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise AssertionError("features are not asked for")

        def maps(self, squares: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            self.asked += len(squares)
            return (
                np.ones((len(squares), FINE, GRID, GRID), np.float32),
                np.ones((len(squares), COARSE, GRID // 2, GRID // 2), np.float32),
            )

    settings = PictureSettings(object_scenes=24, object_steps=2)
    encoder, items = Once(), picture_shop.dataset.items()
    folder = picture_shop.workspace.root / "kept"
    arguments = (items, picture_shop.data, folder, encoder)
    first, second = (object_head(*arguments, settings, 1, lambda *told: None) for _ in range(2))
    assert encoder.asked == 24
    assert first is not None
    assert second is not None
    assert first.overlap == pytest.approx(second.overlap)
    assert object_head(*arguments, PictureSettings(object_scenes=0), 1, lambda *told: None) is None
    few = (items.head(5), picture_shop.data, folder, encoder)
    assert object_head(*few, settings, 1, lambda *told: None) is None


def test_every_thing_has_a_place_that_is_its_own() -> None:
    boxes = np.array([[0.1, 0.1, 0.9, 0.9], [0.4, 0.4, 0.44, 0.44]], np.float32)
    sure, edges = targets(boxes)
    for box in boxes:
        assert (edges[sure == 1] == box).all(axis=1).any()
    assert sure[0] == 0
    assert np.isnan(sure).any()


def test_a_tap_means_the_smallest_thing_there_or_what_lies_around() -> None:
    found = FoundBoxes(
        np.array([[0, 0, 1, 1], [0.2, 0.2, 0.4, 0.4]], np.float32), np.array([0.9, 0.5], np.float32)
    )
    inner = tapped(found, visual_pb2.Point(x=0.3, y=0.3))
    assert (inner.left, inner.bottom) == pytest.approx((0.2, 0.4))
    assert tapped(found, visual_pb2.Point(x=0.9, y=0.9)).right == 1
    around = tapped(found.take(np.empty(0, np.int64)), visual_pb2.Point(x=0.1, y=0.6))
    assert (around.left, around.top, around.right, around.bottom) == pytest.approx((0, 0.35, 0.5, 0.85))
