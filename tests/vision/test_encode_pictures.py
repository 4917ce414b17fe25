"""Pictures of items: read, decoded, encoded once per content, also by a build that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recall.item_pictures import ItemPictures
from snapshot.columns import save_column
from snapshot.manifest import SnapshotError
from testing.picture_shop import draw, jpeg, write_picture_shop
from tests.vision.pictures import BAD
from tests.vision.plain_encoder import PlainEncoder, encode
from vision.fit_space import fit_space
from vision.item_files import count_pictures, item_pictures
from vision.near_identical import near_identical
from vision.settings import PictureLimits, PictureSettings

PICTURED = 60
LIMITS = PictureLimits()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "data"
    write_picture_shop(folder, users=20, items=80, events=400, pictured=PICTURED)
    return folder


def test_every_usable_picture_is_encoded_and_every_other_counted(data: Path, tmp_path: Path) -> None:
    done = encode(data, tmp_path / "cache", PlainEncoder())
    assert done.items.tolist() == list(range(1, PICTURED - 4))
    assert done.features.shape == (PICTURED - 5, 192)
    assert done.encoded == PICTURED - 5
    assert sorted(done.refused) == [
        "damaged",
        "no_file: there is no such file",
        "outside: the path leaves the data folder",
        "unknown_format",
        "url: addresses are not fetched, bring the file",
    ]
    assert set(done.refused.values()) == {1}
    again = encode(data, tmp_path / "cache", PlainEncoder(survives=0))
    assert again.encoded == 0
    np.testing.assert_array_equal(again.features, done.features)
    assert again.refused == done.refused


def test_a_killed_build_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.vision.plain_encoder", str(data), str(tmp_path / "cache"), "2"]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    encoder = PlainEncoder()
    resumed = encode(data, tmp_path / "cache", encoder)
    assert resumed.encoded == PICTURED - 5 - 32
    clean = encode(data, tmp_path / "other", PlainEncoder())
    np.testing.assert_array_equal(resumed.items, clean.items)
    np.testing.assert_array_equal(resumed.features, clean.features)


def test_features_of_another_encoder_are_not_taken(data: Path, tmp_path: Path) -> None:
    encode(data, tmp_path / "cache", PlainEncoder())
    other = PlainEncoder()
    other.name = "other"
    assert encode(data, tmp_path / "cache", other).encoded == PICTURED - 5


def test_one_content_of_many_items_is_encoded_once(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(draw(0, 0)))
    (tmp_path / "b.jpg").write_bytes(jpeg(draw(1, 0)))
    pl.DataFrame({"item_id": ["x", "y", "z"], "image": ["a.jpg|b.jpg", " a.jpg ", None]}).write_csv(
        tmp_path / "items.csv"
    )
    done = encode(tmp_path, tmp_path / "cache", PlainEncoder())
    assert done.items.tolist() == [1, 1, 2]
    assert done.encoded == 2
    np.testing.assert_array_equal(done.features[0], done.features[2])
    assert encode(tmp_path, tmp_path / "cache", PlainEncoder(), per_item=1).items.tolist() == [1, 2]


def test_pictures_may_be_bytes_or_lists(tmp_path: Path) -> None:
    content = jpeg(draw(2, 2))
    (tmp_path / "a.jpg").write_bytes(content)
    for values in ([content, None], [["a.jpg", "a.jpg"], []], [[content, content], None]):
        items = pl.DataFrame({"item": [1, 2], "image": values}, strict=False)
        found = list(item_pictures(items, tmp_path, 2, LIMITS))
        assert len(found) == count_pictures(items, 2) in (1, 2)
        assert {(each.item, each.content) for each in found} == {(1, content)}
    with pytest.raises(ValueError, match="is of type Int64; bring paths"):
        list(item_pictures(pl.DataFrame({"item": [1], "image": [7]}), tmp_path, 2, LIMITS))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/etc/passwd", "outside"),
        ("../x.jpg", "outside"),
        ("folder", "no_file"),
        ("a\0b.jpg", "unreadable"),
        ("ftp://host/x.jpg", "url"),
        ("large.jpg", "too_many_bytes"),
        ("x" * 5_000, "unreadable"),
    ],
)
def test_a_path_that_cannot_be_read_has_a_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "large.jpg").write_bytes(bytes(2_000))
    items = pl.DataFrame({"item": [1], "image": [text]})
    (found,) = item_pictures(items, tmp_path, 5, PictureLimits(bytes=1024))
    assert found.content == b""
    assert found.missing.startswith(reason)


def test_nothing_usable_gives_nothing(tmp_path: Path) -> None:
    for name, (_, content) in BAD.items():
        (tmp_path / f"{name}.jpg").write_bytes(content)
    pl.DataFrame(
        {"item_id": list(BAD), "image": [f"{name}.jpg" for name in BAD]},
    ).write_csv(tmp_path / "items.csv")
    done = encode(tmp_path, tmp_path / "cache", PlainEncoder(survives=0))
    assert len(done.items) == 0
    assert set(done.refused) == {reason for reason, _ in BAD.values()}


def test_nearly_identical_items_form_a_group(data: Path, tmp_path: Path) -> None:
    done = encode(data, tmp_path / "cache", PlainEncoder())
    groups = near_identical(done, 80, PictureSettings())
    assert len(groups) == 81
    assert groups[0] == 0
    twins = groups[1:21].reshape(10, 2)
    assert (twins[:, 0] == twins[:, 1]).all()
    assert (twins > 0).all()


def test_what_is_written_is_read(data: Path, tmp_path: Path) -> None:
    done = encode(data, tmp_path / "cache", PlainEncoder())
    space = fit_space(done.features, 16, 0)
    pictures = ItemPictures(
        done.items, space.project(done.features), space, np.zeros(81, np.int32), done.contents
    )
    pictures.save(tmp_path)
    read = ItemPictures.open(tmp_path)
    for name in ("items", "vectors", "groups"):
        np.testing.assert_array_equal(getattr(read, name), getattr(pictures, name))
    np.testing.assert_allclose(read.space.project(done.features), pictures.vectors, atol=1e-5)
    # A space that was written before there were colours compares features alone.
    (tmp_path / "space_colours.npy").unlink()
    assert ItemPictures.open(tmp_path).space.colours == 0
    save_column(tmp_path, "space_colours", np.array([192], np.int32))
    with pytest.raises(SnapshotError, match="says 192 of a look of 192"):
        ItemPictures.open(tmp_path)
    (tmp_path / "space_matrix.npy").write_bytes(b"torn")
    with pytest.raises(SnapshotError, match="space_matrix"):
        ItemPictures.open(tmp_path)
