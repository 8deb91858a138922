"""A signing key is revoked on a running device, by its file alone: nobody tells the daemon."""

from __future__ import annotations

import json

import pytest

from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import proven
from spektron_edge.files.audit import verify
from tests import signers
from tests.integration.rig import until

pytestmark = pytest.mark.once


def revoke(tmp_path, **what):
    (tmp_path / "trust" / "revoked.json").write_text(json.dumps({"format": 1, **what}))


def heard(rig, condition, what):
    def look():
        rig.gather(rig.subscriber)
        return condition()

    return until(look, what)


def test_a_file_s_model_goes_out_of_service_and_no_scan_is_lost(
    broker, make_rig, streaming, made, anna, tmp_path
):
    rig = make_rig(broker.url)
    signers.trusting(tmp_path / "trust", anna)
    rig.settings[""]["bundle"] = str(made(2))
    rig.settings["trust"] = {"keys": "trust"}
    streaming(rig)
    heard(rig, lambda: rig.newest["valid"], "a valid result")
    revoke(tmp_path, keys=[anna.key_id])
    heard(rig, lambda: rig.newest["reasons"] == ["bundle_untrusted"], "an invalid result")
    assert {v["value"] for v in rig.newest["values"].values()} == {None}
    assert rig.newest["model"]["signed_by"]["key_id"] == anna.key_id
    heard(rig, lambda: "bundle_untrusted" in rig.codes(), "the event")
    assert rig.stop() == 0
    until(lambda: rig.subscriber.offline, "the farewell")
    numbers = rig.gather(rig.subscriber)
    assert rig.missed() == set()
    assert numbers == set(range(min(numbers), max(numbers) + 1))
    whats = [line["what"] for line in rig.audited]
    assert [what for what in whats if what.startswith("bundle_")] == ["bundle_out_of_service"]
    assert verify(tmp_path / "state" / "audit.jsonl").lines == len(whats)


@pytest.mark.long
def test_a_slot_s_model_gives_way_to_the_other_slot_s(
    broker, make_rig, streaming, made, ask, anna, tmp_path
):
    rig = make_rig(broker.url)
    signers.trusting(tmp_path / "trust", anna)
    rig.settings[""]["bundle"] = "slots"
    rig.settings["trust"] = {"keys": "trust"}
    store = SlotStore(tmp_path / "state")
    for version, slot in ((2, "a"), (3, "b")):
        assert ask(rig, "bundle", "install", made(version))[0] == 0
        bundle = ask(rig, "bundle", "activate", slot)[1]["bundle"]
        store.update(lambda now, bundle=bundle: proven(now, bundle, "20 predictions"))
    streaming(rig)
    assert rig.newest["model"]["bundle"].startswith("corn-3-")
    revoke(tmp_path, bundles=[rig.newest["model"]["bundle"]])
    heard(rig, lambda: rig.newest["model"]["bundle"].startswith("corn-2-"), "the other bundle")
    heard(rig, lambda: rig.newest["valid"], "a valid result")
    heard(rig, lambda: "bundle_fell_back" in rig.codes(), "the event")
    assert rig.stop() == 0
    until(lambda: rig.subscriber.offline, "the farewell")
    rig.gather(rig.subscriber)
    assert rig.missed() == set()
    assert store.read().active == "a"
    assert "bundle_out_of_service" in [line["what"] for line in rig.audited]
