"""Pictures of the page for README.md and docs/page.md, from a run: `make screenshots`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

from tests.integration.page_bench import PATIENCE_MS, Visitor, bench
from tests.page_browser import chromium

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "page"
MOST_BYTES = 200_000
WIDE, NARROW = 1280, 360
HEIGHTS = {WIDE: 1150, NARROW: 900}
_SETTLE_MS = 1500
# Below what stays at the top.
_TO_TOP = "(e) => scrollTo(0, e.getBoundingClientRect().top + scrollY - 80)"


def pictures(folder: Path = FOLDER) -> None:
    """folder/VIEW-THEME-WIDTH.png: a waiting adaptation, a transfer half way, predictions."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, bench(Path(name)) as found, chromium() as program:
        anna = Visitor(program, found.url, viewport={"width": WIDE, "height": HEIGHTS[WIDE]})
        anna.first_account(found.code, "anna")
        take = camera(program, found.url, anna, folder)
        found.propose()
        take("adaptation", "Proposal 1")
        anna.measure_cups(found, pictured=lambda: take("transfer"))
        anna.compute()
        anna.press("Use this transfer")
        anna.sign("five cups fit")
        back = anna.page.locator("button", has_text="Go back to what was in use before")
        back.wait_for(timeout=PATIENCE_MS)
        for view in ("now", "history"):
            take(view)


def camera(program: Browser, url: str, anna: Visitor, folder: Path) -> Callable[..., None]:
    """What takes pictures of a view, in browsers of all shapes and colours in anna's session:
    from a heading on where one is given."""

    def picture(view: str, heading: str | None = None) -> None:
        for theme in ("light", "dark"):
            for width, height in HEIGHTS.items():
                shape = {"width": width, "height": height}
                seen = Visitor(
                    program,
                    url,
                    viewport=shape,
                    color_scheme=theme,
                    storage_state=anna.context.storage_state(),
                )
                seen.page.goto(url)
                seen.page.locator("nav").wait_for()
                seen.go(view)
                if heading is not None:
                    seen.page.get_by_role("heading", name=heading, exact=True).evaluate(_TO_TOP)
                seen.page.wait_for_timeout(_SETTLE_MS)
                path = folder / f"{view}-{theme}-{width}.png"
                seen.page.screenshot(path=path)
                seen.context.close()
                assert path.stat().st_size < MOST_BYTES, path

    return picture


if __name__ == "__main__":
    pictures()
