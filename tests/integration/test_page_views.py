"""Every view in a real browser: reachable, legible, within its screen, silent on the console."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import npm
from tests.page_stage import PASSWORD, VIEWS, Stage, stage
from tests.requirements import need

# Where it is missing, the fixture says so: it may be required.
with contextlib.suppress(ImportError):
    from playwright.sync_api import Browser, Page, expect

    from tests.page_browser import chromium

# A browser sees nothing of Python's version.
pytestmark = pytest.mark.once

FIRST_VIEW_BYTES = 300_000
_AXE = "axe-core@4.14.1"
# What the policy refuses is an error of the console as well; this says which rule it was.
_LISTEN = """
window.refused = [];
addEventListener("securitypolicyviolation", (e) => refused.push(e.violatedDirective));
"""
_RUN_AXE = """async () => (await axe.run(document, {preload: false, resultTypes: ["violations"]}))
  .violations.filter((v) => ["serious", "critical"].includes(v.impact))
  .map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 160))])"""
_TOO_SMALL = """() => [...document.querySelectorAll("button, nav a, input, select, a.button")]
  .filter((e) => e.checkVisibility() && !["checkbox", "radio"].includes(e.type))
  .filter((e) => e.getBoundingClientRect().height < 47.5).map((e) => e.outerHTML.slice(0, 120))"""
# On a phone a table stacks its cells: what is beyond the edge would not be seen.
_CUT_OFF = """() => [...document.querySelectorAll(".table")]
  .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.getAttribute("aria-label") + " " + e.innerText.slice(0, 60))"""
# Of a group of radio buttons the keyboard visits one, and arrows the others.
_TABBABLE = """() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")]
    .filter((e) => e.checkVisibility() && !e.disabled && (e.type !== "radio" || e.checked));
  all.forEach((e, i) => { e.dataset.place = i; });
  return all.length;
}"""
_FOCUSED = """() => {
  const e = document.activeElement;
  const shown = getComputedStyle(e.type === "radio" ? e.nextElementSibling : e);
  return [e.dataset.place ?? null, shown.outlineStyle !== "none"];
}"""


@pytest.fixture(scope="module", name="chromium")
def _chromium() -> Iterator[Browser]:
    need("browser")
    with chromium() as program:
        yield program


@pytest.fixture(scope="module")
def axe() -> str:
    need("node")
    folder = npm.installed(_AXE)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def staged() -> Iterator[Stage]:
    with stage() as found:
        yield found


class Heard(list[str]):
    """What a page said on its console, and of what was refused to it."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        page.on("console", lambda m: self.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.append(str(error)))
        page.add_init_script(_LISTEN)


def opened(chromium: Browser, staged: Stage, width: int = 1024, theme: str = "light") -> Page:
    """A page of that width in pixels."""
    shape: Any = {"width": width, "height": 800}
    page = chromium.new_page(viewport=shape, color_scheme="dark" if theme == "dark" else "light")
    page.set_default_timeout(10_000)
    return page


def shown(page: Page, view: str) -> None:
    """Go to a view, and wait until it is there."""
    page.evaluate("(hash) => { location.hash = hash; }", f"#/{view}")
    expect(page.locator("nav a[aria-current=page]")).to_have_attribute("href", f"#/{view}")
    page.locator("main h1").wait_for()
    page.locator("main .card >> visible=true").first.wait_for()
    expect(page.locator("main .loading")).to_have_count(0)


