from pathlib import Path

import pytest
from pydantic import ValidationError

from foundation.storage.errors import StorageError
from state import StateSettings, open_state


@pytest.mark.parametrize("url", ["memcached://localhost:11211", "/srv/state", "LMDB://x", ""])
def test_an_unknown_scheme_names_those_known(url: str) -> None:
    with pytest.raises(
        StorageError, match="known are: lmdb://, redis://, rediss://, unix://, valkey://, valkeys://"
    ):
        open_state(StateSettings(url=url))


def test_a_url_without_a_place_is_refused() -> None:
    with pytest.raises(StorageError, match="names no place"):
        open_state(StateSettings(url="lmdb://"))


def test_places_are_absolute_or_below_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_state(StateSettings(url="lmdb://near/state")).close()
    open_state(StateSettings(url=f"lmdb://{tmp_path}/far")).close()
    assert (tmp_path / "near/state/data.mdb").exists()
    assert (tmp_path / "far/data.mdb").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(StorageError, match="cannot open user state in"):
        open_state(StateSettings(url=f"lmdb://{tmp_path}/state"))


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match="map_initial_bytes"):
        StateSettings(map_initial_bytes=1 << 30, map_max_bytes=1 << 20)
    with pytest.raises(ValidationError, match="Extra inputs"):
        StateSettings(pth="x")
