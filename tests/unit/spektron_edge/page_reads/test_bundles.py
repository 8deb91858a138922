"""The two slots, changed on the page as the command line changes them."""

from __future__ import annotations

import pytest

from spektron_edge.bundle.install import Terms, activate, install
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import proven
from spektron_edge.door.notes import notes
from tests import bundles

from .asking import SIGNED as SIGNATURE

ANYBODY = Terms(trust=None, product=None, precision=None)
SIGNED = SIGNATURE | {"seen": "tiny-9"}


def signed(store, slot="b"):
    """For what is in that slot."""
    return SIGNATURE | {"seen": store.read().held[slot].bundle}


class Door:
    """Answers everything at once, and keeps what was asked."""

    def __init__(self, link, *, ok=True):
        self.ok, self.commands, self.notes = ok, [], []
        link._client = self

    async def command(self, name, arguments, **given):
        self.commands.append({"name": name, **given})
        message = "taken" if self.ok else "fell back"
        told = {"id": "1", "stage": "finished", "ok": self.ok}
        return {**told, "message": message, "result": {}}

    async def note(self, what, who, details, wait_s):
        self.notes.append((what, who, details))
        return {"ok": True}


@pytest.fixture
def store(page, config_path, tmp_path):
    """Version 1 in slot a, proven and active; version 2 a candidate in slot b."""
    text = config_path.read_text().replace('bundle = "tiny.spektron"', 'bundle = "slots"')
    config_path.write_text(text)
    store = SlotStore(page.state_dir)
    for version in (1, 2):
        source = bundles.write_tiny(tmp_path / f"{version}.spektron", version=version)
        installed = install(store, source, ANYBODY, "local:anna")
        if version == 1:
            activate(store, "a", ANYBODY, "local:anna")
            store.update(lambda now, of=installed.bundle: proven(now, of, "test"))
    return store


def test_what_the_slots_hold(asked, store):
    found = asked("/bundles", "viewer").json()
    assert (found["uses_slots"], found["configured"]) == (True, None)
    assert (found["active"], found["fallback"], found["left_behind"]) == ("a", None, [])
    told = [(s["slot"], s["version"], s["state"], s["active"]) for s in found["slots"]]
    assert told == [("a", 1, "good", True), ("b", 2, "candidate", False)]


def test_a_configured_file_leaves_the_slots_alone(asked):
    found = asked("/bundles").json()
    assert (found["uses_slots"], found["active"], found["slots"]) == (False, None, [])
    assert found["configured"].endswith("tiny.spektron")
    for path in ("/bundles/a/activate", "/bundles/rollback"):
        answer = asked(path, method="POST", json=SIGNED)
        assert (answer.status_code, answer.json()["error"]) == (409, "no_slots")


def test_products_to_choose_from_are_those_of_the_bundle_in_use(asked, page, config_path):
    assert asked("/products", "viewer").json() == {"products": ["grain"], "chosen": None}
    page.link.known["model"] = {"record": {"model": {"product": "corn"}}}
    assert asked("/products").json()["chosen"] == "corn"
    (config_path.parent / "tiny.spektron").write_bytes(b"PK not really")
    assert asked("/products").json()["products"] == []


def test_activated_with_a_signature_and_taken_by_the_daemon(asked, page, store):
    door = Door(page.link)
    answer = asked("/bundles/b/activate", method="POST", json=signed(store))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["bundles"]["active"], told["bundles"]["fallback"]) == ("b", "a")
    assert (told["reload"]["ok"], told["reload"]["message"]) == (True, "taken")
    signature = {"command": "bundle activate b", "meaning": "approved: seen"}
    assert door.notes == [("page_signed", "anna", signature)]
    (reload,) = door.commands
    assert (reload["name"], reload["by"], reload["meaning"]) == ("reload", "anna", "approved: seen")
    done = store.read().untold[-1]
    assert (done.what, done.who, done.details["slot"]) == ("bundle_activated", "anna", "b")

    left = asked("/bundles/rollback", method="POST", json=signed(store, "a"))
    assert (left.status_code, left.json()["error"]) == (409, "other_than_seen")
    back = asked("/bundles/rollback", method="POST", json=signed(store)).json()
    assert back["bundles"]["active"] == "a"
    why = {slot["slot"]: slot["why"] for slot in back["bundles"]["slots"]}
    assert why == {"a": None, "b": {"code": "slot_rolled_back", "values": {}}}
    assert store.read().untold[-1].what == "bundle_rolled_back"


def test_without_the_daemon_it_is_done_and_noted_for_it(asked, page, store):
    answer = asked("/bundles/b/activate", method="POST", json=signed(store))
    assert answer.status_code == 200
    assert answer.json()["reload"] is None
    assert store.read().active == "b"
    assert notes(page.state_dir).read().untold[-1].what == "page_signed"


def test_a_daemon_that_refuses_is_told(asked, page, store):
    Door(page.link, ok=False)
    told = asked("/bundles/b/activate", method="POST", json=signed(store)).json()
    assert (told["reload"]["ok"], told["reload"]["message"]) == (False, "fell back")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": None}, "signature"),
        ({"meaning": None}, "signature"),
        ({"reason": None}, "signature"),
        ({"password": "not hers"}, "wrong"),
    ],
)
def test_an_incomplete_signature_changes_nothing(asked, store, changes, code):
    answer = asked("/bundles/b/activate", method="POST", json=SIGNED | changes)
    assert (answer.status_code, answer.json()["error"]) == (403, code)
    assert store.read().active == "a"


def test_what_was_signed_for_another_bundle_activates_nothing(asked, store, tmp_path):
    """Somebody installs another one into the slot while the dialog is open."""
    given = signed(store)
    other = bundles.write_tiny(tmp_path / "3.spektron", version=3)
    install(store, other, ANYBODY, "local:bert")
    answer = asked("/bundles/b/activate", method="POST", json=given)
    assert (answer.status_code, answer.json()["error"]) == (409, "other_than_seen")
    assert "tiny-3" in answer.json()["message"]
    assert store.read().active == "a"


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_nobody_but_an_engineer_may(asked, store, role):
    for path in ("/bundles/b/activate", "/bundles/rollback"):
        assert asked(path, role, method="POST", json=SIGNED).json()["error"] == "role"


def test_what_cannot_be_used_is_refused_with_why(asked, store):
    back = asked("/bundles/rollback", method="POST", json=signed(store, "a"))
    assert (back.status_code, back.json()["error"]) == (409, "slot_unfit")
    store.path(store.read().held["b"]).write_bytes(b"PK not really")
    broken = asked("/bundles/b/activate", method="POST", json=signed(store))
    assert (broken.status_code, broken.json()["error"]) == (409, "bundle_invalid")
    assert store.read().active == "a"
    assert asked("/bundles/c/activate", method="POST", json=signed(store)).status_code == 404


def test_bundles_are_held_to_the_trusted_keys(asked, page, store, config_path, tmp_path):
    (tmp_path / "trust").mkdir()
    config_path.write_text(config_path.read_text() + '[trust]\nkeys = "trust"\n')
    answer = asked("/bundles/b/activate", method="POST", json=SIGNED)
    assert answer.status_code == 409
    assert store.read().active == "a"
