"""The page's whole story in a browser, before a daemon that measures: what is seen, what is done,
who may not, and what the audit log tells of it."""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spektron_edge.roles import ACTIONS, may
from tests.integration.rig import until
from tests.requirements import need

# Where it is missing, the fixture says so: it may be required.
with contextlib.suppress(ImportError):
    from playwright.sync_api import expect

    from tests.integration.page_bench import (
        CUPS,
        PASSWORD,
        PATIENCE_MS,
        Bench,
        Visitor,
        bench,
    )
    from tests.page_browser import chromium

# test_page.py has the server on every Python.
pytestmark = pytest.mark.once

REASON = "seen on the page"
BACK = "Go back to what was in use before"
# Commands of which the page has a button, and who may not press it is told so there.
FORBIDDEN_TO_VIEWERS = {
    "instrument": 8,
    "transfer": 2,
    "adaptation": 4,
    "records": 2,
    "support": 1,
}
_ASK = """async ([method, path, given]) => {
  const session = await (await fetch("api/v1/session")).json();
  const headers = {"Content-Type": "application/json", "X-CSRF-Token": session.csrf};
  const body = given === null ? undefined : JSON.stringify(given);
  return (await fetch(`api/v1/${path}`, {method, headers, body})).status;
}"""
# Whether a canvas has anything on it.
_DRAWN = """(canvas) => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((x) => x > 0);
}"""


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Bench]:
    need("browser")
    need("broker")
    with bench(tmp_path) as made:
        yield made


# A minute of people's work; beside others on a slow machine it was four.
@pytest.mark.timeout(900)
def test_an_engineer_does_everything_and_a_viewer_nothing(found: Bench) -> None:
    with chromium() as program:
        anna = Visitor(program, found.url, viewport={"width": 1280, "height": 900})
        anna.first_account(found.code, "anna")
        sees_a_spectrum(anna)
        takes_a_reference(anna, found)
        transfers(anna, found)
        adapts(anna, found)
        saves_records(anna, found)
        gives_an_account(anna, "vera", "viewer")
        vera = Visitor(program, found.url, viewport={"width": 360, "height": 740})
        vera.sign_in("vera")
        found.propose()
        may_do_nothing(vera)
        tells_all(anna, found)
        assert not anna.heard + vera.heard


def sees_a_spectrum(anna: Visitor) -> None:
    page = anna.page
    for kind in ("Absorbance", "Raw counts", "Difference"):
        page.get_by_role("radio", name=kind, exact=True).check()
        canvas = page.locator(".now-spectrum canvas")
        canvas.wait_for()
        until(lambda canvas=canvas: canvas.evaluate(_DRAWN), f"a drawn {kind}")
    words = page.locator("main").inner_text()
    for told in ("Moisture", "Hotelling T²", "Age of the dark", "VIRT-0006", "Broker"):
        assert told in words
    page.get_by_text("Broker").first.wait_for()


def takes_a_reference(anna: Visitor, found: Bench) -> None:
    anna.go("instrument")
    anna.press("Take the dark")
    anna.press("Take the white")
    for what in ("take-dark", "take-reference"):
        until(lambda what=what: "finished" in stages(found, what), f"{what} in the audit log")
    expect(anna.page.locator(".action .problem")).to_have_count(0)


def transfers(anna: Visitor, found: Bench) -> None:
    page = anna.page
    anna.measure_cups(found)
    anna.compute()
    picture = page.locator("img.picture")
    until(lambda: picture.evaluate("(image) => image.naturalWidth"), "the plot of the fit")
    expect(page.locator("main")).to_contain_text("Expected error (RMSEP)")
    assert in_use(found, "transfer") is None
    anna.press("Use this transfer")
    anna.sign(REASON)
    page.locator("button", has_text=BACK).wait_for(timeout=PATIENCE_MS)
    until(lambda: in_use(found, "transfer") is not None, "a prediction by the transfer")


def adapts(anna: Visitor, found: Bench) -> None:
    """Nothing while there is a transfer: back from that first."""
    number = found.propose()
    anna.go("adaptation")
    card = anna.page.locator(".card", has_text=f"Proposal {number}").last
    card.locator("canvas").wait_for()
    expect(card).to_contain_text("Nothing changes now: transfer 1 is in use")
    anna.go("transfer")
    anna.press(BACK)
    anna.sign(REASON)
    anna.page.get_by_text("own calibration is in use.").wait_for()
    until(lambda: in_use(found, "transfer") is None, "a prediction without it")
    uses_it_again(anna, found)
    anna.go("adaptation")
    card.get_by_text("From the next scan after your signature on").wait_for()
    anna.press("Approve")
    anna.sign(REASON)
    until(lambda: in_use(found, "adaptation") is not None, "a prediction with the adaptation")
    assert in_use(found, "adaptation")["approved_by"] == ["anna"]
    expect(anna.page.locator(".in-use")).to_have_text(f"adaptation {number}")
    anna.press("One step back")
    anna.sign(REASON, "responsible")
    until(lambda: in_use(found, "adaptation") is None, "a prediction as the bundle was made")
    expect(anna.page.locator(".in-use")).to_contain_text("own calibration")


