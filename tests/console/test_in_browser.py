"""The console as people use it: a real browser over a real router."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress
from server.ingress.ports import free_ports
from testing.browser import Page, open_browser, why_no_browser
from testing.console_in_thread import console_in_thread
from tests.console.conftest import Shown
from tests.console.stub_router import router

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser())]


@pytest.fixture(scope="module")
def page(shown: Shown) -> Iterator[Page]:
    """A browser at the console."""
    with open_browser() as browser:
        yield Page(browser, shown.url)


@pytest.fixture(autouse=True)
def nothing_is_reported_by_the_browser(page: Page) -> Iterator[None]:
    """No script fails, nothing breaks the content security policy, and no other host is asked."""
    page.size(1440)
    yield
    wrong = [each["message"] for each in page.browser.get_log("browser") if each["level"] == "SEVERE"]
    assert wrong == []
    hosts = ("http://127.0.0.1:", "data:")
    asked = [json.loads(each["message"])["message"] for each in page.browser.get_log("performance")]
    urls = [
        each["params"]["request"]["url"] for each in asked if each["method"] == "Network.requestWillBeSent"
    ]
    assert urls
    assert [url for url in urls if not url.startswith(hosts)] == []


def items(page: Page) -> list[str]:
    """Ids of the items on the page, in order."""
    return [str(card.get_attribute("data-item")) for card in page.all("[data-item]")]


def test_a_click_on_an_item_is_an_event_that_changes_the_next_page(page: Page, shown: Shown) -> None:
    page.show("/?user=clicker")
    before = items(page)
    assert "Nothing yet." in page.text()
    title = page.one("[data-item] h3 button").text
    page.follow(page.one("[data-item] h3 button"))
    assert f"Reported: Open {before[0]}" in page.text()
    assert page.one("h2").text == title
    page.show("/?user=clicker")
    assert f"view {title}" in page.one("aside").text
    assert items(page) != before
    assert page.all(".card.new")
    page.follow(page.one("[data-item] .acts button"))
    assert "Reported: Add to cart" in page.text()
    page.follow(page.all("[data-item] .acts button")[1])
    assert "Reported: Buy" in page.text()
    assert {line.split()[0] for line in page.one("aside").text.splitlines()} >= {"view", "cart", "purchase"}
    noted = [json.loads(line) for line in shown.audit.read_text().splitlines()]
    assert [each["subject"]["event"] for each in noted] == ["view", "cart", "buy"]


def test_what_a_shopper_says_takes_an_item_away_until_it_is_taken_back(page: Page) -> None:
    page.show("/?user=sayer")
    unwanted = items(page)[0]
    page.one("[data-item] summary").click()
    page.follow(page.one(f"[aria-label='Not interested {unwanted}']"))
    assert unwanted not in items(page)
    assert "not interested" in page.one("aside").text
    page.follow(page.one("aside button"))
    assert "not interested" not in page.one("aside").text
    assert unwanted in items(page)


def test_an_item_is_explained_on_the_page_and_off_it(page: Page) -> None:
    page.show("/?user=u0003")
    first = items(page)[0]
    page.follow(page.one("[data-item] a[aria-label^='Why']"))
    assert "Number 1 on the page." in page.text()
    assert "Because of" in page.text()
    field = page.one("input[name=item]")
    field.clear()
    absent = next(f"i{number:04}" for number in range(1, 120) if f"i{number:04}" not in (first, *items(page)))
    field.send_keys(absent)
    page.follow(page.one("main form button"))
    text = page.text()
    assert "on the page." in text or "Lost at" in text
    page.show("/answered?user=u0003")
    assert "home for u0003" in page.text()


def test_a_crowd_is_shown_its_own_page(page: Page) -> None:
    page.show("/")
    page.follow(page.one("a[href='/crowd']"))
    assert items(page)
    page.one("select[name=gender]").send_keys("f")
    page.one("select[name=age_band]").send_keys(page.all("select[name=age_band] option")[1].text)
    page.follow(page.one("main form button"))
    assert "gender=f" in page.browser.current_url
    assert page.one("select[name=gender]").get_attribute("value") == "f"
    assert items(page)
    assert not page.all("main form[action='/events'] button")


def test_a_request_of_the_feature_log_is_shown_as_it_was_answered(page: Page) -> None:
    page.show("/?user=logged-one")
    home = [str(card.get_attribute("data-item")) for card in page.all("section:first-of-type [data-item]")]
    # The log's thread writes after the answer has left.
    page.until(lambda: page.show("/logged?user=logged-one&scene=home") or page.all("main section"))
    assert "Logged now: home" in page.text()
    page.follow(page.one("main section a"))
    rows = page.all("main section:first-of-type tbody tr")
    shown = [str(row.find_element("css selector", "a").get_attribute("href")) for row in rows]
    assert [address.rpartition("=")[2] for address in shown] == home
    assert "hot" in page.one("main section tbody").text
    page.show("/logged?user=nobody-ever")
    assert "Nothing of this is in the log" in page.text()


def test_an_experiment_is_started_paused_and_stopped_by_typing_its_name(page: Page, shown: Shown) -> None:
    file = shown.shop.folder / "experiments.yaml"

    def fill(**fields: str) -> None:
        for name, value in fields.items():
            field = page.one(f"[name='{name.replace('_of_', ':')}']")
            field.clear()
            field.send_keys(value)

    def act(action: str, **fields: str) -> str:
        fill(**fields)
        page.follow(page.one(f"button[value={action}]"))
        return str(page.one(".said").text)

    page.show("/experiments")
    assert "No experiment is in the file." in page.text()
    new = {"name": "more-hot", "layer": "recall", "share_of_control": "50", "share_of_treatment": "50"}
    said = act("start", **new, patch='{"channels": {"hott": {"share": 0.9}}}', reason="try", typed="more-hot")
    assert "Not done" in said
    assert "did you mean hot?" in said
    assert not file.exists()
    patch = '{"ranking": {"enabled": false}}'
    page.one("form[aria-label='New experiment'] select").send_keys("home")
    assert "type “more-hot”" in act("start", **new, patch=patch, reason="try", typed="more")
    page.one("form[aria-label='New experiment'] select").send_keys("home")
    assert act("start", **new, patch=patch, reason="<i>try</i>", typed="more-hot").startswith("Done: start")
    assert "runs" in page.one("main section").text
    page.show("/answered")
    users = [f"arm-{number}" for number in range(12)]
    arms = set()
    for user in users[:6]:
        page.show(f"/?user={user}")
        arms |= {word for word in ("control", "treatment") if f"more-hot: {word}" in page.text()}
    assert arms == {"control", "treatment"}
    page.show("/experiments")
    said = act("shares", share_of_treatment="60", reason="more", typed="more-hot")
    assert "sum to at most 10000" in said
    assert act("shares", share_of_treatment="25", reason="less", typed="more-hot").startswith("Done: shares")
    assert "share_bp: 2500" in file.read_text()
    assert act("pause", reason="a fault", typed="more-hot").startswith("Done: pause")
    assert "paused" in page.one("main section").text
    page.show("/?user=arm-0")
    assert "more-hot" not in page.text()
    page.show("/experiments")
    assert act("resume", reason="mended", typed="more-hot").startswith("Done: resume")
    assert act("stop", reason="enough", typed="more-hot").startswith("Done: stop")
    assert "No experiment is in the file." in page.text()
    assert "<i>try</i>" in page.text()
    page.follow(page.one("button[name=undo]"))
    assert "+" in page.one(".diff").text
    fill(typed="experiments")
    page.follow(page.one("button[value=file]"))
    assert "Done: file" in page.one(".said").text
    assert act("stop", reason="over", typed="more-hot").startswith("Done: stop")
    noted = [json.loads(line) for line in shown.audit.read_text().splitlines()]
    tried = [each["action"] for each in noted if each["action"].startswith("experiment ")]
    assert tried.count("experiment start") == 3
    assert {"experiment pause", "experiment resume", "experiment stop", "experiment file"} <= set(tried)


def test_times_of_stages_and_the_parts_of_the_router_are_shown(page: Page) -> None:
    page.show("/?user=u0003")
    page.until(lambda: page.show("/trace") or page.all("[aria-label=Percentiles] tbody tr"))
    assert page.one("[aria-label=Percentiles] tbody th").text == "request"
    assert page.all("[aria-label=Percentiles] svg")
    page.show("/health")
    page.until(lambda: "Replicas" in page.text())
    before = page.one("[data-live]").text
    page.until(lambda: page.one("[data-live]").text != before)


def test_an_item_is_blocked_and_pinned_with_a_reason_until_that_ends(page: Page, shown: Shown) -> None:
    page.show("/")
    unwanted, wanted = items(page)[0], items(page)[5]
    page.show(f"/items?q={unwanted}")
    page.follow(page.one("tbody a"))
    page.one("input[name=hours]").send_keys("2")
    page.one("input[name=reason]").send_keys("recalled by its <b>maker</b>")
    page.follow(page.one("button[value=block]"))
    assert f"Done: block of item {unwanted}." in page.text()
    assert "recalled by its <b>maker</b>" in page.text()
    page.show(f"/item?id={wanted}")
    page.one("select[name=scene]").send_keys("home")
    page.one("input[name=position]").send_keys("2")
    page.one("input[name=reason]").send_keys("season")
    page.follow(page.one("button[value=pin]"))
    page.show("/")
    home = [str(card.get_attribute("data-item")) for card in page.all("section:first-of-type [data-item]")]
    assert home[1] == wanted
    assert unwanted not in items(page)
    page.show(f"/why?item={unwanted}")
    assert "Lost at filter:blocked" in page.text()
    page.show("/rules")
    page.one("input[name=value]").send_keys(wanted)
    page.one("input[name=hours]").send_keys("2")
    page.one("input[name=reason]").send_keys("launch")
    page.one("form[aria-label='New rule'] summary").click()
    page.one("input[name=cap]").send_keys("many")
    page.follow(page.one("button[value=plan]"))
    assert "Nothing was done: cap: a number of exposures" in page.text()
    page.one("input[name=value]").send_keys(wanted)
    page.one("input[name=hours]").send_keys("2")
    page.one("input[name=reason]").send_keys("launch")
    page.one("form[aria-label='New rule'] summary").click()
    page.one("input[name=cap]").send_keys("5000")
    page.follow(page.one("button[value=plan]"))
    assert f"Done: plan of item {wanted}." in page.text()
    assert "at most 5,000 evenly" in page.text()
    assert "0 shown" in page.text()
    for _ in range(3):
        page.one("td input[name=reason]").send_keys("over")
        page.follow(page.one("button[value=end]"))
    assert "None." in page.text()
    page.show("/")
    assert unwanted in items(page)
    noted = [json.loads(line) for line in shown.audit.read_text().splitlines()]
    rules = [each for each in noted if each["action"].startswith("rule ")]
    tried = ["rule block", "rule pin", "rule plan", "rule plan", *["rule end"] * 3]
    assert [each["action"] for each in rules] == tried
    assert rules[0]["subject"]["reason"] == "recalled by its <b>maker</b>"
    on_file = (shown.shop.folder / "business_rules.json.audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["change"] for line in on_file] == [*["add"] * 3, *["remove"] * 3]


def test_a_scene_is_edited_after_a_look_at_its_page_and_put_back(page: Page, shown: Shown) -> None:
    before = shown.shop.scenes.read_text()
    page.show("/?user=u0003")
    old_page = items(page)
    page.show("/scenes?scene=home")
    size = page.one("input[aria-label='page.default_size']")
    share = page.one("input[aria-label='channels.hot.share']")
    assert (size.get_attribute("value"), share.get_attribute("value")) == ("20", "0.3")
    share.clear()
    share.send_keys("nine")
    page.follow(page.one("button[value=preview]"))
    assert "This would be refused" in page.text()
    assert "scenes.home.channels.hot.share" in page.text()
    assert not page.all("main button")
    assert shown.shop.scenes.read_text() == before

    page.show("/scenes?scene=home")
    ranked = page.one("input[aria-label='ranking.enabled']")
    ranked.clear()
    ranked.send_keys("false")
    page.one("input[name=users]").send_keys("u0003 u0004")
    page.follow(page.one("button[value=preview]"))
    assert len(page.all(".halves")) == 2
    assert page.all(".come")
    assert "+    ranking: {enabled: false}" in page.one(".diff").text
    page.one("input[name=reason]").send_keys("try <i>recall order</i>")
    page.follow(page.one("form[action='/scenes/apply'] button"))
    assert "Applied: 1 lines in, 0 out." in page.text()
    assert "serves as it is" in page.text()
    assert page.one("input[aria-label='ranking.enabled']").get_attribute("value") == "false"
    after = shown.shop.scenes.read_text()
    assert after.replace("    ranking: {enabled: false}\n", "") == before
    page.show("/?user=u0003")
    assert items(page) != old_page

    page.show("/scenes?scene=home")
    assert "try <i>recall order</i>" in page.text()
    page.follow(page.one("button[name=undo]"))
    assert "-    ranking: {enabled: false}" in page.one(".diff").text
    page.follow(page.one("form[action='/scenes/apply'] button"))
    assert shown.shop.scenes.read_text() == before
    page.show("/?user=u0003")
    assert items(page) == old_page


def confirmed(page: Page, version: str, action: str, **given: str) -> None:
    """Does it, and looks again where the rollout went on meanwhile, as an operator would."""
    for _ in range(10):
        for name, text in {"typed": version, **given}.items():
            page.one(f"input[name={name}]").send_keys(text)
        page.follow(page.one(f"button[value={action}]"))
        if "changed it first" not in page.text():
            return


def test_a_bad_model_is_rolled_back_by_typing_what_it_is(page: Page) -> None:
    page.show("/rollouts")
    assert "bst 1 serves" in page.text()
    page.one("input[name=version]").send_keys("2")
    page.one("input[name=typed]").send_keys("bst 3")
    page.follow(page.one("button[value=start]"))
    assert "Nothing was done: type “bst 2” to confirm." in page.text()
    page.one("input[name=version]").send_keys("2")
    page.one("input[name=typed]").send_keys("bst 2")
    page.follow(page.one("button[value=start]"))
    assert "Done: start bst 2" in page.text()
    page.follow(page.one("button[value=pause]"))
    assert "Nothing was done" in page.text()
    confirmed(page, "bst 2", "pause")
    assert "paused" in page.text()
    page.one("input[name=typed]").send_keys("bst")
    page.follow(page.one("button[value=promote]"))
    assert "Nothing was done" in page.text()
    confirmed(page, "bst 2", "abort", reason="orders <b>badly</b>")
    assert "Done: abort bst 2" in page.text()
    page.until(lambda: page.show("/rollouts") or "aborted" in page.text())
    assert "bst 1 serves" in page.text()
    assert "orders <b>badly</b>" in page.text()


PAGES = (
    *("/crowd?gender=f", "/logged", "/experiments", "/experiments?text=1"),
    *("/?user=u0003", "/?user=u0003&item=i0010", "/answered", "/why?user=u0003", "/trace", "/items?q=lamp"),
    *("/item?id=i0010", "/rules", "/scenes?changed=1", "/rollouts", "/experiments", "/health", "/evaluation"),
)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_serious_barrier_narrow_or_wide_light_or_dark(page: Page, path: str) -> None:
    page.show(path)
    # What depends on the width does not depend on the colours.
    for width, colours in ((390, "light"), (1440, "dark")):
        page.size(width, colours)
        assert page.barriers() == []
        assert page.run("return document.documentElement.scrollWidth") <= width


def test_everything_is_reached_and_done_with_the_keyboard(page: Page) -> None:
    page.show("/?user=typist")
    first = items(page)[0]
    page.press(Keys.TAB)
    assert page.focused().text == "Skip to content"
    page.press(Keys.ENTER)
    for _ in range(12):
        page.press(Keys.TAB)
        if page.focused().get_attribute("class") == "link":
            break
    page.run("window.leaving = true")
    page.press(Keys.ENTER)
    page.until(lambda: not page.run("return window.leaving"))
    assert f"Reported: Open {first}" in page.text()


def test_titles_with_markup_or_of_10_kb_are_shown_plainly(page: Page, tmp_path: Path) -> None:
    port, own = free_ports(2)
    settings = ConsoleSettings(address=f"127.0.0.1:{own}", audit=tmp_path / "audit.jsonl")
    served = router(port)
    try:
        with console_in_thread(RouterAddress(f"127.0.0.1:{port}"), settings) as url:
            for path in ("/?user=u1", "/?user=u1&item=i1", "/why"):
                for width in (390, 1440):
                    page.size(width)
                    page.browser.get(url + path)
                    assert '<script>alert("x")</script><img src=x' in page.text()
                    assert page.all("main img, main script") == []
                    assert page.run("return document.documentElement.scrollWidth") <= width
    finally:
        served.stop(None).wait()
        page.show("/")


def test_a_router_that_is_started_anew_is_said_to_be_away_and_found_again(page: Page, shown: Shown) -> None:
    page.show("/?user=u0003")
    before = items(page)
    assert "serving" in page.one("#status").text
    shown.stop_router()
    page.until(lambda: "no answer" in page.run("return document.getElementById('status').textContent"))
    assert items(page) == before
    page.show("/?user=u0003")
    assert "Connection refused" in page.one("[role=alert]").text
    shown.start_router()
    page.until(lambda: page.all("[data-item]"))
    assert "serving" in page.one("#status").text
