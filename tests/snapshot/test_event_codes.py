"""The registered kinds of events: those of the contract, with codes that stay, in the manual."""

from __future__ import annotations

from typing import Any

import pytest

from docs.event_kinds_table import MANUAL, with_event_kinds
from protos.shopfront.v1 import event_pb2
from snapshot.event_codes import EVENT_CODES, HISTORY_CODES
from snapshot.event_kinds import EVENT_KINDS, EventKind


def test_codes_are_those_of_the_contract() -> None:
    contract = {
        name.removeprefix("EVENT_TYPE_").lower(): code for name, code in event_pb2.EventType.items() if code
    }
    assert contract == EVENT_CODES


def test_codes_that_logs_and_checkpoints_hold_keep_their_meaning() -> None:
    histories = {"impression": 1, "view": 2, "favorite": 3, "cart": 4, "purchase": 5}
    assert histories.items() <= HISTORY_CODES.items()
    assert EVENT_CODES["remove_from_cart"] == 6
    assert "remove_from_cart" not in HISTORY_CODES


def test_no_two_kinds_share_a_code_or_a_name_in_files() -> None:
    names = [each for name, kind in EVENT_KINDS.items() for each in (name, *kind.synonyms)]
    assert len(set(names)) == len(names)
    assert names == [name.lower() for name in names]
    assert len(set(EVENT_CODES.values())) == len(EVENT_CODES)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"code": 9}, "the code of a share is 9; 1 to 8 is possible"),
        ({"scores": {}}, "only interest has scores"),
        ({"scores": {2: 3.0}}, "must begin at 1 event"),
        ({"scores": {1: 3.0, 3: 3.2, 2: 3.1}}, "must ascend"),
        ({"role": "correction"}, "only interest has scores"),
    ],
)
def test_a_kind_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    share: dict[str, Any] = {"code": 7, "role": "consideration", "noun": "a share", "absent": ""}
    EventKind(**share, scores={1: 3.0})
    with pytest.raises(ValueError, match=message):
        EventKind(**{**share, "scores": {1: 3.0}, **fields})


def test_the_manual_lists_the_kinds_that_are_registered() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    assert with_event_kinds(text) == text, "run `make docs`"
    for name in EVENT_KINDS:
        assert f"| `{name}` |" in text
