"""Without a browser, the tests that need one are left out; where one has to be, they fail."""

from __future__ import annotations

import pytest

from tests.support import browser


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without a browser that is no CI's."""
    monkeypatch.setattr(browser, "find_browser", lambda: None)
    for name in browser.REQUIRED_BY:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.usefixtures("no_browser")
def test_a_missing_browser_leaves_tests_out() -> None:
    """The whole module at once, so in one line, which says which tests these are."""
    with pytest.raises(pytest.skip.Exception, match=r"tests/pages/test_in_browser\.py") as skipped:
        browser.leave_out_without_browser()
    assert skipped.value.allow_module_level


@pytest.mark.parametrize("name", browser.REQUIRED_BY)
def test_a_missing_browser_fails_in_ci(no_browser: pytest.MonkeyPatch, name: str) -> None:
    """A CI without a browser would test the pages no longer, and nobody would see."""
    no_browser.setenv(name, "1")
    browser.leave_out_without_browser()
    with pytest.raises(pytest.fail.Exception, match="No browser was found"), browser.started():
        pass
