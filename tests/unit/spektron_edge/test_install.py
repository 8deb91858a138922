"""What an operator does with slots, by the command line; and what is refused without a trace."""

from __future__ import annotations

import json
import os
import struct
import zipfile

import numpy as np
import pytest

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import archive, read_bundle
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import accepted, proven
from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.prediction.product import load_product, take_product
from spektron_edge.transfer_state import StateStore
from tests import adaptations, bundles, signers


@pytest.fixture
def config(tmp_path, anna):
    """A device that trusts anna and uses its slots."""
    signers.trusting(tmp_path / "trust", anna)
    path = tmp_path / "edge.toml"
    path.write_text(
        'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "slots"\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
        '[trust]\nkeys = "trust"\n'
    )
    return path


@pytest.fixture
def store(tmp_path):
    return SlotStore(tmp_path / "state")


@pytest.fixture
def call(config, capsys):
    def make(*words):
        capsys.readouterr()
        status = main(["bundle", *map(str, words), "--config", str(config), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, json.loads(out)

    return make


@pytest.fixture
def made(tmp_path, anna):
    """A bundle of that version, signed by anna."""

    def make(version=1, *keys, **changes):
        path = tmp_path / f"v{version}.spektron"
        return signers.signed_tiny(path, *(keys or (anna,)), version=version, **changes)

    return make


@pytest.fixture
def device(call, made, store, config):
    """A device whose slot a holds version 5, in use and proven."""
    assert call("install", made(5))[0] == 0
    assert call("activate", "a")[0] == 0
    loaded = take_product(load_config(config))
    store.update(lambda slots: proven(slots, loaded.model.bundle_id, "20 predictions"))
    return store


def picture(store):
    """Everything that counts: what the slots say, and every slot's bytes."""
    files = {p.name: p.read_bytes() for p in store.folder.glob("*.spektron")}
    leftovers = sorted(p.name for p in store.folder.glob("*partial*"))
    return store.read(), files, leftovers


# ---- as it should be


def test_install_activate_list(call, made, store, config, anna):
    status, report = call("install", made())
    assert (status, report["slot"]) == (0, "a")
    assert report["signed by"] == f"anna ({anna.key_id})"
    assert any("golden vectors of grain hold" in line for line in report["tried"])
    assert any("not in the bundle" in line for line in report["tried"])
    assert "activate a" in report["next"]
    assert store.read().active is None
    status, report = call("activate", "a")
    assert (status, report["active"]) == (0, "a")
    model = load_product(load_config(config)).model
    assert model.bundle_id == report["bundle"]
    assert str(model.signed_by) == f"anna ({anna.key_id})"
    status, report = call("list")
    assert (status, report["active"]) == (0, "a")
    assert report["a"].startswith("trying, tiny-1-")
    what = [(action.what, action.who.partition(":")[0]) for action in store.read().untold]
    assert what == [("bundle_installed", "local"), ("bundle_activated", "local")]


def test_the_next_one_goes_into_the_other_slot_and_its_file_replaces_the_oldest(call, made, device):
    assert call("install", made(6))[1]["slot"] == "b"
    assert call("install", made(7))[1]["slot"] == "b"
    assert sorted(p.name[0] for p in device.folder.glob("*.spektron")) == ["a", "b"]
    assert device.read().held["b"].version == 7


def test_calibration_spectra_are_tried_where_they_are_included(call, made):
    arrays = {**bundles.source_arrays(), "x": bundles.spectra(40)}
    status, report = call("install", made(replaced={"source.npz": bundles.npz(arrays)}))
    assert status == 0
    assert any(line.startswith("40 calibration spectra give numbers") for line in report["tried"])


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (bundles.spectra(40)[:, :-1], "not on the grid"),
        (np.full((3, 60), np.nan), "no number"),
        (np.cumsum(bundles.spectra(10), axis=1), "domain"),
    ],
    ids=["grid", "numbers", "domain"],
)
def test_calibration_spectra_that_speak_against_a_bundle(call, made, store, x, why):
    arrays = {**bundles.source_arrays(), "x": x}
    status, report = call("install", made(replaced={"source.npz": bundles.npz(arrays)}))
    assert (status, report["error"]["code"]) == (11, "bundle_invalid")
    assert why in report["error"]["detail"]
    assert not store.read().held


