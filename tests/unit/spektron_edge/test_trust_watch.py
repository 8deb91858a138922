"""A key or bundle is revoked while its model predicts: the daemon leaves it without being told."""

from __future__ import annotations

import errno
import json
import time
from pathlib import Path

import numpy as np
import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.install import activate, install
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import proven
from tests import bundles, signers

from .turns import events, ready, stored, turn

LATER_S = 60.0


@pytest.fixture
def anna(tmp_path):
    return signers.key(tmp_path, "anna")


@pytest.fixture
def bert(tmp_path):
    return signers.key(tmp_path, "bert")


@pytest.fixture
def trust(tmp_path, anna, bert):
    """trust(revoked): the folder anew."""

    def write(revoked=None):
        return signers.trusting(tmp_path / "trust", anna, bert, revoked=revoked)

    write()
    return write


@pytest.fixture
def bundle(tmp_path, anna):
    return signers.signed_tiny(tmp_path / "signed.spektron", anna, version=2)


def configure(tmp_path, bundle):
    lines = (tmp_path / "edge.toml").read_text().splitlines()
    lines = [line for line in lines if not line.startswith(("bundle", "[trust]", "keys"))]
    lines.insert(3, f'bundle = "{bundle}"')
    (tmp_path / "edge.toml").write_text("\n".join([*lines, "[trust]", 'keys = "trust"']))


@pytest.fixture
def signed(daemon, make_scan, tmp_path, trust, bundle):
    """A daemon that predicts with a file that anna has signed."""
    turn(daemon, ready(make_scan))
    configure(tmp_path, bundle)
    assert daemon._reload.reload().ok
    return daemon


class Hours:
    """Looks of a daemon's watch, as if time passed between them."""

    def __init__(self, daemon):
        self._daemon, self._now = daemon, time.monotonic()

    def look(self, times=2):
        for _ in range(times):
            self._now += LATER_S
            self._daemon._trust.look_after(self._daemon._config, self._now)
        # What was said reaches the outbox.
        self._daemon._turn(0.0)


def last(daemon):
    return max((r for r in stored(daemon) if "scan" in r), key=lambda r: r["scan"]["number"])


def audited(daemon, *whats):
    lines = [json.loads(line) for line in daemon._state.audit.path.read_text().splitlines()]
    return [line for line in lines if line["what"] in whats]


def test_a_revoked_key_takes_its_model_out_of_service_and_spectra_go_on(
    signed, scan, trust, anna, monkeypatch
):
    offered = []
    monkeypatch.setattr(signed._spectra, "offer", lambda *given: offered.append(given[2]))
    turn(signed, scan(1))
    assert last(signed)["model"]["signed_by"]["key_id"] == anna.key_id
    trust({"keys": [anna.key_id]})
    hours = Hours(signed)
    hours.look()
    turn(signed, scan(2))
    record = last(signed)
    assert (record["scan"]["number"], record["reasons"]) == (2, ["bundle_untrusted"])
    assert {v["value"] for v in record["values"].values()} == {None}
    np.testing.assert_allclose(offered[1], offered[0], atol=1e-9)
    assert "bundle_untrusted" in signed._states.health().message
    (line,) = audited(signed, "bundle_out_of_service")
    assert line["details"]["bundle"] == signed._serving.model.bundle_id
    assert anna.key_id in line["details"]["why"]
    hours.look(5)
    assert len(events(signed, "bundle_untrusted")) == len(audited(signed, line["what"])) == 1

    trust()
    hours.look(1)
    turn(signed, scan(3))
    assert last(signed)["valid"] or last(signed)["reasons"] != ["bundle_untrusted"]
    assert last(signed)["values"] != record["values"]
    assert len(events(signed, "bundle_untrusted_over")) == 1
    assert len(audited(signed, "bundle_back_in_service")) == 1


def test_a_shadow_is_of_the_model_and_ends_with_it(signed, scan, trust, anna, monkeypatch):
    seen = []
    monkeypatch.setattr(signed._serving._adapting, "see", lambda *given: seen.append(given))
    turn(signed, scan(1))
    trust({"keys": [anna.key_id]})
    Hours(signed).look()
    turn(signed, scan(2))
    assert len(seen) == 1


def test_a_revoked_bundle_is_left_though_its_key_counts(signed, trust):
    trust({"bundles": [signed._serving.model.bundle_id]})
    Hours(signed).look()
    assert "is revoked" in signed._serving.refused.detail


