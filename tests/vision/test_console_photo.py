"""Photo search in the console: a real browser uploads photos, usable and not, to a real router."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.settings import ConsoleSettings
from server.ingress.client_channel import RouterAddress
from server.ingress.ports import free_ports
from testing.browser import Page, open_browser, why_no_browser
from testing.console_in_thread import console_in_thread
from tests.vision.photos import Photos, in_stock
from tests.vision.pictures import BAD, GOOD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser()),
]


def send(page: Page, folder: Path, content: bytes) -> None:
    """Uploads a file called photo.jpg, whatever it is."""
    (photo := folder / "photo.jpg").write_bytes(content)
    page.one("input[type=file]").send_keys(str(photo))
    page.follow(page.one("main button"))


def test_photos_good_and_bad_are_uploaded_to_the_console(photos: Photos, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = ConsoleSettings(address=f"127.0.0.1:{port}", audit=tmp_path / "audit.jsonl")
    row = next(row for row in (0, 4, 8, 12) if in_stock(photos, [f"i{row:04d}"]))
    with console_in_thread(RouterAddress(photos.ingress.address), settings) as url, open_browser() as browser:
        page = Page(browser, url)
        page.show("/items")
        page.follow(page.one("a[href='/photo']"))
        send(page, tmp_path, photos.picture(row))
        found = page.one("tbody a")
        assert str(found.get_attribute("href")).endswith(f"/item?id=i{row:04d}")
        assert page.barriers() == []
        for name in ("turned", "cmyk", "animated", "blank"):
            send(page, tmp_path, GOOD[name])
            assert page.all("tbody a"), name
            assert not page.all("[role=alert]"), name
        for name, (reason, content) in BAD.items():
            send(page, tmp_path, content)
            assert reason in page.one("[role=alert]").text, name
            assert not page.all("tbody"), name
        assert page.barriers() == []
        send(page, tmp_path, GOOD["jpeg"] + bytes(2 * 2**20))
        assert page.one("[role=alert]").text == "A file of at most 1.5 MiB is taken."
        page.show("/")
        loaded = "return [...document.querySelectorAll('img.tile')].map((each) => each.naturalWidth)"
        page.until(lambda: (widths := page.run(loaded)) and all(widths))
        assert 0 < len(page.run(loaded)) < len(page.all("[data-item]"))
        first = str(page.one("img.tile").get_attribute("src"))
        assert first.startswith(f"{url}/picture?item=i")
        assert page.barriers() == []
        page.show("/item?id=i0000")
        page.until(lambda: page.run(loaded) == [96])