def test_what_the_new_bundle_leaves_behind_is_named(call, made, device, state, tiny_model):
    folder = device.folder.parent
    call("install", made(6))
    assert "results are invalid until" not in call("activate", "b")[1]
    transfers = StateStore(folder)
    transfers.activate(transfers.add(state, "anna"), "anna")
    adaptations.use(AdaptationStore(folder), tiny_model, serial="OTHER")
    told = call("activate", "a")[1]["results are invalid until"]
    bundle = tiny_model.bundle_id
    assert told == [
        f"transfer 1 of VIRT-0001 is for {bundle}: "
        "`spektron-edge transfer rollback`, or a new transfer",
        f"adaptation 1 of OTHER is for {bundle}: `spektron-edge adapt reset`",
    ]
    (folder / "adaptations" / "adaptations.json").write_text("junk")
    status, said = call("activate", "b")
    assert (status, said["active"]) == (0, "b")
    assert "adapt reset" in said["results are invalid until"][-1]


def test_an_unsigned_bundle_installs_where_nobody_is_asked_for(call, config, store, tmp_path):
    text = config.read_text()
    config.write_text(text.partition("[trust]")[0])
    status, report = call("install", bundles.write_tiny(tmp_path / "u.spektron"))
    assert (status, report["signed by"]) == (0, None)
    assert call("activate", "a")[0] == 0
    assert take_product(load_config(config)).model.signed_by is None
    assert store.read().floors == {}
    config.write_text(text)
    status, report = call("activate", "a")
    assert (status, report["error"]["code"]) == (80, "bundle_untrusted")


def test_slots_are_not_used_unless_the_configuration_says_so(call, made, config):
    config.write_text(config.read_text().replace('bundle = "slots"\n', ""))
    assert 'bundle = "slots"' in call("install", made())[1]["note"]
    assert "corn.spektron" in call("list")[1]["note"]


def test_a_file_called_slots_is_a_file(config, tmp_path, made):
    made().rename(tmp_path / "slots")
    config.write_text(config.read_text().replace('"slots"', '"./slots"'))
    assert load_product(load_config(config)).model.bundle_id.startswith("tiny-1-")


# ---- attacks: refused, clearly, and without a trace


def altered(path, name, data):
    """The same archive with one member's contents replaced."""
    with zipfile.ZipFile(path) as archive:
        entries = {n: archive.read(n) for n in archive.namelist()}
    entries[name] = data
    bundles.write_raw(path, list(entries.items()))


def wrong_key(path, made, bert):
    return made(6, bert)


def altered_member(path, made, bert):
    altered(made(6), "theta0.npy", bundles.npy(bundles.THETA + 1))


def altered_member_and_manifest(path, made, bert):
    made(6)
    contents = {**bundles.members(), "theta0.npy": bundles.npy(bundles.THETA + 1)}
    other = bundles.write_tiny(path.with_name("other"), replaced=contents, version=6)
    altered(path, "theta0.npy", contents["theta0.npy"])
    altered(path, "manifest.json", read_bundle(other).raw_manifest)


def rollback(path, made, bert):
    made(4).rename(path)


def mixed(path, made, bert):
    weights = {"encoder.qdq.onnx": bundles.onnx_graph(bundles.weights(seed=9))}
    with zipfile.ZipFile(made(7, replaced=weights)) as other:
        graph = other.read("encoder.qdq.onnx")
    altered(made(6), "encoder.qdq.onnx", graph)


def borrowed_signature(path, made, bert):
    with zipfile.ZipFile(made(7)) as other:
        signatures = other.read("signatures.json")
    altered(made(6, bert), "signatures.json", signatures)


def oversized(path, made, bert):
    made(6)
    with path.open("r+b") as stream:
        stream.truncate(archive.MAX_TOTAL_BYTES + 1)