def test_a_bundle_that_another_key_signed_as_well_stays(
    daemon, tmp_path, trust, bundle, anna, bert
):
    signers.sign(bundle, bert)
    configure(tmp_path, bundle)
    assert daemon._reload.reload().ok
    named = daemon._serving.model.signed_by.key_id
    other = ({anna.key_id, bert.key_id} - {named}).pop()
    trust({"keys": [named]})
    hours = Hours(daemon)
    hours.look(3)
    assert daemon._serving.refused is None
    assert daemon._serving.model.signed_by.key_id == other
    assert daemon._announcements.model_state().model.signed_by.key_id == other
    assert len(audited(daemon, "bundle_vouched")) == 1
    trust({"keys": [anna.key_id, bert.key_id]})
    hours.look()
    assert daemon._serving.refused is not None


def test_a_folder_that_is_being_replaced_costs_no_result(signed, tmp_path, trust, anna):
    hours = Hours(signed)
    for path in (tmp_path / "trust").glob("*.pem"):
        path.unlink()
    hours.look(1)
    assert signed._serving.refused is None
    trust()
    hours.look(1)
    (tmp_path / "trust" / f"{anna.public.name}").unlink()
    hours.look(1)
    assert signed._serving.refused is None
    hours.look(1)
    assert "unknown" in signed._serving.refused.detail


def test_a_list_that_cannot_be_read_is_told_and_changes_nothing(
    signed, tmp_path, trust, anna, scan
):
    hours = Hours(signed)
    (tmp_path / "trust" / "revoked.json").write_text('{"keys": [')
    hours.look(3)
    assert signed._serving.refused is None
    assert len(events(signed, "trust_unusable")) == 1
    trust({"keys": [anna.key_id]})
    hours.look()
    assert signed._serving.refused is not None
    assert len(events(signed, "trust_unusable_over")) == 1
    # What was refused stays so while nobody can tell.
    (tmp_path / "trust" / "revoked.json").write_text('{"keys": [')
    hours.look(3)
    assert signed._serving.refused is not None


@pytest.mark.parametrize("look", ["is_dir", "glob"])
def test_a_folder_that_may_not_be_looked_at_is_told_and_changes_nothing(
    signed, tmp_path, monkeypatch, look
):
    """A folder above it was closed, or its card or mount fails."""
    plain = getattr(Path, look)

    def refused(path, *words):
        if path == tmp_path / "trust":
            raise PermissionError(errno.EACCES, "denied")
        return plain(path, *words)

    hours = Hours(signed)
    monkeypatch.setattr(Path, look, refused)
    hours.look(3)
    assert signed._serving.refused is None
    assert len(events(signed, "trust_unusable")) == 1


def test_a_reload_that_meets_the_revocation_leaves_the_model_at_once(
    signed, tmp_path, trust, anna, bert
):
    trust({"keys": [anna.key_id]})
    outcome = signed._reload.reload()
    assert not outcome.ok
    assert "out of service; nothing was taken" in outcome.message
    assert signed._serving.refused is not None
    configure(tmp_path, signers.signed_tiny(tmp_path / "sound.spektron", bert, version=3))
    outcome = signed._reload.reload()
    assert (outcome.ok, signed._serving.refused) == (True, None)
    signed._turn(0.0)
    assert len(events(signed, "bundle_untrusted_over")) == 1


def test_a_reload_of_somebody_else_s_bundle_costs_nothing_of_what_is_in_use(
    signed, tmp_path, trust
):
    stranger = signers.key(tmp_path, "stranger")
    configure(tmp_path, signers.signed_tiny(tmp_path / "other.spektron", stranger, version=3))
    outcome = signed._reload.reload()
    assert outcome.message.startswith("nothing was changed: tiny-3")
    assert signed._serving.refused is None


def test_a_file_that_was_signed_anew_is_taken_without_a_reload(
    signed, tmp_path, trust, bundle, anna, bert
):
    trust({"keys": [anna.key_id]})
    hours = Hours(signed)
    hours.look()
    assert signed._serving.refused is not None
    signers.sign(bundle, bert)
    hours.look(1)
    assert signed._serving.refused is None
    assert signed._serving.signed_by == f"bert ({bert.key_id})"
    (line,) = audited(signed, "bundle_taken")
    assert line["details"]["signed_by"] == f"bert ({bert.key_id})"
    assert len(events(signed, "bundle_taken")) == 1


