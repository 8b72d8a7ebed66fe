"""The browser of the tests that look at pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import OpenPage, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with started() as running:
        yield running


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., OpenPage]]:
    """Opens a page from disk; by default on a desk, in daylight."""
    contexts = []

    def open_page(path: Path, width: int = 1200, **options: Any) -> OpenPage:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        # Nothing here takes long: a test that waits for what never comes should not either.
        context.set_default_timeout(10_000)
        contexts.append(context)
        return OpenPage(context, path)

    yield open_page
    for context in contexts:
        context.close()