def endless(path, made, bert):
    raw = bytearray(made(6).read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    struct.pack_into("<L", raw, at + 24, archive.MAX_MEMBER_BYTES)
    path.write_bytes(raw)


def path_traversal(path, made, bert):
    made(6)
    with zipfile.ZipFile(path, "a") as zipped:
        zipped.writestr("../../../evil.py", b"x")


def unsigned(path, made, bert):
    bundles.write_tiny(path, version=6)


def external(path, made, bert):
    made(6, replaced={"encoder.qdq.onnx": b"\x3a\x06\x2a\x04\x6a\x02\x0a\x00"})


ATTACKS = {
    wrong_key: (80, "unknown in"),
    altered_member: (11, "theta0.npy does not match its hash"),
    altered_member_and_manifest: (80, "does not belong to this manifest"),
    rollback: (81, "older than tiny 5"),
    mixed: (11, "encoder.qdq.onnx does not match its hash"),
    borrowed_signature: (80, "does not belong to this manifest"),
    oversized: (11, "larger than any bundle"),
    endless: (11, "not a readable bundle"),
    path_traversal: (11, "must be a plain file name"),
    unsigned: (80, "is not signed"),
    external: (11, "values in another file"),
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_refused_and_leaves_no_trace(
    call, made, device, config, tmp_path, bert, attack
):
    path = tmp_path / "v6.spektron"
    attack(path, made, bert)
    before = picture(device)
    status, report = call("install", path)
    expected, why = ATTACKS[attack]
    assert (status, why in report["error"]["detail"]) == (expected, True), report
    # The operator reads of the file that was given, not of a copy.
    assert "partial" not in report["error"]["detail"]
    assert picture(device) == before
    assert take_product(load_config(config)).model.bundle_id.startswith("tiny-5-")


def test_the_same_attacks_on_a_configured_file_end_at_the_start(
    call, made, config, tmp_path, bert, store, capsys
):
    path = tmp_path / "v6.spektron"
    config.write_text(config.read_text().replace('"slots"', f'"{path}"'))
    store.update(lambda slots: accepted(slots, "tiny", 5))
    before = picture(store)
    for attack, (expected, _) in ATTACKS.items():
        attack(path, made, bert)
        assert main(["check-config", str(config)]) == expected, attack
        assert main(["run", "--config", str(config)]) == expected, attack
    assert "Traceback" not in "".join(capsys.readouterr())
    assert picture(store) == before
    assert sorted(p.name for p in store.folder.parent.iterdir()) == ["bundles"]


@pytest.mark.parametrize("serial", ["VIRT-0001", "OTHER-2", None])
def test_a_bound_bundle_is_refused_early_where_the_serial_is_told(call, made, store, serial):
    path = made(1, devices=["VIRT-0001", "VIRT-0002"])
    status, report = call("install", path, *(["--serial", serial] if serial else []))
    if serial == "OTHER-2":
        assert (status, report["error"]["code"]) == (82, "bundle_elsewhere")
        assert "VIRT-0002" in report["error"]["detail"]
        assert not store.read().held
    else:
        assert status == 0


def test_a_file_that_is_none_is_refused(call, store, tmp_path):
    for path in (tmp_path / "absent", tmp_path, tmp_path / "pipe"):
        if path.name == "pipe":
            os.mkfifo(path)
        status, report = call("install", path)
        assert (status, report["error"]["code"]) == (11, "bundle_invalid")
        assert str(path) in report["error"]["detail"]
    assert picture(store)[1:] == ({}, [])


def test_the_active_bundle_is_not_installed_again(call, made, device):
    before = picture(device)
    assert "already, and active" in call("install", made(5))[1]["error"]["detail"]
    assert picture(device) == before


def test_an_installation_beside_another_waits_for_its_turn(call, made, device):
    with device.installing():
        status, report = call("install", made(6))
    assert (status, report["error"]["code"]) == (84, "slots_busy")
    assert call("install", made(6))[0] == 0


def test_leftovers_of_a_power_cut_are_swept(call, made, device):
    (device.folder / "b-0123456789ab.spektron").write_bytes(b"half")
    (device.folder / "incoming.partial").write_bytes(b"half")
    (device.folder / "slots.json.partial").write_bytes(b"half")
    assert call("install", made(6))[0] == 0
    _, files, leftovers = picture(device)
    assert (len(files), leftovers) == (2, [])


# ---- versions


def test_an_operator_goes_back_on_purpose_and_it_is_told(call, made, device, config):
    call("install", made(6))
    call("activate", "b")
    newer = take_product(load_config(config)).model.bundle_id
    device.update(lambda slots: proven(slots, newer, "20 predictions"))
    assert device.read().floors == {"tiny": 6}
    assert call("activate", "a")[1]["error"]["code"] == "bundle_older"
    status, report = call("rollback")
    assert (status, report["active"]) == (0, "a")
    assert take_product(load_config(config)).model.bundle_id.startswith("tiny-5-")
    assert device.read().floors == {"tiny": 5}
    assert device.read().untold[-1].what == "bundle_rolled_back"
    assert call("activate", "b")[0] == 0


def test_nothing_to_go_back_to_is_said(call, made, device):
    assert call("rollback")[1]["error"]["code"] == "slot_unfit"
    call("install", made(6))
    status, report = call("rollback")
    assert (status, report["error"]["code"]) == (85, "slot_unfit")
    assert "has proven itself" in report["error"]["detail"]
    call("activate", "b")
    assert "on trial" in call("install", made(7))[1]["error"]["detail"]
    assert call("rollback")[1]["active"] == "a"
    assert "rolled back" in call("activate", "b")[1]["error"]["detail"]


def test_a_configured_file_may_only_grow_older_on_purpose(call, made, config, store):
    paths = [made(version) for version in (1, 2)]
    text = config.read_text()

    def use(path):
        config.write_text(text.replace('"slots"', f'"{path}"'))
        return main(["check-config", str(config)])

    assert use(paths[1]) == 0
    take_product(load_config(config))
    assert store.read().floors == {"tiny": 2}
    assert use(paths[0]) == 81
    status, report = call("rollback")
    assert (status, report["bundle"].startswith("tiny-1-")) == (0, True)
    assert use(paths[0]) == 0
    assert [action.what for action in store.read().untold] == ["bundle_rolled_back"]


# ---- trust that changes


def test_a_revoked_key_ends_a_slot_s_use_and_the_other_one_takes_over(
    call, made, device, config, tmp_path, anna, bert
):
    signers.trusting(tmp_path / "trust", anna, bert)
    assert call("install", made(6, bert))[0] == 0
    assert call("activate", "b")[0] == 0
    assert str(take_product(load_config(config)).model.signed_by).startswith("bert")
    signers.trusting(tmp_path / "trust", anna, bert, revoked={"keys": [bert.key_id]})
    loaded = take_product(load_config(config))
    assert "revoked" in loaded.left
    assert str(loaded.model.signed_by).startswith("anna")
    assert device.read().active == "a"
    assert device.read().held["b"].state == "failed"


def test_trust_that_cannot_be_read_is_no_reason_to_leave_a_slot(call, made, device, config, capsys):
    call("install", made(6))
    call("activate", "b")
    before = device.read()
    (config.parent / "trust" / "revoked.json").write_text("{")
    assert main(["run", "--config", str(config)]) == 83
    after = device.read()
    assert (after.active, after.held["b"].state) == (before.active, "trying")


def test_where_neither_slot_can_be_used_the_pointer_stays(call, made, device, config, capsys):
    call("install", made(6))
    call("activate", "b")
    for path in device.folder.glob("*.spektron"):
        path.write_bytes(b"gone")
    assert main(["run", "--config", str(config)]) == 11
    assert device.read().active == "b"
    assert device.read().fallback == "a"


def test_a_slot_s_file_that_was_exchanged_is_not_used(call, made, device, config):
    call("install", made(6))
    call("activate", "b")
    device.path(device.read().current).write_bytes(made(4).read_bytes())
    loaded = take_product(load_config(config))
    assert loaded.model.bundle_id.startswith("tiny-5-")
    assert "tiny-4-" in loaded.left


def test_a_device_may_take_unsigned_bundles_and_those_of_strangers(
    call, made, config, tmp_path, bert
):
    config.write_text(config.read_text() + "require_signature = false\n")
    status, report = call("install", made(1, bert))
    assert (status, report["signed by"]) == (0, None)
    status, report = call("install", bundles.write_tiny(tmp_path / "u.spektron", version=2))
    assert (status, report["signed by"]) == (0, None)


def test_inspect_shows_the_slots_of_a_state_folder(call, device, capsys):
    (device.folder.parent / "audit.jsonl").touch()
    assert main(["inspect", str(device.folder.parent), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["bundles"]
    assert shown["a"].startswith("good, tiny-5-")
    assert shown["nothing older than"] == "tiny 5"


def test_no_active_slot_is_said_with_what_to_do(config, capsys):
    assert main(["check-config", str(config)]) == 11
    assert "bundle install" in capsys.readouterr().err
