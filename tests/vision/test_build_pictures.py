"""Pictures of files and pictures that arrived are grouped by one rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from recall.item_pictures import ItemPictures
from state.picture_changes import PictureChange
from testing.picture_shop import draw, jpeg
from tests.vision.plain_encoder import FEATURES, PlainEncoder, items_of
from vision import build_pictures
from vision.colours import COLOURS
from vision.look import make_looks
from vision.picture_records import encode_record
from vision.received_pictures import Received
from vision.same_picture import small_copy
from vision.settings import PictureSettings
from vision.square import square
from vision.structure import structure


def put(item: int, image: Image.Image, encoder: PlainEncoder, maker: bytes) -> tuple[int, PictureChange]:
    features = encoder.encode(square(image, encoder.side)[None])[0]
    record = encode_record(maker, features, structure(image), small_copy(image))
    return item, PictureChange(item, bytes([item] * 16), record, item)


def test_a_picture_that_arrived_joins_the_group_of_its_photograph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_pictures, "FEATURES", FEATURES)
    encoder, image = PlainEncoder(), draw(1, 7)
    cropped, marked = image.crop((10, 3, 92, 85)), image.copy()
    ImageDraw.Draw(marked).rectangle((0, 40, 96, 49), fill=(20, 200, 90))
    for row, each in enumerate((image, cropped, draw(1, 8))):
        (tmp_path / f"{row}.jpg").write_bytes(jpeg(each, 95))
    names = [f"{row}.jpg" for row in range(3)]
    pl.DataFrame({"item_id": names, "image": names}).write_csv(tmp_path / "items.csv")
    cache = build_pictures.open_cache(tmp_path / "cache", encoder)
    maker = cache.maker
    cache.close()
    received = Received((put(4, marked, encoder, maker), put(5, draw(1, 9), encoder, maker)), 5)
    (tmp_path / "made").mkdir()
    report = build_pictures.build_pictures(
        items_of(tmp_path),
        5,
        tmp_path,
        tmp_path / "cache",
        tmp_path / "made",
        encoder,
        PictureSettings(compared_bits=255),
        0,
        lambda what, done, parts: None,
        received=received,
    )
    assert (report.received, report.foreign) == (2, 0)
    assert (report.groups, report.grouped) == (1, 3)
    made = ItemPictures.open(tmp_path / "made")
    assert made.groups.tolist() == [0, 1, 1, 0, 1, 0]
    # Pictures are compared by their colours too, those that arrived by their small copies.
    assert (made.space.features, made.space.colours) == (FEATURES, COLOURS)
    for item, image in ((4, marked), (5, draw(1, 9))):
        features = encoder.encode(square(image, encoder.side)[None]).astype(np.float16).astype(np.float32)
        look = make_looks(features, small_copy(image)[None], COLOURS)
        np.testing.assert_allclose(made.vectors[made.items == item], made.space.project(look), atol=1e-4)


def test_colours_tell_apart_what_features_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_pictures, "FEATURES", FEATURES)
    colours = {"red": (220, 30, 60), "crimson": (210, 20, 50), "blue": (30, 60, 220), "navy": (20, 50, 205)}
    for name, colour in colours.items():
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(Image.new("RGB", (64, 64), colour), 95))
    pl.DataFrame({"item_id": list(colours), "image": [f"{each}.jpg" for each in colours]}).write_csv(
        tmp_path / "items.csv"
    )

    class Blind(PlainEncoder):
        """Sees nearly the same in every picture."""

        def encode(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
            return (1 + 1e-3 * np.eye(len(squares), FEATURES)).astype(np.float32)

    likeness = []
    for number, weight in enumerate((0.0, 0.5)):
        folder = tmp_path / f"made{number}"
        folder.mkdir()
        settings = PictureSettings(colour_weight=weight, dimensions=8)
        build_pictures.build_pictures(
            items_of(tmp_path), 4, tmp_path, tmp_path / "cache", folder, Blind(), settings, 0, lambda *_: None
        )
        made = ItemPictures.open(folder)
        assert made.space.colours == (COLOURS if weight else 0)
        likeness.append(made.vectors @ made.vectors.T)
    alone, beside = likeness
    assert alone[0, 1] == pytest.approx(alone[0, 2], abs=0.01)
    assert beside[0, 1] > 0.9
    assert beside[0, 2] < 0
    assert beside[2, 3] > 0.9
