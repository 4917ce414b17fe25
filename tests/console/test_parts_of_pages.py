"""Parts of pages without a router: messages, kept pictures, how processes are, reports and their charts."""

from __future__ import annotations

import json
import math

import pytest

from console.charts import distribution
from console.experiment_reports import readable
from console.figures import Reading
from console.flash import MOST_MESSAGES, Messages
from console.health_state import parts, satisfaction, state_tiles
from console.interval_chart import Interval, intervals
from console.picture_cache import PictureCache
from protos.shopfront.v1.admin_pb2 import MetricSample, ReadItemPictureResponse, Report

HOSTILE = "<script>alert(1)</script>"


def test_a_message_is_shown_to_its_own_session_and_the_oldest_leave() -> None:
    messages = Messages()
    first = messages.keep("ann", "Rolled back")
    assert (messages.find("ann", first), messages.find("eve", first)) == ("Rolled back", "")
    assert messages.find("ann", "Rolled back") == ""
    for _ in range(MOST_MESSAGES):
        last = messages.keep("ann", "x" * 9_999)
    assert messages.find("ann", first) == ""
    assert len(messages.find("ann", last)) == 2_000


def test_pictures_are_kept_within_their_bytes() -> None:
    cache = PictureCache(10)
    for item in "abc":
        cache.keep(("s", item), ReadItemPictureResponse(content=b"1234"))
        cache.find(("s", "a"))
    assert [cache.find(("s", item)) is not None for item in "abc"] == [True, False, True]
    cache.keep(("s", "large"), ReadItemPictureResponse(content=bytes(11)))
    assert cache.find(("s", "large")) is None


def reading(*samples: tuple[str, float, dict[str, str]]) -> Reading:
    return Reading.of(1_000.0, [MetricSample(name=n, value=v, labels=labels) for n, v, labels in samples])


def test_health_tells_of_learner_processes_and_satisfaction() -> None:
    restarts, rated = "shopfront_restarts_total", "shopfront_feedback_ratings_total"
    found = reading(
        ("shopfront_learner_lag_seconds", 30.0, {}),
        ("shopfront_learner_checkpoint_timestamp_seconds", 880.0, {}),
        ("shopfront_replica_starts_total", 3.0, {}),
        ("shopfront_snapshot_info", 2.0, {"snapshot_id": "s1"}),
        (restarts, 2.0, {"part": "learner", "outcome": "restarted"}),
        (restarts, 1.0, {"part": "learner", "outcome": "failed"}),
        ("shopfront_part_lost", 1.0, {"part": "learner"}),
        ("shopfront_part_lost_timestamp_seconds", 940.0, {"part": "learner"}),
        (rated, 3.0, {"dimension": "overall", "value": "5"}),
        (rated, 1.0, {"dimension": "overall", "value": "1"}),
        (rated, 9.0, {"dimension": "price", "value": "1"}),
    )
    tiles = {name: (value, mood) for name, value, _, mood in state_tiles(found)}
    assert tiles["Learner behind"] == (30.0, "warn")
    assert tiles["Learner's checkpoint"] == (2.0, "good")
    assert (tiles["Replicas"], tiles["Replicas replaced"]) == ((2.0, "good"), (1.0, "warn"))
    assert (tiles["Satisfied"][0], tiles["Mean rating"][0]) == (75.0, 4.0)
    (part,) = parts(found)
    assert (part.name, part.restarted, part.failed, part.is_lost) == ("learner", 2.0, 1.0, True)
    assert part.died(1_000.0) == "1 min ago"


def test_what_is_not_counted_is_not_told() -> None:
    assert state_tiles(reading()) == []
    assert parts(reading()) == []
    total, mean, share = satisfaction(reading())
    assert (total, math.isnan(mean), math.isnan(share)) == (0.0, True, True)


def report(**more: object) -> Report:
    estimate = {"value": 0.05, "low": 0.04, "high": 0.06}
    arm = {"name": HOSTILE, "metrics": {"ctr": estimate}, "differences": {"ctr": None}}
    moments = [
        {"at_ms": at, "users": {HOSTILE: 5}, "arms": {HOSTILE: {"ctr": estimate}}}
        for at in (1_700_000_000_000, 1_700_003_600_000)
    ]
    content = {"experiment": "x", "control": "control", "arms": [arm], "over_time": moments} | more
    return Report(name="x", at_ms=1, json=json.dumps(content))


@pytest.mark.parametrize(("p", "mood"), [(None, "plain"), (0.5, "good"), (1e-9, "bad"), ("many", "plain")])
def test_a_report_says_first_whether_shoppers_are_divided_as_configured(p: object, mood: str) -> None:
    found = readable(report(mismatch_p=p))
    assert found is not None
    assert found["divided"][0] == mood
    ((_, drawn, over_time),) = found["charts"]
    assert HOSTILE not in drawn + over_time
    assert 'class="band s0"' in over_time


def test_reports_of_older_releases_and_files_that_are_none_are_shown_or_left_out() -> None:
    older = readable(report(over_time=None))
    assert older is not None
    assert older["charts"][0][2] == ""
    assert readable(Report(name="x", json="[1, 2]")) is None
    assert readable(report(over_time=[{"at_ms": "soon"}])) is None
    assert readable(report(over_time=[7])) is None


def test_charts_leave_out_what_is_no_number() -> None:
    bad = Interval(math.nan, 1.0, 0.0, 2.0)
    assert "Too little" in intervals("x", {"a": [bad], "b": []})
    drawn = intervals("x", {"a": [Interval(5.0, 1.0, 0.5, 1.5), bad]})
    assert "nan" not in drawn
    assert distribution("x", [0, 0], [1, math.inf]) == "–"
    assert distribution("x", [1], [1, 2]) == "–"
    assert "more than 1,000 ms" in distribution(HOSTILE, [0.0, 3.0], [1.0, math.inf])
    assert HOSTILE not in distribution(HOSTILE, [0.0, 3.0], [1.0, math.inf])
