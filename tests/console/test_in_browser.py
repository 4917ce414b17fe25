"""The console as people use it: a real browser over a real router."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from testing.browser import Page, open_browser, why_no_browser
from tests.console.conftest import Shown

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser())]


@pytest.fixture(scope="module")
def page(shown: Shown) -> Iterator[Page]:
    """A browser at the console."""
    with open_browser() as browser:
        yield Page(browser, shown.url.rstrip("/"))


@pytest.fixture(autouse=True)
def nothing_is_reported_by_the_browser(page: Page) -> Iterator[None]:
    """No script fails, nothing breaks the content security policy, and no other host is asked."""
    page.size(1440)
    yield
    wrong = [each["message"] for each in page.browser.get_log("browser") if each["level"] == "SEVERE"]
    assert wrong == []
    asked = [json.loads(each["message"])["message"] for each in page.browser.get_log("performance")]
    urls = [
        each["params"]["request"]["url"] for each in asked if each["method"] == "Network.requestWillBeSent"
    ]
    assert urls
    assert [url for url in urls if not url.startswith((page.root, "data:"))] == []


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
    for _ in range(2):
        page.one("td input[name=reason]").send_keys("over")
        page.follow(page.one("button[value=end]"))
    assert "None." in page.text()
    page.show("/")
    assert unwanted in items(page)
    noted = [json.loads(line) for line in shown.audit.read_text().splitlines()]
    rules = [each for each in noted if each["action"].startswith("rule ")]
    assert [each["action"] for each in rules] == ["rule block", "rule pin", "rule end", "rule end"]
    assert rules[0]["subject"]["reason"] == "recalled by its <b>maker</b>"
    on_file = (shown.shop.folder / "business_rules.json.audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["change"] for line in on_file] == ["add", "add", "remove", "remove"]


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
