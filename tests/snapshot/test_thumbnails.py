"""Small pictures come back byte for byte, and files that do not go together are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snapshot.columns import save_column
from snapshot.manifest import SnapshotError
from snapshot.thumbnails import MAX_BYTES, THUMBNAILS_FOLDER, Thumbnails, copy_thumbnails, save_thumbnails


def test_pictures_come_back_by_their_items(tmp_path: Path) -> None:
    pictures = {7: b"seven", 2: b"two", 9: b"x" * 1_000}
    save_thumbnails(tmp_path, pictures)
    (tmp_path / "snapshot").mkdir()
    copy_thumbnails(tmp_path, tmp_path / "snapshot")
    opened = Thumbnails.open(tmp_path / "snapshot" / THUMBNAILS_FOLDER)
    assert opened is not None
    assert {item: opened.read(item) for item in (2, 7, 9)} == pictures
    assert {opened.read(item) for item in (0, 1, 3, 8, 10)} == {b""}
    assert opened.has(np.array([0, 2, 3, 9], np.int32)).tolist() == [False, True, False, True]


def test_a_shop_without_pictures_has_none(tmp_path: Path) -> None:
    assert Thumbnails.open(tmp_path / THUMBNAILS_FOLDER) is None
    save_thumbnails(tmp_path, {})
    opened = Thumbnails.open(tmp_path)
    assert opened is not None
    assert opened.read(1) == b""


def test_what_is_too_large_or_torn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at most"):
        save_thumbnails(tmp_path, {1: b"x" * (MAX_BYTES + 1)})
    save_thumbnails(tmp_path, {1: b"abc"})
    save_column(tmp_path, "thumbnail_ends", np.array([4], np.int64))
    with pytest.raises(SnapshotError, match="does not fit"):
        Thumbnails.open(tmp_path)
