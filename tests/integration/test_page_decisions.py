"""The guided transfer and the decision about an adaptation, in a browser."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from tests.page_cups import Cups
from tests.page_stage import PASSWORD, Stage, stage
from tests.requirements import need

# Where it is missing, the fixture says so: it may be required.
with contextlib.suppress(ImportError):
    from playwright.sync_api import Browser, Page

    from tests.page_browser import chromium

# A browser sees nothing of Python's version.
pytestmark = pytest.mark.once

_CUPS = ["55", "75", "5", "16", "50"]
_SIGNED = {"meaning": "approved", "reason": "five cups fit", "password": PASSWORD}


@pytest.fixture(scope="module", name="chromium")
def _chromium() -> Iterator[Browser]:
    need("browser")
    with chromium() as program:
        yield program


@pytest.fixture
def stand() -> Iterator[Stage]:
    with stage() as found:
        yield found


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1024, "height": 768}, locale="en-GB")
    found = context.new_page()
    trouble: list[str] = []
    found.on("pageerror", lambda error: trouble.append(str(error)))
    yield found
    context.close()
    assert not trouble


def _press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def _sign(page: Page) -> None:
    page.get_by_label("What your signature means").select_option(_SIGNED["meaning"])
    page.get_by_label("Reason").fill(_SIGNED["reason"])
    page.get_by_label("Your password").fill(PASSWORD)
    _press(page, "Sign")


def test_who_never_read_the_manual_comes_through_with_five_cups(page: Page, stand: Stage) -> None:
    stand.cups = Cups(wrong=("75",))
    page.goto(f"{stand.url}#/transfer")
    page.get_by_label("Numbers on the cups").fill(" 55, 75 5;16, 50")
    _press(page, "Begin the transfer")
    for cup in _CUPS:
        page.locator(".cup", has_text=re.compile(f"^{cup}$")).wait_for()
        _press(page, "The cup is in place: measure it")
        page.get_by_text(f"Sample {cup} is measured").first.wait_for()
    page.get_by_text("This looks like sample 99, not 75.").first.wait_for()
    _press(page, "Measure again: 75")
    _press(page, "The cup is in place: measure it")
    page.get_by_text("Sample 75 is measured.").wait_for()
    _press(page, "Compute the error")
    page.get_by_text("0.158 % by mass").wait_for()
    assert "own calibration" in page.locator(".means").inner_text()
    _press(page, "Use this transfer")
    _press(page, "Cancel")
    assert stand.asked[-1]["arguments"] == {"dry_run": True}
    _press(page, "Use this transfer")
    _sign(page)
    page.get_by_role("button", name="Go back to what was in use before").wait_for()

    assert [asked["name"] for asked in stand.asked] == [
        "transfer-start",
        *["transfer-add"] * 6,
        *["transfer-finish"] * 2,
    ]
    assert stand.asked[0]["arguments"] == {"samples": _CUPS}
    measured = [asked["arguments"]["sample"] for asked in stand.asked[1:7]]
    assert measured == [*_CUPS, "75"]
    assert stand.asked[-1] == {
        "name": "transfer-finish",
        "arguments": {"seen": "0fe2"},
        **_SIGNED,
    }


def test_an_approval_shows_both_sides_and_carries_its_signature(page: Page, stand: Stage) -> None:
    page.goto(f"{stand.url}#/adaptation")
    proposal = page.locator(".card", has=page.get_by_role("heading", name="Proposal 5"))
    proposal.get_by_text("Nothing says that the instrument changed").wait_for()
    assert "In use now: adaptation 4." in proposal.locator(".means").inner_text()
    proposal.locator("canvas").wait_for()
    _press(page, "Approve")
    _press(page, "Cancel")
    assert not stand.asked
    _press(page, "Approve")
    _sign(page)
    page.get_by_text("Done. In use now: adaptation 4.").wait_for()
    assert stand.asked == [{"name": "adapt-approve", "arguments": {"adaptation": 5}, **_SIGNED}]


def test_a_viewer_is_told_why_and_asks_for_nothing(page: Page, stand: Stage) -> None:
    stand.role = "viewer"
    page.goto(f"{stand.url}#/adaptation")
    approve = page.get_by_role("button", name="Approve", exact=True)
    approve.wait_for()
    assert approve.get_attribute("aria-disabled") == "true"
    assert (
        approve.evaluate(
            "b => document.getElementById(b.getAttribute('aria-describedby')).textContent"
        )
        == "Needs the role engineer."
    )
    approve.click(force=True)
    assert page.locator("dialog").count() == 0
    assert not stand.asked
