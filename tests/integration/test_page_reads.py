"""What the page reads from the folder of a daemon that measures, and of one that has stopped."""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile

import pytest
from starlette.testclient import TestClient

from spektron_edge.config.loading import load_config
from spektron_edge.door.client import DoorClient
from spektron_edge.door.door import DOOR_FILE
from spektron_edge.page.app import application
from spektron_edge.page.link import Link
from spektron_edge.page.passwords import hashed
from spektron_edge.page.routing import cookie_name
from spektron_edge.page.services import services
from tests import signers
from tests.integration.rig import listening, until

PASSWORD = "correct horse 42"


@pytest.fixture
def browse():
    """browse(rig, door=...): questions of an engineer's to a page in front of that daemon."""
    with contextlib.ExitStack() as open_ones:

        def start(rig, *, door=False):
            page = services(rig.config, load_config(rig.config), Link())
            open_ones.callback(page.close)
            token, session = page.sessions.begin(
                page.users.add("anna", "engineer", hashed(PASSWORD))
            )
            client = TestClient(application(page), base_url="http://127.0.0.1:8765/api/v1")
            open_ones.enter_context(client)
            client.cookies = {cookie_name(page): token}
            client.headers["X-CSRF-Token"] = session.csrf
            if door:
                following = client.portal.start_task_soon(follow, page)
                open_ones.callback(following.cancel)

            def asked(path, **signed):
                answer = client.post(path, json=signed) if signed else client.get(path)
                assert answer.status_code == 200, answer.text
                return answer

            return asked

        yield start


async def follow(page):
    async with DoorClient(page.state_dir / DOOR_FILE) as client:
        await page.link.follow(client)


def test_what_was_published_is_what_the_page_tells(broker, make_rig, browse):
    rig = make_rig(broker.url, scans=12)
    asked = browse(rig)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: rig.gather(subscriber), "a prediction")
        assert asked("/records?limit=1").json()["records"]
        assert asked("/audit/verify").json()["holds"]
        until(lambda: len(rig.gather(subscriber)) == 12, "12 predictions")
        running = read(asked)
        assert rig.stop() == 0
    assert read(asked) == running

    published = sorted(rig.received.values(), key=lambda record: record["id"])
    records, history, rows = running
    assert records == published[::-1]
    assert history["value"] == [r["values"]["moisture"]["value"] for r in published]
    assert history["low"] == [r["values"]["moisture"]["low"] for r in published]
    assert history["utc"] == [r["time"]["utc"] for r in published]
    assert history["limits"]["calibrated_min"] < history["limits"]["calibrated_max"]
    assert [row["id"] for row in rows] == [r["id"] for r in published]
    assert [float(row["moisture"]) for row in rows] == history["value"]

    assert rig.missed() == set()
    lines = asked("/audit?limit=500").json()["lines"]
    assert [line["what"] for line in reversed(lines)] == [line["what"] for line in rig.audited]
    verified = asked("/audit/verify").json()
    assert (verified["holds"], verified["lines"]) == (True, len(lines))
    assert asked("/transfer").json()["serial"] == "VIRT-0001"
    signs = {s["name"]: s for s in asked("/adaptation").json()["evidence"]}
    assert signs["t2"]["limit"] == published[-1]["applicability"]["t2_limit"]
    archive = zipfile.ZipFile(io.BytesIO(asked("/support.zip").content))
    assert b'"unsent": 0' in archive.read("state-folder.json")


def test_slots_are_changed_and_spectra_exported_through_the_door(
    broker, make_rig, browse, made, anna, ask, tmp_path
):
    rig = make_rig(broker.url)
    signers.trusting(tmp_path / "trust", anna)
    rig.settings[""]["bundle"] = "slots"
    rig.settings["trust"] = {"keys": "trust"}
    for slot, version in (("a", 2), ("b", 3)):
        assert ask(rig, "bundle", "install", made(version))[1]["slot"] == slot
        if slot == "a":
            assert ask(rig, "bundle", "activate", slot)[0] == 0
    with listening(broker.port) as subscriber:
        rig.start()
        asked = browse(rig, door=True)

        def slot_a():
            return next(s for s in asked("/bundles").json()["slots"] if s["slot"] == "a")

        until(lambda: slot_a()["state"] == "good", "the end of the trial")
        until(lambda: asked("/spectra").json()["spectra"], "a spectrum")
        (seen,) = (s["bundle"] for s in asked("/bundles").json()["slots"] if s["slot"] == "b")
        signed = {"password": PASSWORD, "meaning": "approved", "reason": "seen", "seen": seen}
        done = asked("/bundles/b/activate", **signed)
        told = done.json()
        assert told["bundles"]["active"] == "b"
        assert told["reload"]["ok"], told
        new = next(s["bundle"] for s in told["bundles"]["slots"] if s["active"])
        until(
            lambda: rig.gather(subscriber) and rig.newest["model"]["bundle"] == new,
            "a prediction of the new bundle",
        )
        spectra = asked("/spectra").json()["spectra"]
        exported = asked(f"/spectra/{spectra[0]['record']}.jdx").text
        assert "##YUNITS= ABSORBANCE" in exported
        assert f"##NPOINTS= {len(asked('/axis').json()['values'])}\r\n" in exported
        verified = asked("/audit/verify").json()
        assert verified["holds"]
        assert verified["published_head"] is not None
        assert rig.stop() == 0
    lines = {line["what"]: line for line in rig.audited}
    assert lines["bundle_activated"]["who"] == "anna"
    assert lines["page_signed"]["details"]["meaning"] == "approved: seen"
    assert lines["command_reload"]["details"]["meaning"] == "approved: seen"
    assert lines["page_exported"]["details"]["record"] == spectra[0]["record"]


def read(asked):
    rows = list(csv.DictReader(io.StringIO(asked("/records.csv").text)))
    history = asked("/history?property=moisture").json()
    return asked("/records?limit=500").json()["records"], history, rows
