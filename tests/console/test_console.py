"""The console over its contract: hostile titles, a router that is away, and who may change what."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from console.access import Access, AccessError
from console.figures import Reading, increase, percentile
from console.settings import ConsoleSettings
from protos.shopfront.v1 import admin_pb2, event_pb2
from server.ingress.client_channel import RouterAddress
from server.ingress.ports import free_ports
from testing.console_in_thread import console_in_thread
from tests.console.stub_router import EVENTS, HOSTILE, PICTURES, router

pytestmark = pytest.mark.slow


class Browser:
    """Fetches pages with a cookie, as a browser does."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def fetch(self, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.root + path, data, headers)
        try:
            with self.opener.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(scope="module")
def ports() -> list[int]:
    return free_ports(2)


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("console") / "audit.jsonl"


@pytest.fixture(scope="module")
def browser(ports: list[int], audit: Path) -> Iterator[Browser]:
    """A browser of a console whose router is up."""
    settings = ConsoleSettings(address=f"127.0.0.1:{ports[1]}", audit=audit, timeout_s=2.0)
    with console_in_thread(RouterAddress(f"127.0.0.1:{ports[0]}"), settings) as url:
        yield Browser(url)


@pytest.fixture
def served(ports: list[int]) -> Iterator[None]:
    """The router is up."""
    server = router(ports[0])
    yield
    server.stop(None).wait()


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("path", ["/?user=u1", "/?user=u1&item=i1", "/why", "/trace", "/scenes"])
def test_titles_with_markup_and_numbers_that_are_none_are_shown_plainly(browser: Browser, path: str) -> None:
    code, text = browser.fetch(path)
    assert code == 200
    assert "<script>alert" not in text
    assert "<img" not in text
    assert HOSTILE not in text
    assert len(text) < 60_000


@pytest.mark.usefixtures("served")
def test_pages_of_an_older_router_say_so(browser: Browser) -> None:
    for path in ("/items?q=x", "/health", "/evaluation", "/rollouts", "/logged", "/crowd", "/experiments"):
        code, text = browser.fetch(path)
        assert code == 200
        assert "older release" in text


@pytest.mark.usefixtures("served")
def test_an_event_is_reported_with_its_token_and_noted(browser: Browser, audit: Path) -> None:
    _, page = browser.fetch("/?user=u1")
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found is not None
    form = {"user": "u1", "act": "cart|3|i1", "scene": "home", "token": "t"}
    code, text = browser.fetch("/events", form)
    assert (code, "another session" in text) == (403, True)
    code, text = browser.fetch("/events", form | {"csrf": found[1]}, Origin="http://elsewhere.example")
    assert code == 403
    assert not EVENTS
    code, text = browser.fetch("/events", form | {"csrf": found[1]})
    assert (code, "Reported: Add to cart i1" in text) == (200, True)
    (event,) = EVENTS
    assert (event.user_id, event.item_id, event.type) == ("u1", "i1", event_pb2.EVENT_TYPE_CART)
    assert (event.position, event.attribution_token) == (3, "t")
    line = json.loads(audit.read_text().splitlines()[-1])
    assert (line["action"], line["outcome"]) == ("event", "stored")
    assert line["subject"] == {"user": "u1", "item": "i1", "event": "cart"}


@pytest.mark.usefixtures("served")
def test_what_lies_in_the_cart_is_taken_out_beside_the_history(browser: Browser) -> None:
    EVENTS.clear()
    _, page = browser.fetch("/?user=u1")
    assert re.findall(r'value="(uncart[^"]*)"', page) == ["uncart|0|i1"]
    assert "remove from cart</b>" in page
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    assert csrf is not None
    form = {"user": "u1", "act": "uncart|0|i1", "csrf": csrf[1]}
    code, text = browser.fetch("/events", form)
    assert (code, "Reported: Remove from cart i1" in text) == (200, True)
    (event,) = EVENTS
    assert (event.item_id, event.type) == ("i1", event_pb2.EVENT_TYPE_REMOVE_FROM_CART)
    assert event.quantity == 0
    EVENTS.clear()


@pytest.mark.usefixtures("served")
def test_a_picture_is_shown_only_where_it_is_one(browser: Browser) -> None:
    request = urllib.request.Request(f"{browser.root}/picture?item=good")
    with browser.opener.open(request, timeout=20) as answer:
        assert answer.read() == PICTURES["good"][1]
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, max-age=86400"
    for item in ("drawing", "page", "huge"):
        code, text = browser.fetch(f"/picture?item={item}")
        assert (code, text) == (502, "What the router sent is no picture that is shown.")
    assert browser.fetch("/picture?item=")[0] == 404


