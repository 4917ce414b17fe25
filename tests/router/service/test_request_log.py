"""Log lines are JSON, say what happened, and never hold a shopper's id."""

import json
import logging

import pytest

from foundation.telemetry.logs.user_ids import UserIds
from router.service.request_log import RequestLog

USER = "jane.doe@example.org"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="shopfront.requests")
    return caplog


def test_failure_is_logged_with_its_traceback_and_without_the_shopper(
    lines: pytest.LogCaptureFixture,
) -> None:
    try:
        raise KeyError(f"no state of {USER}")
    except KeyError as error:
        RequestLog(UserIds("salt"), log_answers=False).failed("Recommend", "r1", USER, 3.2, error)
    (record,) = lines.records
    line = record.__dict__["fields"]
    assert line["event"] == "failed"
    assert line["request_id"] == "r1"
    assert "KeyError" in line["error"]
    assert "test_request_log.py" in line["error"]
    assert USER not in json.dumps(line) + record.getMessage()
    assert line["user"] == UserIds("salt")(USER)


def test_whole_answers_are_logged_only_on_demand(lines: pytest.LogCaptureFixture) -> None:
    RequestLog(UserIds("salt"), log_answers=False).answered("Recommend", "r1", USER, 1.0, ())
    assert not lines.records
    RequestLog(UserIds("salt"), log_answers=False).answered("Recommend", "r2", USER, 1.0, ("ranking",))
    RequestLog(UserIds("salt"), log_answers=True).answered("Recommend", "r3", "", 1.0, ())
    degraded, whole = (record.__dict__["fields"] for record in lines.records)
    assert degraded["degraded"] == ("ranking",)
    assert whole["user"] == ""


def test_what_a_shopper_asks_for_in_vain_is_no_warning(lines: pytest.LogCaptureFixture) -> None:
    log = RequestLog(UserIds("salt"), log_answers=False)
    log.answered("Recommend", "r1", USER, 1.0, ("query_partial", "cart_unknown"))
    log.answered("Recommend", "r2", USER, 1.0, ("query_partial", "ranking"))
    assert [record.levelno for record in lines.records] == [logging.INFO, logging.WARNING]


def test_pseudonyms_depend_on_the_salt() -> None:
    assert UserIds("a")(USER) == UserIds("a")(USER) != UserIds("b")(USER)
    assert len(UserIds("a")(USER)) == 16
