"""Sessions whose cookie anybody may write, and a clock that is set back."""

from pathlib import Path

import pytest

from console.access import SESSION_S, Access


@pytest.mark.parametrize("cookie", ["", ".", "zz.aa", "61.aa", "61.é", "61.\udce9", "é.a", "ff.a", "61.a.b"])
def test_a_made_up_cookie_is_no_session(cookie: str) -> None:
    assert Access(None).session(cookie) is None


def test_a_session_ends() -> None:
    now = [1_700_000_000.0]
    access = Access(None, lambda: now[0])
    session = access.begin()
    cookie = access.cookie(session)
    now[0] += SESSION_S
    assert access.session(cookie) == session
    now[0] += 1
    assert access.session(cookie) is None


def test_a_console_closed_by_wrong_tokens_opens_again_though_the_clock_is_set_back(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("operator ann ponmlkjihgfedcba\n")
    now = [1_700_000_000.0]
    access = Access(users, lambda: now[0])
    for _ in range(10):
        assert access.login("wrong") is None
    assert access.is_closed
    now[0] += 61
    assert not access.is_closed
    for _ in range(10):
        access.login("wrong")
    now[0] -= 3_600
    assert not access.is_closed