@pytest.mark.usefixtures("served")
def test_no_link_makes_the_console_say_what_it_did_not(browser: Browser) -> None:
    _, page = browser.fetch("/?user=u1&said=Rolled+back&told=Rolled+back")
    assert "Rolled back" not in page
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    assert csrf is not None
    form = {"user": "u1", "act": "like|1|i1", "scene": "home", "token": "t", "csrf": csrf[1]}
    request = urllib.request.Request(f"{browser.root}/events", urllib.parse.urlencode(form).encode())
    with browser.opener.open(request, timeout=20) as answer:
        address, text = answer.geturl(), answer.read().decode()
    EVENTS.clear()
    assert "Reported: Like i1" in text
    assert "Like" not in urllib.parse.unquote(address)
    path = address.removeprefix(browser.root)
    assert "Reported: Like i1" in browser.fetch(path)[1]
    assert "Reported: Like i1" not in Browser(browser.root).fetch(path)[1]


def test_a_router_that_is_away_is_said_to_be_and_found_when_it_is_back(
    browser: Browser, ports: list[int]
) -> None:
    time.sleep(1.1)
    for path in ("/", "/why", "/health"):
        code, text = browser.fetch(path)
        assert code == 200
        assert 'role="alert"' in text
    assert json.loads(browser.fetch("/status")[1])["kind"] == "down"
    server = router(ports[0])
    try:
        for _ in range(100):
            if json.loads(browser.fetch("/status")[1])["kind"] == "up":
                break
            time.sleep(0.1)
        assert json.loads(browser.fetch("/status")[1])["kind"] == "up"
    finally:
        server.stop(None).wait()


def test_other_names_are_refused(browser: Browser) -> None:
    assert browser.fetch("/status", Host="rebound.example")[0] == 421


def test_beyond_loopback_there_are_tokens_and_roles(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="tokens_file"):
        ConsoleSettings(address="0.0.0.0:9001")
    path = tmp_path / "users"
    path.write_text("# users\nviewer eve abcdefghijklmnop\noperator ann ponmlkjihgfedcba\n")
    access = Access(path)
    eve, ann = access.login("abcdefghijklmnop"), access.login("ponmlkjihgfedcba")
    assert eve is not None
    assert ann is not None
    assert (eve.may_change, ann.may_change, ann.name) == (False, True, "ann")
    cookie = access.cookie(ann)
    assert access.session(cookie) == ann
    assert access.session(cookie[:-1] + ("0" if cookie[-1] != "0" else "1")) is None
    assert not access.is_own_form(eve, access.csrf(ann))
    for _ in range(10):
        assert access.login("wrong") is None
    assert access.is_closed
    path.write_text("admin eve abcdefghijklmnop\n")
    with pytest.raises(AccessError, match="line 1"):
        Access(path)


def test_percentiles_and_increases_of_counts() -> None:
    assert percentile({"0.1": 50, "0.2": 100, "inf": 100}, 0.75) == pytest.approx(0.15)
    assert percentile({}, 0.5) != percentile({}, 0.5)
    assert increase({"a": 5.0, "b": 9.0}, {"a": 7.0, "b": 2.0}) == {"a": 2.0, "b": 2.0}


def test_readings_sum_their_series_and_share_what_does_not_change() -> None:
    def sample(value: float, **labels: str) -> admin_pb2.MetricSample:
        return admin_pb2.MetricSample(name="n", labels=labels, value=value)

    first = Reading.of(1.0, [sample(1, a="x", b="y"), sample(2, a="x", b="z"), sample(float("nan"), a="w")])
    second = Reading.of(2.0, [sample(3, a="x", b="y"), sample(4, a="x", b="z")], first)
    third = Reading.of(3.0, [sample(5, a="x", b="z")], second)
    assert first.total("n", "a") == {"x": 3.0}
    assert second.total("n", "b", a=["x"]) == {"y": 3.0, "z": 4.0}
    assert third.total("n", "b", a=["w"]) == {}
    assert second.totals("n", "a", "b") == {"x": {"y": 3.0, "z": 4.0}}
    assert third.total("n", "b") == {"z": 5.0}
    assert second.index is first.index
    assert third.index is not second.index


@pytest.mark.usefixtures("served")
def test_a_viewer_looks_and_changes_nothing(ports: list[int], tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("viewer eve abcdefghijklmnop\n")
    own = free_ports(1)[0]
    audit = tmp_path / "audit.jsonl"
    settings = ConsoleSettings(address=f"127.0.0.1:{own}", audit=audit, tokens_file=users)
    with console_in_thread(RouterAddress(f"127.0.0.1:{ports[0]}"), settings) as url:
        browser = Browser(url)
        assert "Token" in browser.fetch("/?user=u1")[1]
        assert browser.fetch("/login", {"token": "wrong"})[0] == 403
        code, page = browser.fetch("/login", {"token": "abcdefghijklmnop"})
        assert (code, "Storefront" in page) == (200, True)
        _, page = browser.fetch("/?user=u1")
        assert "Add to cart" not in page
        csrf = re.search(r'name="csrf" value="(\w+)"', page)
        assert csrf is not None
        for path in ("/events", "/rules", "/scenes/preview", "/scenes/apply", "/rollouts", "/experiments"):
            code, text = browser.fetch(path, {"csrf": csrf[1], "user": "u1", "act": "cart|1|i1"})
            assert (code, "may look" in text) == (403, True)
    assert audit.read_text() == ""