@pytest.fixture
def in_slots(daemon, make_scan, tmp_path, trust, anna, bert):
    """Version 3 by bert in use, version 2 by anna to fall back to."""
    store = SlotStore(tmp_path / "state")
    terms = signers.terms(tmp_path / "trust")
    for version, key in ((2, anna), (3, bert)):
        path = signers.signed_tiny(tmp_path / f"{version}.spektron", key, version=version)
        slot = install(store, path, terms, "local:anna").slot
        bundle = activate(store, slot, terms, "local:anna").current.bundle
        store.update(lambda now, bundle=bundle: proven(now, bundle, "20 predictions"))
    turn(daemon, ready(make_scan))
    configure(tmp_path, "slots")
    assert daemon._reload.reload().ok
    return daemon, store


def test_a_slot_gives_way_to_the_other_one(in_slots, scan, trust, bert):
    daemon, store = in_slots
    trust({"keys": [bert.key_id]})
    hours = Hours(daemon)
    hours.look()
    assert daemon._serving.model.bundle_id.startswith("tiny-2-")
    assert (store.read().active, store.read().held["b"].state) == ("a", "failed")
    assert daemon._serving.refused is None
    turn(daemon, scan(1))
    assert last(daemon)["model"]["bundle"].startswith("tiny-2-")
    assert len(events(daemon, "bundle_fell_back")) == 1
    assert len(audited(daemon, "bundle_fell_back")) == 1
    assert [line["what"] for line in audited(daemon, "bundle_out_of_service", "bundle_taken")] == [
        "bundle_out_of_service",
        "bundle_taken",
    ]
    hours.look(3)
    assert len(events(daemon, "bundle_fell_back")) == 1


def test_the_slot_that_was_taken_has_two_looks_as_well(in_slots, tmp_path, trust, anna, bert):
    daemon, _ = in_slots
    trust({"keys": [bert.key_id]})
    hours = Hours(daemon)
    while daemon._serving.model.bundle_id.startswith("tiny-3-"):
        hours.look(1)
    trust({"keys": [anna.key_id, bert.key_id]})
    hours.look(1)
    assert daemon._serving.refused is None
    hours.look(1)
    assert daemon._serving.refused is not None


def test_a_reload_that_fails_names_the_slot_that_was_taken_instead(in_slots, tmp_path, trust, bert):
    daemon, _ = in_slots
    trust({"keys": [bert.key_id]})
    (tmp_path / "edge.toml").write_text("no configuration")
    outcome = daemon._reload.reload()
    assert (outcome.ok, daemon._serving.refused) == (False, None)
    assert outcome.message.startswith("tiny-2-")
    assert "is not trusted any more; nothing else was changed: " in outcome.message


def test_where_both_slots_are_revoked_none_is_used_and_the_pointer_stays(
    in_slots, scan, tmp_path, trust, anna, bert
):
    daemon, store = in_slots
    trust({"keys": [anna.key_id, bert.key_id]})
    hours = Hours(daemon)
    hours.look(4)
    assert "the other slot cannot be used either" in daemon._serving.refused.detail
    assert store.read().active == "b"
    turn(daemon, scan(1))
    assert last(daemon)["reasons"] == ["bundle_untrusted"]
    # One that counts comes in and is activated: taken by itself.
    trust({"keys": [bert.key_id]})
    hours.look(2)
    assert daemon._serving.model.bundle_id.startswith("tiny-2-")


def test_a_full_disk_delays_the_way_out_and_no_value_comes_meanwhile(
    in_slots, scan, trust, bert, monkeypatch
):
    daemon, store = in_slots
    trust({"keys": [bert.key_id]})
    hours = Hours(daemon)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("spektron_edge.files.ledger.write_durably", full)
        hours.look(3)
        assert "disk_full" in daemon._serving.refused.detail
        turn(daemon, scan(1))
        assert last(daemon)["reasons"] == ["bundle_untrusted"]
    hours.look(1)
    assert (store.read().active, daemon._serving.refused) == ("a", None)


def test_without_trust_nobody_is_asked_for(daemon, tmp_path, trust):
    trust({"bundles": [read_bundle(bundles.write_tiny(tmp_path / "one.spektron")).id]})
    Hours(daemon).look(3)
    assert daemon._serving.refused is None
