"""A kind of event is added by registering it alone: every room does with it what its registration says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snapshot.event_codes import EVENT_CODES, PURCHASE, VIEW

pytestmark = pytest.mark.slow
SHARE, UNFAVORITE = 7, 8
"""The codes that `tests.added_kinds` registers, in a process of its own."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    command = [sys.executable, "-m", "tests.added_kinds", str(tmp_path_factory.mktemp("kinds"))]
    done = subprocess.run(
        command, capture_output=True, check=True, text=True, cwd=Path(__file__).parents[1], timeout=120
    )
    return json.loads(done.stdout)


def test_files_have_it_by_any_of_its_names_and_say_what_is_absent(found: Any) -> None:
    files = found["files"]
    assert files["rows"] == {"share": 1, "unfavorite": 1, "view": 7}
    assert files["codes"] == [VIEW, PURCHASE, SHARE]
    absent = set(files["absent"])
    assert absent & {*EVENT_CODES, "share", "unfavorite"} == {
        "impression",
        "favorite",
        "cart",
        "remove_from_cart",
    }


def test_interest_counts_by_its_scores_and_its_weight(found: Any) -> None:
    files = found["files"]
    assert (files["score"], files["grade"], files["triggers"]) == (3.8, 2.5, 4)


def test_the_seeded_history_and_the_models_have_it(found: Any) -> None:
    files = found["files"]
    assert files["seeded"] == [SHARE, VIEW, VIEW]
    assert files["model_codes"] == [1, SHARE + 1]
    assert files["cross_columns"] == 5


def test_the_service_takes_it_and_names_it_where_it_refuses_another(found: Any) -> None:
    (fault,) = found["reported"]["fault"]
    assert fault.startswith(f"is {UNFAVORITE + 1}; one of EVENT_TYPE_IMPRESSION, ")
    assert fault.endswith(", EVENT_TYPE_SHARE, EVENT_TYPE_UNFAVORITE is expected")


def test_interest_is_a_behaviour_and_a_correction_is_in_the_log_alone(found: Any) -> None:
    reported = found["reported"]
    assert reported["logged"] == [SHARE, UNFAVORITE]
    assert (reported["behaviours"], reported["interest"], reported["cart"]) == ([SHARE], [True], [])
    assert reported["shown"] == ["share"]


def test_the_learner_counts_interest_by_its_signal_and_no_correction(found: Any) -> None:
    reported = found["reported"]
    assert reported["counted"]["views"] == 1
    assert sum(reported["counted"].values()) == 1
    assert {reason: count for reason, count in reported["dropped"].items() if count} == {"correction": 1}
