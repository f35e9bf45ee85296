"""One browser for all tests of a worker; each opens its own tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.chromium import Tab, browser, find_browser

OpenTab = Callable[[], Tab]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenTab]:
    """A headless Chromium."""
    if find_browser() is None:
        pytest.skip("no Chromium is installed: pages are not looked at in a browser")
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def tab(chromium: OpenTab) -> Tab:
    """A tab of its own."""
    opened = chromium()
    opened.view(1280, 900)
    return opened
