"""A real browser for the tests of pages, started when the first of them needs it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Any of them will do."""

ELSEWHERE = (Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),)

REQUIRED_BY = ("CI", "REQUIRE_BROWSER")
"""With one of these variables, a missing browser is a failure."""

ARGUMENTS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

MISSING = (
    "No browser was found (chromium, google-chrome): this leaves out tests/pages/test_in_browser.py"
    ", the tests that look at the pages of tap-orgvue-report."
)


def find_browser() -> str | None:
    """The path of a browser, or None."""
    found = [path for name in PROGRAMS if (path := shutil.which(name))]
    return next(iter([*found, *(str(path) for path in ELSEWHERE if path.exists())]), None)


def leave_out_without_browser() -> None:
    """Leave a module of tests out, in one line, where no browser is and none has to be."""
    if find_browser() is None and not any(os.environ.get(name) for name in REQUIRED_BY):
        pytest.skip(MISSING, allow_module_level=True)


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """Start a browser, or fail."""
    path = find_browser()
    if path is None:
        pytest.fail(MISSING)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if is_root else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class OpenPage:
    """A page as a user opens it from disk.

    Attributes:
        page: The page.
        complaints: What the browser wrote on its console, and errors of scripts.
        requests: The addresses that were requested beside the page's own file.
    """

    def __init__(self, context: BrowserContext, path: Path) -> None:
        """Open a file."""
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        address = path.as_uri()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on(
            "request",
            lambda request: (
                None
                if request.url.partition("#")[0] == address
                else self.requests.append(request.url)
            ),
        )
        self.page.goto(address)

    def shown(self, selector: str) -> int:
        """The number of elements that a user can see."""
        # A locator looks into every element of a page for more: a second in a large one.
        return int(
            self.page.evaluate(
                "selector => [...document.querySelectorAll(selector)]"
                ".filter(element => element.checkVisibility()).length",
                selector,
            )
        )

    def search(self, table: str, text: str) -> str:
        """Type a text into the search field of a table; what the page says of the result."""
        form = f"document.querySelector('form[data-find={table}]')"
        self.page.evaluate(f"{form}.querySelector('input').select()")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")
        return str(self.page.evaluate(f"{form}.querySelector('output').textContent"))
