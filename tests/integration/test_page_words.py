"""The page in a language that is none: every text of text/en.json stands in brackets, so that
whatever else has letters came from somewhere else."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.page_cups import Cups
from tests.page_stage import PASSWORD, STATIC, VIEWS, Stage, stage
from tests.requirements import need

# Where it is missing, the fixture says so: it may be required.
with contextlib.suppress(ImportError):
    from playwright.sync_api import Browser, Page, Route, expect

    from tests.page_browser import chromium

# A browser sees nothing of Python's version.
pytestmark = pytest.mark.once

# What the stage's instrument, its people and its log are called; the program's name; identifiers;
# times, units and powers of ten. Longer ones first.
_DATA = re.compile(
    r"Spektron Edge|VIRT-\d{4}|virtual 1\.4|CPUExecutionProvider, fp32|t-2f81|t-1c07|t-77aa"
    r"|05e282bb33a5|corn-\d-[0-9a-f]{12}|corn-check|[0-9a-f]{64}|0fe2|m5|lab|Laboratory|anna|ben"
    r"|carl|corn|soy|% by mass|Moisture|Oil|Protein|Starch|moisture|oil|protein|starch"
    r"|lamp changed|\b[a-z]+(?:_[a-z]+)+\b|\bq, t2\b|\bq\b"
    r"|Command take dark|Through: page|Role: operator"
    r"|\d+ \w{3} \d{4}, \d\d:\d\d:\d\d|[\d.]+ e-?\d+|[\d.,]+ (?:nm|ms|µs|s|min|h|d|MiB)\b|nm|°C"
    # The slots' own names.
    r"|(?<=⟦)[AB]\b"
)
_LETTERS = re.compile(r"[^\W\d_]+")
_SHOWN = """() => [document.title, document.body.innerText,
  ...["aria-label", "title", "alt", "placeholder", "aria-valuetext"].flatMap((name) =>
    [...document.querySelectorAll(`[${name}]`)]
      .filter((e) => e.checkVisibility()).map((e) => e.getAttribute(name))),
  ...[...document.querySelectorAll("option")].map((e) => e.text)]"""
# The instrument's own words beside ours, as its log has them.
_DETAILS = "() => [...document.querySelectorAll('.detail')].map((e) => e.innerText)"


@pytest.fixture(scope="module", name="chromium")
def _chromium() -> Iterator[Browser]:
    need("browser")
    with chromium() as program:
        yield program


def bracketed(sentence: str) -> str:
    """The sentence's own letters in brackets, and not what its holes are filled with."""
    parts = re.split(r"(\{\w+\})", sentence)
    return "".join(part if part.startswith("{") else f"⟦{part}⟧" for part in parts if part)


def _translate(route: Route) -> None:
    words = json.loads((STATIC / "text" / "en.json").read_text(encoding="utf-8"))
    route.fulfill(json={key: bracketed(text) for key, text in words.items()})


def left_over(page: Page) -> set[str]:
    """Texts in sight with letters that are neither in brackets nor data."""
    found = set()
    details = page.evaluate(_DETAILS)
    for text in page.evaluate(_SHOWN):
        for detail in details:
            text = text.replace(detail, "")
        plain = _DATA.sub("", re.sub(r"⟦[^⟦⟧]*⟧", "⟧⟦", text))
        if _LETTERS.search(plain):
            found |= {line for line in plain.splitlines() if _LETTERS.search(line)}
    return found


class Reader:
    """Somebody who looks for what is not translated. wrong: where, and what."""

    def __init__(self, page: Page, staged: Stage) -> None:
        self.page, self.staged = page, staged
        self.wrong: dict[str, set[str]] = {}

    def look(self, where: str) -> None:
        if found := left_over(self.page):
            self.wrong[where] = found

    def go(self, view: str) -> None:
        """To a view, whole."""
        page = self.page
        page.evaluate("(hash) => { location.hash = hash; }", f"#/{view}")
        expect(page.locator("nav a[aria-current=page]")).to_have_attribute("href", f"#/{view}")
        page.locator("main .card >> visible=true").first.wait_for()
        expect(page.locator("main .loading")).to_have_count(0)

    def press(self, name: str) -> None:
        button = self.page.locator("main button:visible", has_text=bracketed(name))
        button.first.click()

    def sign(self) -> None:
        dialog = self.page.locator("dialog")
        dialog.locator("[name=reason]").fill("lamp changed")
        dialog.locator("[name=password]").fill(PASSWORD)
        self.look("signature")
        dialog.locator("button[type=submit]").click()