def uses_it_again(anna: Visitor, found: Bench) -> None:
    anna.press("Use transfer 1 again")
    anna.sign(REASON)
    until(lambda: in_use(found, "transfer") is not None, "a prediction by the kept transfer")
    anna.press(BACK)
    anna.sign(REASON)
    anna.page.get_by_text("own calibration is in use.").wait_for()
    until(lambda: in_use(found, "transfer") is None, "a prediction without it again")


def saves_records(anna: Visitor, found: Bench) -> None:
    anna.go("records")
    rows = list(csv.DictReader(io.StringIO(saved(anna, "Save as a table (CSV)").decode("utf-8"))))
    assert len(rows) > 20
    until(lambda: {row["id"] for row in rows} <= published(found), "what the table tells")
    spectra = saved(anna, "Save all spectra (JCAMP-DX)").decode("ascii")
    assert spectra.startswith("##TITLE=")
    assert "##JCAMP-DX=" in spectra
    anna.go("support")
    with zipfile.ZipFile(io.BytesIO(saved(anna, "Save the support file"))) as support:
        assert support.testzip() is None
        whole = b"".join(support.read(name) for name in support.namelist())
    assert b"$argon2" not in whole


def saved(anna: Visitor, link: str) -> bytes:
    with anna.page.expect_download() as coming:
        anna.page.get_by_role("link", name=link).click()
    return Path(coming.value.path()).read_bytes()


def gives_an_account(anna: Visitor, name: str, role: str) -> None:
    anna.go("users")
    anna.page.get_by_label("Name", exact=True).fill(name)
    anna.page.get_by_label("Role", exact=True).select_option(role)
    anna.page.get_by_label("First password").fill(PASSWORD)
    anna.press("Add the account")
    dialog = anna.page.get_by_role("dialog")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Add the account").click()
    anna.page.get_by_text(f"{name} has an account now.").wait_for()


def may_do_nothing(vera: Visitor) -> None:
    """Every button that is off says why and asks for nothing; the server refuses each by itself."""
    sent: list[str] = []
    vera.page.on("request", lambda r: sent.append(r.url) if r.method != "GET" else None)
    for view, count in FORBIDDEN_TO_VIEWERS.items():
        vera.go(view)
        off = vera.page.locator(".action button[aria-disabled=true]:visible")
        expect(off).to_have_count(count)
        for button in off.all():
            reason = button.get_attribute("aria-describedby")
            expect(vera.page.locator(f"#{reason}")).to_contain_text("Needs the role")
            button.click(force=True)
    assert vera.page.locator("dialog").count() == 0
    assert sent == []

    signed = {"password": PASSWORD, "meaning": "approved", "reason": REASON}
    asked = [
        ("POST", f"commands/{name}", {"arguments": {}, **signed})
        for name in ACTIONS
        if not may("viewer", name, {}) and not name.startswith("bundle-")
    ]
    asked += [
        ("POST", "bundles/a/activate", signed),
        ("POST", "bundles/rollback", signed),
        ("POST", "users", {"user": "eve", "role": "engineer", "password": PASSWORD}),
        ("PATCH", "users/vera", {"role": "engineer"}),
        *(("GET", path, None) for path in ("users", "records.csv", "spectra", "support.zip")),
    ]
    status = {path: vera.page.evaluate(_ASK, [how, path, given]) for how, path, given in asked}
    assert set(status.values()) == {403}, status


def tells_all(anna: Visitor, found: Bench) -> None:
    """The log on the page, and that it holds."""
    anna.go("audit")
    anna.press("Verify the log")
    anna.page.get_by_text("The chain holds.").wait_for()
    expect(anna.page.locator("main table")).to_contain_text("vera")

    done = {(line["who"], line["what"]) for line in found.rig.audited}
    assert done >= {
        ("anna", what)
        for what in (
            "page_first_account",
            "page_exported",
            "page_user_add",
            "transfer_sample_added",
            "transfer_activated",
            "transfer_rolled_back",
            "adaptation_approved",
            "adaptation_installed",
            "adaptation_rolled_back",
        )
    }
    assert done >= {("vera", "page_signed_in"), ("vera", "page_refused")}
    for what in ("transfer-finish", "transfer-rollback", "adapt-approve"):
        assert {d["meaning"] for d in commands(found, what) if d["meaning"]} == {
            f"approved: {REASON}"
        }
    assert {d["meaning"] for d in commands(found, "adapt-rollback")} == {f"responsible: {REASON}"}
    assert {d["through"] for d in commands(found, "transfer-add")} == {"page"}
    added = [d for d in commands(found, "transfer-add") if d["stage"] == "finished"]
    assert len(added) == len(CUPS)


def commands(found: Bench, name: str) -> list[dict]:
    """Details of its lines in the audit log."""
    return [line["details"] for line in found.rig.audited if line["what"] == f"command_{name}"]


def stages(found: Bench, name: str) -> set[str]:
    return {details["stage"] for details in commands(found, name)}


def published(found: Bench) -> set[str]:
    """Ids of predictions."""
    found.rig.gather(found.rig.subscriber)
    return set(found.rig.received)


def in_use(found: Bench, part: str) -> dict | None:
    """transfer or adaptation of the newest prediction that was published."""
    found.rig.gather(found.rig.subscriber)
    return found.rig.newest["model"][part]
