"""Ids of digits alone are hidden, and numbers that are no ids stay what they are."""

from __future__ import annotations

import traceback

import pytest

from foundation.telemetry.logs.user_ids import UserIds

IDS = UserIds("salt")
HIDDEN = IDS("42")


@pytest.mark.parametrize(
    "text",
    [
        "nothing is known of 42",
        "nothing is known of '42'.",
        "(42)",
        "user 42: no such key",
        "key shopper:42 is of another kind",
        "KeyError: 42",
        "42",
        "shoppers 41, 42 and 43",
        "42, of which none",
        "GET {shopfront}:42",
        "user=42",
        "no 42 seconds-hand watch for user 42",
    ],
)
def test_an_id_is_hidden_wherever_it_may_be_one(text: str) -> None:
    hidden = IDS.without(text, ["42"])
    assert hidden.count(HIDDEN) == text.count("42") - text.count("42 seconds")


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:42 cannot be reached",
        "[::1]:42 refused",
        "localhost:42",
        "redis.internal:42 does not answer",
        "redis://redis:42/0",
        "no answer within 42 ms",
        "42 bytes instead of 41",
        "took 0.42 s, 42.5 times 3.42",
        "192.168.42.1",
        "Expecting value: line 42 column 42 (char 42)",
        "[Errno 42] no message",
        "process 42 ended with signal 42",
        "disk 42 % full",
        "at 12:42:07",
    ],
)
def test_a_number_that_says_what_it_is_stays(text: str) -> None:
    assert IDS.without(text, ["42"]) == text


def test_an_id_with_a_letter_is_hidden_everywhere() -> None:
    hidden = IDS.without("line u42 of localhost:u42 in u42 ms", ["u42"])
    assert hidden == f"line {IDS('u42')} of localhost:{IDS('u42')} in {IDS('u42')} ms"


def failing(user: str) -> str:
    """A traceback of two exceptions that name a shopper, of which each line number is one as well."""
    try:
        try:
            raise KeyError(user)
        except KeyError as error:
            raise ExceptionGroup(
                f"reading {user}", [ValueError(f"shopper {user}\n  of {user}"), RuntimeError("42")]
            ) from error
    except ExceptionGroup as error:
        return "".join(traceback.format_exception(error))


def test_frames_stay_and_messages_are_hidden() -> None:
    numbers = {
        line.rpartition("line ")[2].split(",")[0] for line in failing("x").splitlines() if "File" in line
    }
    assert numbers
    for number in numbers:
        plain = failing(number).splitlines()
        hidden = IDS.without_in_traceback("\n".join(plain), [number]).splitlines()
        assert len(hidden) == len(plain)
        for was, line in zip(plain, hidden, strict=True):
            if "File" in was or "raise" in was or "^" in was:
                assert line == was
            else:
                assert line == was.replace(number, IDS(number))
        assert sum(IDS(number) in line for line in hidden) >= 4


def test_modes() -> None:
    assert UserIds("", "clear").without_in_traceback("KeyError: 42", ["42"]) == "KeyError: 42"
    assert UserIds("", "omitted").without_in_traceback("KeyError: 42", ["42"]) == "KeyError: [user]"
