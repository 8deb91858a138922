"""The machine's own browser, for tests of the page. Needs playwright."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.requirements import browser


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's; it ends with the block."""
    with sync_playwright() as driver:
        program = driver.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        yield program
        program.close()