def checked(page: Page, width: int) -> dict[str, object]:
    """What is wrong with what is shown now; empty where nothing is."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    wrong: dict[str, object] = {
        "axe": page.evaluate(_RUN_AXE),
        "policy": page.evaluate("refused"),
        "too small": page.evaluate(_TOO_SMALL),
        "too wide": wide if wide > width else None,
        "cut off": page.evaluate(_CUT_OFF) if width < 640 else None,
    }
    return {name: found for name, found in wrong.items() if found}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
def test_views_are_accessible_and_fit(
    chromium: Browser, axe: str, staged: Stage, width: int, theme: str
) -> None:
    staged.rate = 2
    page = opened(chromium, staged, width, theme)
    heard = Heard(page)
    wrong: dict[str, object] = {}
    for name in ("sign in", "first boot"):
        staged.signed_in, staged.first_boot = False, name == "first boot"
        page.goto(staged.url)
        page.locator("form.entrance").wait_for()
        page.evaluate(axe)
        wrong[name] = checked(page, width)
    staged.signed_in, staged.first_boot = True, False
    page.goto(staged.url)
    page.locator(".now-spectrum canvas").wait_for()
    page.evaluate(axe)
    for view in VIEWS:
        shown(page, view)
        wrong[view] = checked(page, width)
    page.close()
    assert not any(wrong.values()), json.dumps(wrong, indent=1)
    assert not heard


def test_keyboard_reaches_everything_and_shows_where_it_is(
    chromium: Browser, staged: Stage
) -> None:
    staged.rate = 2
    page = opened(chromium, staged)
    page.goto(staged.url)
    page.locator(".now-spectrum canvas").wait_for()
    for view in VIEWS:
        shown(page, view)
        page.locator("h1").focus()
        places = page.evaluate(_TABBABLE)
        reached = set()
        # Once around: beyond the last the browser's own controls have the focus for a moment.
        for _ in range(places + 3):
            page.keyboard.press("Tab")
            place, visible = page.evaluate(_FOCUSED)
            if place is not None:
                assert visible, (view, place)
                reached.add(int(place))
        assert len(reached) == places, (view, set(range(places)) - reached)
    page.close()


def test_first_view_is_small(chromium: Browser, staged: Stage) -> None:
    page = opened(chromium, staged)
    page.goto(staged.url)
    page.locator(".now-spectrum canvas").wait_for()
    sizes = page.evaluate("""() => ["navigation", "resource"]
      .flatMap((kind) => performance.getEntriesByType(kind))
      .map((e) => [e.name, e.encodedBodySize])""")
    page.close()
    assert any(name.endswith("uPlot.esm.js") and size > 0 for name, size in sizes)
    assert sum(size for _, size in sizes) < FIRST_VIEW_BYTES, sizes


def test_signing_in_and_out(chromium: Browser, staged: Stage) -> None:
    staged.signed_in = False
    page = opened(chromium, staged)
    page.goto(staged.url)
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("h1")).to_have_text("Live")
    page.get_by_role("button", name="Account of anna").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign in")
    page.close()


def test_first_account_is_made_with_the_code(chromium: Browser, staged: Stage) -> None:
    staged.signed_in, staged.first_boot = False, True
    page = opened(chromium, staged)
    page.goto(staged.url)
    page.get_by_label("First-boot code").fill("other")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("alert")).to_contain_text("not the code")
    page.get_by_label("First-boot code").fill("code")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator("h1")).to_have_text("Live")
    page.close()


def test_what_a_viewer_may_not_is_off_with_the_reason(chromium: Browser, staged: Stage) -> None:
    staged.role = "viewer"
    page = opened(chromium, staged)
    page.goto(staged.url + "#/instrument")
    button = page.get_by_role("button", name="Take the dark")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description("Needs the role operator.")
    button.click(force=True)
    page.close()
    assert not staged.asked


def test_a_refused_command_says_what_to_do(chromium: Browser, staged: Stage) -> None:
    staged.refuse = {"error": "lamp_not_warm", "message": "2 of 15 min", "next_step": "wait"}
    page = opened(chromium, staged)
    page.goto(staged.url + "#/instrument")
    page.get_by_role("button", name="Scan now").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The lamp is not warm yet.")
    expect(alert.locator(".detail")).to_have_text("2 of 15 min")
    expect(alert).to_contain_text("scans count once the lamp is stable")
    page.close()
    assert [one["name"] for one in staged.asked] == ["scan-now"]


def test_a_product_is_chosen_among_those_of_the_bundle(chromium: Browser, staged: Stage) -> None:
    page = opened(chromium, staged)
    page.goto(staged.url + "#/instrument")
    product = page.get_by_label("What is measured")
    expect(product).to_have_value("corn")
    product.select_option("soy")
    page.get_by_role("button", name="Measure this product").click()
    page.get_by_text("soy is measured now.").wait_for()
    page.close()
    assert [one["arguments"] for one in staged.asked] == [{"product": "soy"}]


def test_who_comes_to_an_idle_page_looks_on_and_signs_in_to_act(
    chromium: Browser, staged: Stage
) -> None:
    staged.idle = True
    page = opened(chromium, staged)
    page.goto(staged.url + "#/instrument")
    expect(page.locator(".banner")).to_contain_text("only shows values")
    page.get_by_role("button", name="Scan now").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator(".note")).to_contain_text("Nothing was done here for long")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Scan now").click()
    page.get_by_text("Scan 201 is measured").wait_for()
    expect(page.locator(".banner")).to_be_empty()
    page.close()
    assert [one["name"] for one in staged.asked] == ["scan-now"]


def test_an_approval_is_signed_with_its_meaning(chromium: Browser, staged: Stage) -> None:
    page = opened(chromium, staged)
    page.goto(staged.url + "#/adaptation")
    page.get_by_role("button", name="Approve", exact=True).click()
    dialog = page.get_by_role("dialog")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert not staged.asked
    page.get_by_role("button", name="Approve", exact=True).click()
    dialog.get_by_label("What your signature means").select_option("responsible")
    dialog.get_by_label("Reason").fill("lamp changed")
    wrong = {"error": "wrong", "message": "name or password is wrong", "next_step": "check it"}
    staged.refuse = wrong
    dialog.get_by_label("Your password").fill("not hers")
    dialog.get_by_role("button", name="Sign").click()
    # What was typed stays, but for the password.
    expect(dialog.get_by_role("alert")).to_contain_text("password is wrong")
    expect(dialog.get_by_label("Reason")).to_have_value("lamp changed")
    expect(dialog.get_by_label("Your password")).to_be_focused()
    staged.refuse = None
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign").click()
    expect(page.get_by_text("Done. In use now: adaptation 4.")).to_be_visible()
    page.close()
    sent = staged.asked[-1]
    assert sent["name"] == "adapt-approve"
    assert sent["arguments"]["adaptation"] == 5
    assert (sent["password"], sent["meaning"], sent["reason"]) == (
        PASSWORD,
        "responsible",
        "lamp changed",
    )


def test_a_lost_daemon_and_an_invalid_value_are_said(chromium: Browser, staged: Stage) -> None:
    staged.door, staged.valid = False, False
    page = opened(chromium, staged)
    page.goto(staged.url)
    expect(page.locator(".banner")).to_contain_text("daemon is away since")
    verdict = page.locator(".now-values")
    expect(verdict).to_contain_text("Not valid")
    expect(verdict).to_contain_text("outside the calibration")
    staged.silent = True
    page.reload()
    expect(page.locator(".banner")).to_contain_text("daemon has said nothing since")
    page.close()


def test_nothing_known_is_not_told_as_well(chromium: Browser, staged: Stage) -> None:
    staged.streaming = False
    page = opened(chromium, staged)
    page.goto(staged.url)
    expect(page.locator(".faults")).to_have_text("•Not known")
    expect(page.locator(".verdict")).to_be_hidden()
    page.close()


def test_a_chosen_theme_outlives_the_page(chromium: Browser, staged: Stage) -> None:
    page = opened(chromium, staged)
    page.goto(staged.url)
    page.get_by_role("button", name="Light or dark").click()
    page.get_by_role("radio", name="Dark").check()
    page.get_by_role("button", name="OK").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 20, 26)"
    page.close()


def test_an_ended_stream_is_said_and_opened_again(chromium: Browser, staged: Stage) -> None:
    page = opened(chromium, staged)
    page.goto(staged.url)
    when = page.locator(".when")
    expect(when).to_be_visible()
    staged.streaming = False
    expect(page.locator(".banner")).to_contain_text("No connection", timeout=20_000)
    staged.streaming = True
    expect(page.locator(".banner")).to_be_empty(timeout=20_000)
    page.close()


def test_what_came_long_ago_does_not_pass_for_now(chromium: Browser, staged: Stage) -> None:
    staged.rate = 1
    page = opened(chromium, staged)
    page.clock.install()
    page.goto(staged.url)
    verdict = page.locator(".verdict")
    expect(verdict).to_have_text("✓Valid")
    staged.streaming = False
    expect(page.locator(".banner")).to_contain_text("No connection", timeout=20_000)
    page.clock.fast_forward("03:00")
    expect(verdict).to_contain_text("3 min old")
    expect(page.locator(".values")).to_have_class("values not-valid")
    page.close()


def test_a_bundle_is_sent_shown_and_installed_with_a_signature(
    chromium: Browser, staged: Stage
) -> None:
    page = opened(chromium, staged, 360)
    page.goto(staged.url + "#/bundles")
    page.get_by_role("button", name="Send and verify").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose the file")
    file: Any = {"name": "corn.spektron", "mimeType": "", "buffer": b"PK" * 50_000}
    page.get_by_label("File of the bundle").set_input_files(file)
    page.get_by_role("button", name="Send and verify").click()
    shown_now = page.locator(".accept")
    expect(shown_now.get_by_role("heading")).to_be_focused()
    for words in ("corn-3-0123456789ab", "corn, soy", "Laboratory", "5e5e"):
        expect(shown_now).to_contain_text(words)
    assert staged.sent == file["buffer"]
    assert not staged.asked
    page.get_by_role("button", name="Install it").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("corn-3-0123456789ab is tried")
    dialog.get_by_label("Reason").fill("new harvest")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign").click()
    expect(page.locator(".notice")).to_contain_text("is in slot B now")
    expect(shown_now).to_be_hidden()
    page.close()
    (sent,) = staged.asked
    assert (sent["sha256"], sent["reason"]) == ("5e" * 32, "new harvest")
