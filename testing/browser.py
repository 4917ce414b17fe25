"""A real browser without a window: Chromium, driven by selenium, with axe-core to look for barriers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
)
_PATIENCE_S = 20.0
_LOOK_S = 0.03


def why_no_browser() -> str:
    """Why no browser can be driven on this machine; "" where one can."""
    if not any(map(shutil.which, _BROWSERS)):
        return "no Chromium: apt-get install chromium chromium-driver"
    return "" if shutil.which("chromedriver") else "no chromedriver: apt-get install chromium-driver"


@contextmanager
def open_browser() -> Iterator[webdriver.Chrome]:
    """A browser that keeps what it logs; gone at the end."""
    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, _BROWSERS)))
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = shutil.which("chromedriver")
    # Selenium would otherwise ask the network for a newer driver.
    browser = webdriver.Chrome(
        options=options, service=Service(driver, env={**os.environ, "SE_OFFLINE": "true"})
    )
    try:
        browser.set_page_load_timeout(_PATIENCE_S)
        yield browser
    finally:
        browser.quit()


@dataclass(frozen=True)
class Page:
    """The page that a browser shows, of one site."""

    browser: webdriver.Chrome
    root: str

    def show(self, path: str) -> None:
        """Opens a path of the site."""
        self.browser.get(self.root + path)

    def size(self, width: int, colours: str = "light") -> None:
        """Makes the window `width` px wide, with light or dark colours preferred."""
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": colours}]}
        )

    def all(self, css: str) -> list[WebElement]:
        """Every element of a CSS selector."""
        return list(self.browser.find_elements(By.CSS_SELECTOR, css))

    def one(self, css: str) -> WebElement:
        """The first element of a CSS selector, once it is there."""
        return WebDriverWait(self.browser, _PATIENCE_S).until(
            lambda browser: browser.find_element(By.CSS_SELECTOR, css)
        )

    def until(self, condition: Any) -> None:
        """Waits until `condition()` is true; while a page is replaced, it cannot be asked."""
        wait = WebDriverWait(self.browser, _PATIENCE_S, _LOOK_S, ignored_exceptions=[WebDriverException])
        wait.until(lambda browser: condition())

    def follow(self, element: WebElement) -> None:
        """Clicks an element that leads to another page, and waits until that is there."""
        self.run("window.leaving = true")
        element.click()
        self.until(lambda: self.run("return !window.leaving && document.readyState === 'complete'"))

    def press(self, key: str) -> None:
        """Presses a key, wherever the focus is."""
        ActionChains(self.browser).send_keys(key).perform()

    def focused(self) -> WebElement:
        """The element that has the focus."""
        return self.browser.switch_to.active_element

    def text(self) -> str:
        """What the page says."""
        return str(self.one("main").text)

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self.browser.execute_script(script)

    def barriers(self) -> list[str]:
        """What axe-core finds that is serious or critical: rule and element."""
        # By the driver's protocol, to which the site's content security policy does not apply.
        found = Axe().run(self.browser, options={"resultTypes": ["violations"]})["violations"]
        return [
            f"{each['id']}: {node['html'][:120]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]
