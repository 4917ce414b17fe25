"""Answers of the feature log as they were made: which are found, newest first, and what is told of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from foundation.telemetry.logs.user_ids import UserIds
from inspection.logged_pages import LoggedPages
from protos.shopfront.v1.admin_pb2 import ListLoggedPagesRequest
from snapshot import Catalogue, write_catalogue
from state.feature_log.log_file import FeatureLogFile
from state.feature_log.logged_page import LoggedPage, encode
from tests.snapshot.contents import columns

IDS = UserIds("salt")


@dataclass
class Engine:
    """As much of an engine as is asked for."""

    catalogue: Catalogue
    snapshot_id: str = "s1"
    scenes: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    write_catalogue(tmp_path / "catalogue", ["i1", "i2"], columns(2), {}, {"gender": ["f", "m"]})
    logged, quiet = (SimpleNamespace(feature_log=SimpleNamespace(enabled=on)) for on in (True, False))
    return Engine(Catalogue.open(tmp_path / "catalogue"), scenes={"home": logged, "cart": quiet})


def page(request: str, ts: int, scene: str = "home", user: str = "", **more: Any) -> bytes:
    plain: dict[str, Any] = {
        "attribution_token": "t",
        "request_id": request,
        "scene": scene,
        "user": IDS(user),
        "ts": ts,
        "snapshot_id": "s1",
        "model_name": "bst",
        "model_version": "4",
        "arms": {"x": "b"},
        "channel_names": ["hot", "mind", "ranki2i"],
        "history_length": 3,
        "profile_codes": np.array([2, 0, 0, 9], np.int32),
        "context_codes": np.zeros(3, np.int32),
        "item_ids": ["i2", "gone"],
        "scores": np.array([0.5, np.nan], np.float32),
        "recall_scores": np.array([2.0, 1.0], np.float32),
        "channels": np.array([0b101, 0b010], np.uint32),
        "columns": {"triton.score": np.array([0.5, np.nan], np.float32)},
        "propensities": np.array([np.nan, 0.25]),
    }
    return encode(LoggedPage(**(plain | more)))


@pytest.fixture
def log(tmp_path: Path) -> LoggedPages:
    """Two replicas' files, the second still written, and one that is none."""
    files = {
        "a": [page("r1", 100, user="u1"), page("r2", 102), page("r3", 104, scene="cart", user="u1")],
        "b": [page("r4", 101, user="u2"), page("r5", 105)],
    }
    for name, entries in files.items():
        file = FeatureLogFile(tmp_path / f"features-{name}.features", 2**20)
        for entry in entries:
            file.append(entry)
        file.close()
    with (tmp_path / "features-b.features").open("ab") as torn:
        torn.write(b"\x10\0\0\0half")
    for name, written in (("a", 104), ("b", 105)):
        os.utime(tmp_path / f"features-{name}.features", (written, written))
    return LoggedPages(tmp_path, IDS)


@pytest.mark.parametrize(
    ("asked", "limit", "found"),
    [
        ({}, 10, ["r5", "r3", "r2", "r4", "r1"]),
        ({}, 2, ["r5", "r3"]),
        ({}, 1, ["r5"]),
        ({"scene": "cart"}, 10, ["r3"]),
        ({"user_id": "u1"}, 10, ["r3", "r1"]),
        ({"user_id": "nobody"}, 10, []),
        ({"request_id": "r4"}, 10, ["r4"]),
        ({"before": 104}, 2, ["r2", "r4"]),
        ({"before": 100}, 2, []),
    ],
)
def test_the_newest_of_those_asked_for_are_found(
    log: LoggedPages, engine: Engine, asked: dict[str, Any], limit: int, found: list[str]
) -> None:
    answer = log.listed(engine, limit, ListLoggedPagesRequest(**asked))  # type: ignore[arg-type]
    assert [each.request_id for each in answer.pages] == found
    assert list(answer.logged_scenes) == ["home"]
    assert not answer.truncated


def test_a_request_is_told_with_why_its_items_are_there(log: LoggedPages, engine: Engine) -> None:
    (found,) = log.listed(engine, 10, ListLoggedPagesRequest(request_id="r4")).pages  # type: ignore[arg-type]
    assert (found.user, found.model_name, dict(found.arms)) == (IDS("u2"), "bst", {"x": "b"})
    assert dict(found.profile) == {"gender": "m"}
    first, gone = found.items
    assert (first.item.item_id, list(first.channels), first.recall_score) == ("i2", ["hot", "ranki2i"], 2.0)
    assert (dict(first.scores), first.HasField("propensity")) == ({"triton.score": 0.5}, False)
    assert (gone.item.item_id, gone.item.title, list(gone.channels)) == ("gone", "", ["mind"])
    assert np.isnan(gone.score)
    assert gone.propensity == 0.25
    (short, *_) = log.listed(engine, 1, ListLoggedPagesRequest()).pages  # type: ignore[arg-type]
    assert not short.items[0].channels


def test_a_profile_of_another_snapshot_is_not_guessed(log: LoggedPages, engine: Engine) -> None:
    engine.snapshot_id = "s2"
    (found,) = log.listed(engine, 1, ListLoggedPagesRequest()).pages  # type: ignore[arg-type]
    assert not found.profile


def test_what_is_not_read_is_told(
    log: LoggedPages, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspection.logged_pages.MAX_READ_BYTES", 10)
    answer = log.listed(engine, 10, ListLoggedPagesRequest())  # type: ignore[arg-type]
    assert [each.request_id for each in answer.pages] == ["r5", "r4"]
    assert answer.truncated
    (tmp_path / "features-c.features").write_bytes(b"another format")
    answer = log.listed(engine, 10, ListLoggedPagesRequest())  # type: ignore[arg-type]
    assert answer.truncated
