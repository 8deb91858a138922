"""A bundle that is sent through the page."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.door.notes import notes
from spektron_edge.page import incoming as module
from tests import bundles, signers

from .asking import SIGNED

OCTETS = {"Content-Type": "application/octet-stream"}
SEND, INSTALL = "/bundles/incoming", "/bundles/incoming/install"


@pytest.fixture
def slots(page, config_path):
    text = config_path.read_text().replace('bundle = "tiny.spektron"', 'bundle = "slots"')
    config_path.write_text(text)
    return SlotStore(page.state_dir)


@pytest.fixture
def data(tmp_path):
    return bundles.write_tiny(tmp_path / "2.spektron", version=2).read_bytes()


@pytest.fixture
def send(asked):
    return lambda content, role="engineer": asked(
        SEND, role, method="POST", content=content, content_type=OCTETS["Content-Type"]
    )


def told(page):
    return [(a.what, a.who) for a in notes(page.state_dir).read().untold]


def test_sent_shown_and_installed_with_a_signature(page, slots, send, data, asked):
    answer = send(data)
    assert answer.status_code == 200, answer.text
    found, digest = answer.json(), hashlib.sha256(data).hexdigest()
    assert (found["version"], found["sha256"], found["bytes"]) == (2, digest, len(data))
    assert slots.read().held == {}
    unsigned = asked(INSTALL, method="POST", json={"sha256": digest})
    assert unsigned.json()["error"] == "signature"
    other = asked(INSTALL, method="POST", json={"sha256": "0" * 64, **SIGNED})
    assert (other.status_code, other.json()["error"]) == (409, "no_file")

    done = asked(INSTALL, method="POST", json={"sha256": digest, **SIGNED})
    assert done.status_code == 200, done.text
    assert (done.json()["slot"], done.json()["bundle"]) == ("a", found["bundle"])
    assert done.json()["bundles"]["slots"][0]["state"] == "candidate"
    assert slots.path(slots.read().held["a"]).read_bytes() == data
    (noted,) = slots.read().untold
    assert (noted.what, noted.who) == ("bundle_installed", "anna")
    noted_here = told(page)
    assert ("page_bundle_sent", "anna") in noted_here
    assert noted_here[-1] == ("page_signed", "anna")
    assert not page.incoming.folder.exists()
    again = asked(INSTALL, method="POST", json={"sha256": digest, **SIGNED})
    assert again.json()["error"] == "no_file"


@pytest.mark.once
def test_what_is_no_whole_bundle_is_refused_noted_and_not_kept(page, slots, send, data):
    middle = len(data) // 2
    answer = send(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    assert (answer.status_code, answer.json()["error"]) == (409, "bundle_invalid")
    assert str(page.state_dir) not in answer.text
    assert ("page_bundle_refused", "anna") in told(page)
    assert not page.incoming.folder.exists()
    assert slots.read().held == {}


@pytest.mark.once
def test_who_signed_it_is_asked_for_before_it_is_kept(page, slots, send, data, config_path):
    signers.trusting(config_path.parent / "trust", signers.key(config_path.parent, "anna"))
    config_path.write_text(config_path.read_text() + '[trust]\nkeys = "trust"\n')
    assert send(data).json()["error"] == "bundle_untrusted"
    assert page.incoming.found is None
    assert not page.incoming.folder.exists()


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_nobody_but_an_engineer_sends_one(page, slots, send, data, role):
    assert send(data, role).json()["error"] == "role"
    assert not page.incoming.folder.exists()


def test_without_slots_nothing_is_taken(send, data):
    assert send(data).json()["error"] == "no_slots"


def test_neither_too_much_nor_onto_a_full_disk(page, slots, send, data, monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 1000)
    assert send(data).status_code == 413
    # More than was announced.
    assert send(iter([b"x" * 600] * 2)).status_code in (400, 413)
    monkeypatch.undo()
    usage = shutil.disk_usage(page.state_dir)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert send(data).json()["error"] == "disk_full"
    assert not page.incoming.folder.exists()


def test_one_at_a_time(page, slots, send, data):
    with page.incoming._alone():
        assert send(data).json()["error"] == "incoming_busy"


def test_another_media_type_is_refused(slots, asked, data):
    answer = asked(SEND, method="POST", json={})
    assert (answer.status_code, answer.json()["error"]) == (415, "media_type")


def test_what_a_killed_page_left_is_removed(page, config_path):
    page.incoming.folder.mkdir()
    page.incoming.file.write_bytes(b"x")
    page.incoming.clear()
    assert not page.incoming.folder.exists()
