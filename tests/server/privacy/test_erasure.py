"""Everything held of a shopper beside the store: found, handed out, deleted while it is written, resumed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from foundation.telemetry.logs.user_ids import UserIdMode, UserIds
from loadtest.recording import erase_requests, read_recording
from router.service.settings import RequestLogSettings
from server.privacy.erasure import Erasure
from server.privacy.export import export_shopper
from server.privacy.places import Places
from server.recording.recording_folder import RecordingFolder
from server.recording.settings import RecordingSettings
from snapshot.item_keys import item_keys
from state import StateSettings, open_state
from state.attribution import Attribution, AttributionCodec
from state.attribution_scope import item_filter, shopper_tag
from state.feature_log.log_file import FeatureLogFile, erase_entries, read_entries
from state.feature_log.log_folder import FeatureLogFolder
from state.feature_log.logged_page import LoggedPage, encode
from state.feature_log.read_log import read_feature_log
from state.feature_log.settings import FeatureLogSettings
from state.published import LiveManifest, write_manifest
from state.store import StateStore
from tests.state.batches import batch

pytestmark = pytest.mark.slow

HER, OTHER = "anna@shop.example", "bert"
NOW_S = 1_700_000_000
CALL = "shopfront.v1.RecommendService/Recommend"
CODEC = AttributionCodec([b"a secret that is changed since"])


def token(user_id: str, items: list[str]) -> str:
    return CODEC.encode(
        Attribution(
            "r", "home", "s", "bst", "1", {}, NOW_S, shopper_tag(user_id), item_filter(item_keys(items))
        )
    )


def page(user_id: str, items: list[str], pseudonym: str = "0123456789abcdef") -> LoggedPage:
    n = len(items)
    zeros = np.zeros(n, np.float32)
    return LoggedPage(
        attribution_token=token(user_id, items) if user_id else "",
        request_id="r",
        scene="home",
        user=pseudonym,
        ts=NOW_S,
        snapshot_id="s",
        model_name="bst",
        model_version="1",
        arms={"test": "b"},
        channel_names=["hot"],
        history_length=3,
        profile_codes=np.zeros(4, np.int32),
        context_codes=np.zeros(3, np.int32),
        item_ids=items,
        scores=zeros,
        recall_scores=zeros,
        channels=np.zeros(n, np.uint32),
        columns={"triton.score": zeros},
    )


@dataclass
class Shop:
    places: Places
    store: StateStore
    features: FeatureLogFolder
    recordings: RecordingFolder

    def erasure(self) -> Erasure:
        return Erasure(self.store, self.places, pause=lambda _: None, wall_clock=lambda: NOW_S + 10.0)

    def exported(self, user_id: str) -> list[tuple[str, dict[str, Any]]]:
        # The export runs an event loop of its own.
        return [
            (Path(each.place).name, each.record) for each in export_shopper(self.store, self.places, user_id)
        ]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    places = Places(
        state=StateSettings(url=f"lmdb://{tmp_path / 'state'}"),
        feature_log=FeatureLogSettings(folder=tmp_path / "features"),
        recording=RecordingSettings(folder=tmp_path / "recordings", salt="of recordings"),
        request_log=RequestLogSettings(folder=tmp_path / "logs", salt="of logs"),
        snapshots=tmp_path / "snapshots",
        learning=tmp_path / "learning",
    )
    store = open_state(places.state, lambda: float(NOW_S + 1))
    features = FeatureLogFolder(places.feature_log)
    recordings = RecordingFolder(places.recording, UserIds("of recordings"))
    for turn in range(30):
        her_items = [f"only-hers-{turn}", f"only-hers-too-{turn}"]
        features.write(encode(page(OTHER, [f"shown-{turn}"])))
        features.write(encode(page(HER, her_items)))
        recordings.write(CALL, {"user_id": OTHER, "scene": f"turn-{turn}"}, turn)
        recordings.write(CALL, {"user_id": HER, "cart_item_ids": her_items}, turn + 0.5)
    # As written by a process whose tokens had no shopper.
    features.write(encode(page("", ["only-hers-at-last"], UserIds("of logs")(HER))))
    asyncio.run(
        store.append(
            batch(
                (HER, "only-hers-1", 5, NOW_S), (HER, "only-hers-2", 6, NOW_S), (OTHER, "shown-1", 5, NOW_S)
            )
        )
    )
    store.put_profiles({HER: {"city": "Lyon"}}, NOW_S)
    yield Shop(places, store, features, recordings)
    store.close()
    features.close()
    recordings.close()


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_shopper_is_deleted_everywhere_while_files_are_written(shop: Shop, tmp_path: Path) -> None:
    report = shop.erasure().delete(HER)

    removed = {
        (Path(each.place.removeprefix("lmdb://")).name, each.what): each.count for each in report.removed
    }
    assert removed == {
        ("state", "rows of behaviours"): 1,
        ("state", "rows of purchases"): 1,
        ("state", "rows of profiles"): 1,
        ("state", "rows of cart_changes"): 1,
        ("state", "events of the log"): 2,
        ("features", "logged answers"): 31,
        ("recordings", "recorded requests"): 30,
    }
    assert report.found
    assert report.pending == []
    assert report.deleted_until_ms == (NOW_S + 1) * 1_000
    assert len(report.compacted) == 1
    marks = [
        HER.encode(),
        b"only-hers",
        UserIds("of logs")(HER).encode(),
        UserIds("of recordings")(HER).encode(),
    ]
    marks += [token(HER, [f"only-hers-{n}", f"only-hers-too-{n}"]).encode() for n in range(30)]
    found = bytes_in(tmp_path)
    assert [mark for mark in marks if mark in found] == []

    # The writers go on in the same files, and what others did is read as before.
    shop.features.write(encode(page(OTHER, ["later"])))
    shop.recordings.write(CALL, {"user_id": OTHER, "scene": "later"}, 99.0)
    logged = [logged.item_ids for logged in read_feature_log(tmp_path / "features")]
    assert logged == [[f"shown-{turn}"] for turn in range(30)] + [["later"]]
    scenes = [
        request.data["scene"] for request in read_recording(str(tmp_path / "recordings")) if request.data
    ]
    assert scenes == [f"turn-{turn}" for turn in range(30)] + ["later"]
    assert not shop.erasure().delete(HER).removed


def test_everything_is_handed_out_and_nothing_of_others(shop: Shop) -> None:
    exported = shop.exported(HER)
    text = msgspec.json.encode(exported).decode()
    assert [place for place, _ in exported[:5]] == ["state"] * 4 + ["state (event log)"]
    assert {"record": "profile", "city": "Lyon"} in [record for _, record in exported]
    (changes,) = [record for _, record in exported if record.get("record") == "cart_changes"]
    assert (changes["at"], changes["pieces"], len(changes["item_id"])) == ([NOW_S], [-1], 1)
    assert sum(place == "features" for place, _ in exported) == 31
    assert sum(place.startswith("requests-") for place, _ in exported) == 30
    assert all(f"only-hers-too-{turn}" in text for turn in range(30))
    assert "shown-" not in text
    assert OTHER not in text
    shop.erasure().delete(HER)
    assert shop.exported(HER) == []
    assert shop.exported("nobody") == []


def test_what_arrives_in_a_file_during_the_deletion_is_deleted_too(shop: Shop, tmp_path: Path) -> None:
    now = [float(os.stat(next((tmp_path / "features").iterdir())).st_mtime)]

    def write_late(seconds: float) -> None:
        assert seconds > 0
        shop.features.write(encode(page(HER, ["only-hers-late"])))
        now[0] += seconds

    report = Erasure(shop.store, shop.places, pause=write_late, wall_clock=lambda: now[0]).delete(HER)
    assert ("logged answers", 32) in [(each.what, each.count) for each in report.removed]
    assert b"only-hers" not in bytes_in(tmp_path)


def test_a_clock_that_is_set_back_does_not_hold_a_deletion_up(shop: Shop, tmp_path: Path) -> None:
    now = float(os.stat(next((tmp_path / "features").iterdir())).st_mtime)
    readings = iter([now, now - 3_600.0])
    pauses: list[float] = []
    Erasure(shop.store, shop.places, pause=pauses.append, wall_clock=lambda: next(readings)).delete(HER)
    assert pauses == [3.0]


def test_recordings_under_another_salt_are_named(shop: Shop, tmp_path: Path) -> None:
    places = shop.places.model_copy(update={"recording": RecordingSettings(folder=tmp_path / "recordings")})
    report = Erasure(shop.store, places, pause=lambda _: None).delete(HER)
    (left,) = (each for each in report.remaining if each.place == str(tmp_path / "recordings"))
    assert left.what.startswith("of 1 recordings, those with pseudonyms of another salt")
    assert "set recording.salt" in left.fate
    assert "recorded requests" not in [each.what for each in report.removed]


@pytest.mark.parametrize(("mode", "lines_left"), [("clear", 1), ("hashed", 1), ("omitted", 3)])
def test_lines_of_logs_are_erased_where_they_can_be_found(
    shop: Shop, tmp_path: Path, mode: UserIdMode, lines_left: int
) -> None:
    written_as = UserIds("of logs", mode)
    lines = [
        msgspec.json.encode({"message": "answered", "user": written_as(user)}) + b"\n"
        for user in (HER, OTHER, HER)
    ]
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("router.log", "replicas.log.2", "replicas.log.lock"):
        (logs / name).write_bytes(b"".join(lines))
    request_log = RequestLogSettings(folder=logs, salt="of logs", user_ids=mode)
    places = shop.places.model_copy(update={"request_log": request_log})
    report = Erasure(shop.store, places, pause=lambda _: None).delete(HER)
    removed = {each.what: each.count for each in report.removed}
    assert removed.get("lines of logs", 0) == 2 * (3 - lines_left)
    for name in ("router.log", "replicas.log.2"):
        content = (logs / name).read_bytes()
        assert [line + b"\n" for line in content.splitlines() if line.strip()][-1] == lines[
            1 if lines_left == 1 else 2
        ]
        assert len(content) == sum(map(len, lines))
        assert sum(bool(line.strip()) for line in content.splitlines()) == lines_left


def test_a_file_that_cannot_be_read_is_pending_and_others_are_searched(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "features" / "features-x.features").write_bytes(b"something else, longer than a beginning")
    report = shop.erasure().delete(HER)
    (pending,) = report.pending
    assert pending.place.endswith("features-x.features")
    assert "delete the file" in pending.until
    assert ("logged answers", 31) in [(each.what, each.count) for each in report.removed]


def test_deletions_that_were_killed_are_resumed_with_the_next(shop: Shop, tmp_path: Path) -> None:
    shop.store.erase(HER)
    assert b"only-hers" in bytes_in(tmp_path)
    assert not shop.erasure().delete("nobody").found
    assert shop.store.unfinished_erasures() == []
    assert b"only-hers" not in bytes_in(tmp_path)
    assert HER.encode() not in bytes_in(tmp_path)


def test_what_a_learner_counted_is_pending_until_it_has_read_the_log_anew(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "learning"
    folder.mkdir()
    write_manifest(folder, LiveManifest({}, erasures=0))
    (pending,) = shop.erasure().delete(HER).pending
    assert pending.place == str(folder)
    write_manifest(folder, LiveManifest({}, erasures=shop.store.erasures_revision() + 1))
    assert shop.erasure().delete(HER).pending == []
    (folder / "live.json").write_text("{")
    (pending,) = shop.erasure().delete(HER).pending
    assert "remove the folder" in pending.until


def test_deferred_compaction_is_pending_until_it_is_finished(shop: Shop, tmp_path: Path) -> None:
    report = shop.erasure().delete(HER, compact=False)
    (pending,) = report.pending
    assert "shopper finish" in pending.until
    assert report.compacted == []
    resumed, compaction = shop.erasure().finish()
    assert resumed == 0
    assert compaction.done
    assert HER.encode() not in bytes_in(tmp_path / "state")


@pytest.mark.parametrize("cut", range(0, 48, 8))
def test_an_entry_that_was_half_erased_is_skipped_and_then_erased_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.features"
    file = FeatureLogFile(path, 1 << 20)
    for name in (b"first", b"wanted " + b"x" * 40, b"last"):
        file.append(name)
    file.close()
    content = bytearray(path.read_bytes())
    at = content.index(b"wanted")
    content[at - 5] |= 0x80
    content[at : at + cut] = bytes(cut)
    path.write_bytes(content)
    assert list(read_entries(path)) == [b"first", b"last"]
    assert erase_entries(path, lambda entry: entry.startswith(b"wanted")) == 0
    assert b"x" not in path.read_bytes()
    assert list(read_entries(path)) == [b"first", b"last"]


def test_a_line_that_was_half_erased_is_skipped_and_then_erased_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [
        b'{"offset_ms":%d,"data":{"user_id":"%s"}}\n' % (n, name) for n, name in enumerate((b"u", b"v", b"u"))
    ]
    path.write_bytes(lines[0] + b"#" + lines[1][1:] + lines[2] + lines[1][:-5])
    assert len(read_recording(str(path))) == 2
    assert erase_requests(path, lambda line: b'"v"' in line) == 0
    assert (
        path.read_bytes() == lines[0] + b"#" + b" " * (len(lines[1]) - 2) + b"\n" + lines[2] + lines[1][:-5]
    )
    assert len(read_recording(str(path))) == 2


def test_a_file_that_is_rotated_away_meanwhile_stops_no_deletion(shop: Shop) -> None:
    for folder, name in (
        (shop.places.recording.folder, "gone.jsonl"),
        (shop.places.request_log.folder, "router.log.1"),
    ):
        folder.mkdir(exist_ok=True)
        # Listed, and not there when it is looked at.
        (folder / name).symlink_to(folder / "nowhere")
    assert shop.erasure().delete(HER).found
