"""Pictures of files and pictures that arrived are grouped by one rule."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from PIL import Image, ImageDraw

from recall.item_pictures import ItemPictures
from state.picture_changes import PictureChange
from testing.picture_shop import draw, jpeg
from tests.vision.plain_encoder import FEATURES, PlainEncoder, items_of
from vision import build_pictures
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
    assert ItemPictures.open(tmp_path / "made").groups.tolist() == [0, 1, 1, 0, 1, 0]