@pytest.fixture
def reader(chromium: Browser) -> Iterator[Reader]:
    with stage() as staged:
        staged.rate = 2
        shape: Any = {"width": 1024, "height": 800}
        page = chromium.new_page(viewport=shape, locale="en-GB")
        page.set_default_timeout(10_000)
        page.route("**/text/en.json", _translate)
        yield Reader(page, staged)
        page.close()


def test_the_brackets_find_what_is_not_translated(reader: Reader) -> None:
    reader.page.goto(reader.staged.url)
    reader.page.locator(".now-spectrum canvas").wait_for()
    reader.page.evaluate("document.querySelector('h1').append('anna said so')")
    assert left_over(reader.page) == {"⟧⟦ said so"}


def test_every_view_speaks_the_language_of_the_file_alone(reader: Reader) -> None:
    page, staged = reader.page, reader.staged
    for where in ("sign in", "first boot"):
        staged.signed_in, staged.first_boot = False, where == "first boot"
        page.goto(staged.url)
        page.locator("form.entrance").wait_for()
        for field in page.locator("form.entrance input").all():
            field.fill("some long words 12")
        page.locator("form.entrance button").click()
        page.locator(".problem").wait_for()
        reader.look(where)
    staged.signed_in, staged.first_boot, staged.valid = True, False, False
    page.goto(staged.url)
    page.locator(".now-spectrum canvas").wait_for()
    for view in VIEWS:
        reader.go(view)
        reader.look(view)
    reader.go("audit")
    reader.press("Verify the log")
    page.get_by_text(bracketed("The chain holds.")).wait_for()
    reader.look("verified")
    for name in ("theme", "account"):
        page.locator("header button").nth(["theme", "account"].index(name)).click()
        page.locator("dialog").wait_for()
        reader.look(name)
        page.keyboard.press("Escape")
    staged.door = False
    page.reload()
    page.locator(".banner .badge").wait_for()
    reader.look("the daemon is away")
    assert reader.wrong == {}


def test_what_comes_of_every_command_does_as_well(reader: Reader) -> None:
    page, staged = reader.page, reader.staged
    page.goto(staged.url)
    reader.go("instrument")
    page.locator("main input[type=text], main input:not([type])").first.wait_for()
    for label in ("Take the dark", "Take the white", "Scan now", "Find the time", "Ask"):
        reader.press(label)
    reader.press("Measure this product")
    reader.press("Check the wavelengths")
    reader.press("Set this time")
    expect(page.locator(".outcome .badge")).to_have_count(8)
    reader.look("commands")
    staged.refuse = {"error": "lamp_not_warm", "message": "2 of 15 min"}
    reader.press("Scan now")
    page.locator(".problem .detail").wait_for()
    reader.look("a refused command")
    staged.refuse = None
    reader.go("adaptation")
    for label in ("Approve", "Reject", "One step back"):
        reader.press(label)
        reader.sign()
        page.locator(".notice .badge").wait_for()
        reader.look(label)
    assert reader.wrong == {}


def test_a_transfer_from_cup_to_cup_does_as_well(reader: Reader) -> None:
    page, staged = reader.page, reader.staged
    staged.rate, staged.cups = 20, Cups(wrong=("75",))
    page.goto(staged.url)
    reader.go("transfer")
    page.locator("main input:visible").first.fill("55, 75, 5")
    reader.look("cups in hand")
    reader.press("Begin the transfer")
    for count in range(1, 4):
        page.locator(".cup", has_text=re.compile(r"\d")).wait_for()
        reader.press("The cup is in place: measure it")
        expect(page.locator(".samples .sample")).to_have_count(count)
        page.locator(".measuring .notice .badge").wait_for()
        reader.look(f"cup {count}")
    page.locator("summary:visible").first.click()
    reader.look("other cups")
    reader.press("Measure again")
    reader.press("The cup is in place: measure it")
    reader.press("Compute the error")
    page.locator(".picture").wait_for()
    reader.look("result")
    reader.press("Use this transfer")
    reader.sign()
    page.locator("table .badge", has_text=bracketed("in use")).wait_for()
    reader.look("in use")
    assert reader.wrong == {}
