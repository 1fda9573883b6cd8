"""A browser for the session, and pages of made-up runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from harness.report.html import html_report
from tests.unit.html.report_page import HOSTILE, plain_data, rich_data

_NAMES = ("chromium", "chromium-browser", "google-chrome")
DRAWN = "html[data-drawn=yes]"
PATIENCE_MS = 30_000


@pytest.fixture(autouse=True, scope="session")
def _no_fsync() -> Iterator[None]:
    """Made-up evidence need not outlive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Whatever Chromium the machine has; none is fetched."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here: install Debian's package chromium")
    # A container's root may not use Chromium's own sandbox; the pages are our own.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files by name: a run with everything, and one with words that would do harm."""
    folder = tmp_path_factory.mktemp("pages")
    plain = plain_data(folder)
    found: dict[str, Path] = {}
    for name, data in {
        "rich": rich_data(plain),
        "hostile": rich_data(plain, HOSTILE),
    }.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(html_report(data), encoding="utf-8")
    return found


@dataclass
class Opened:
    """A page with what happened on it.

    Attributes:
        said: what the console and uncaught errors said.
        asked: addresses beyond the page's own that it asked for.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Opener:
    """Opens pages in contexts of their own."""

    browser: Browser

    def open(
        self,
        path: Path,
        *,
        width: int = 1280,
        script: bool = True,
        phone: bool = False,
    ) -> Opened:
        """A page, drawn as far as it can be."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="light",
            java_script_enabled=script,
            has_touch=phone,
            is_mobile=phone,
            offline=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        opened = Opened(page)
        address = path.as_uri()
        page.on("console", lambda message: opened.said.append(message.text))
        page.on("pageerror", lambda error: opened.said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url == address else opened.asked.append(request.url[:100])
            ),
        )
        page.goto(address)
        if script:
            page.wait_for_selector(DRAWN)
        return opened


@pytest.fixture(scope="session")
def opener(browser: Browser) -> Opener:
    """Opens pages."""
    return Opener(browser)


@pytest.fixture(scope="session")
def rich(opener: Opener, pages: dict[str, Path]) -> Iterator[Opened]:
    """The page with everything in it, on a desktop in light mode."""
    opened = opener.open(pages["rich"])
    yield opened
    opened.page.context.close()
