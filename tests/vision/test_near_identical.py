"""Pictures that are one photograph are one group, also where codes alone would not say so."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

from testing.picture_shop import draw, jpeg
from tests.vision.plain_encoder import PlainEncoder, encode, items_of
from vision.encode_pictures import EncodedPictures
from vision.near_identical import PhotographComparison, near_identical
from vision.same_picture import difference, small_copy
from vision.settings import PictureSettings


def cropped(image: Image.Image, left: float, top: float) -> Image.Image:
    side = round(image.width * 0.85)
    x, y = round(left * image.width), round(top * image.height)
    return image.crop((x, y, x + side, y + side))


def marked(image: Image.Image) -> Image.Image:
    copy = image.copy()
    ImageDraw.Draw(copy).rectangle((0, 40, image.width, 49), fill=(20, 200, 90))
    return copy


def recompressed(image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(jpeg(image, 40))).convert("RGB")


def test_a_changed_copy_differs_less_than_another_picture() -> None:
    category = 2
    image = draw(category, 7)
    copies = {
        "same": image,
        "half": image.resize((48, 48), Image.Resampling.BICUBIC),
        "compressed": recompressed(image),
        "marked": marked(image),
        "brighter": image.point(lambda value: min(255, round(value * 0.92))),
        "cropped": cropped(image, 0.1, 0.03),
    }
    small = small_copy(image)
    apart = {name: difference(small, small_copy(copy)) for name, copy in copies.items()}
    assert apart["same"] == 0
    others = [difference(small, small_copy(draw(category, seed))) for seed in (8, 9)]
    assert max(apart.values()) < min(others) / 2
    assert max(apart[name] for name in apart if name != "cropped") < 0.01
    for copy in copies.values():
        there, back = difference(small, small_copy(copy)), difference(small_copy(copy), small)
        assert there == pytest.approx(back, rel=1e-4, abs=1e-6)


def test_blank_pictures_are_one_and_differ_from_others() -> None:
    white, grey = (small_copy(Image.new("RGB", (40, 40), (each,) * 3)) for each in (255, 120))
    assert difference(white, white) == 0
    assert difference(white, grey) > 0.5
    assert difference(white, small_copy(draw(1, 3))) > 0.1


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Items 1…4: a picture, its marked copy, another picture and its own, which is gone when looked at."""
    image = draw(1, 7)
    pictures = (image, marked(image), draw(1, 8), marked(draw(1, 8)))
    for row, each in enumerate(pictures):
        (tmp_path / f"{row}.png").write_bytes(jpeg(each, 95))
    names = [f"{row}.png" for row in range(4)]
    pl.DataFrame({"item_id": names, "image": names}).write_csv(tmp_path / "items.csv")
    return tmp_path


def groups(
    shop: Path, encoded: EncodedPictures, settings: PictureSettings
) -> tuple[list[int], PhotographComparison]:
    photographs = PhotographComparison.of(encoded, items_of(shop), shop, settings)
    return near_identical(encoded, 4, settings, photographs.same).tolist(), photographs


def test_doubtful_pictures_are_looked_at(shop: Path, tmp_path: Path) -> None:
    encoded = encode(shop, tmp_path / "cache", PlainEncoder())
    # No code alone is near enough.
    settings = PictureSettings(
        identical_bits=0, structure_bits=0, doubtful_bits=255, doubtful_structure_bits=255
    )
    (shop / "3.png").unlink()
    found, photographs = groups(shop, encoded, settings)
    assert found == [0, 1, 1, 0, 0]
    assert photographs.asked == 6
    none = settings.model_copy(update={"compared_pairs": 0})
    assert groups(shop, encoded, none)[0] == [0] * 5
    # A file that was replaced since is not what was encoded.
    (shop / "1.png").write_bytes((shop / "0.png").read_bytes())
    assert groups(shop, encoded, settings)[0] == [0] * 5
    assert np.asarray(near_identical(encoded, 4, settings)).tolist() == [0] * 5
