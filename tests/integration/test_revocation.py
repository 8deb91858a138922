"""A signing key is revoked on a running device, by its file alone: nobody tells the daemon."""

from __future__ import annotations

import json
import shutil

import pytest

from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.files.audit import verify
from tests import signers
from tests.integration.rig import until


@pytest.fixture
def bert(tmp_path):
    return signers.key(tmp_path, "bert")


def revoke(tmp_path, *keys):
    (tmp_path / "trust" / "revoked.json").write_text(
        json.dumps({"format": 1, "keys": [key.key_id for key in keys]})
    )


def heard(rig, condition, what):
    def look():
        rig.gather(rig.subscriber)
        return condition()

    return until(look, what)


def test_a_file_s_model_goes_out_of_service_and_comes_back_signed_anew(
    broker, make_rig, streaming, made, anna, bert, tmp_path
):
    rig = make_rig(broker.url)
    signers.trusting(tmp_path / "trust", anna, bert)
    rig.settings[""]["bundle"] = str(made(2))
    rig.settings["trust"] = {"keys": "trust"}
    streaming(rig)
    heard(rig, lambda: rig.newest["valid"], "a valid result")
    revoke(tmp_path, anna)
    heard(rig, lambda: rig.newest["reasons"] == ["bundle_untrusted"], "an invalid result")
    assert {v["value"] for v in rig.newest["values"].values()} == {None}
    assert rig.newest["model"]["signed_by"]["key_id"] == anna.key_id
    heard(rig, lambda: "bundle_untrusted" in rig.codes(), "the event")
    after = rig.newest["scan"]["number"]
    signers.sign(tmp_path / "corn-2.spektron", bert)
    # What stands in the way of a restart also brings the model back: another signature.
    heard(rig, lambda: rig.newest["valid"] and rig.newest["scan"]["number"] > after, "a value")
    assert rig.newest["model"]["signed_by"]["key_id"] == bert.key_id
    assert rig.stop() == 0
    until(lambda: rig.subscriber.offline, "the farewell")
    numbers = rig.gather(rig.subscriber)
    assert rig.missed() == set()
    assert numbers == set(range(min(numbers), max(numbers) + 1))
    whats = [line["what"] for line in rig.audited]
    assert [what for what in whats if what.startswith("bundle_")] == [
        "bundle_out_of_service",
        "bundle_taken",
    ]
    assert verify(tmp_path / "state" / "audit.jsonl").lines == len(whats)


def test_a_slot_s_model_gives_way_to_the_other_slot_s(
    broker, make_rig, streaming, made, ask, anna, bert, tmp_path
):
    rig = make_rig(broker.url)
    signers.trusting(tmp_path / "trust", anna, bert)
    rig.settings[""]["bundle"] = "slots"
    rig.settings["trust"] = {"keys": "trust"}
    store = SlotStore(tmp_path / "state")
    assert ask(rig, "bundle", "install", made(2))[0] == 0
    assert ask(rig, "bundle", "activate", "a")[0] == 0
    streaming(rig)
    until(lambda: store.read().current.state == "good", "the end of the trial")
    assert rig.stop() == 0
    theirs = shutil.copy(made(3), tmp_path / "unsigned.spektron")
    with_bert = made(3)
    assert with_bert.exists() and theirs
    signers.sign(with_bert, bert)
    revoke(tmp_path, anna)
    assert ask(rig, "bundle", "install", with_bert)[0] == 0
