"""Transfers as a device keeps and uses them: file, versions, rollback, and what the daemon says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spektron_edge.cli.main import main
from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer import fit
from spektron_edge.transfer.quantity import convert
from spektron_edge.transfer_state import StateStore
from spektron_edge.transfer_state.file import decode, encode
from tests.transfers import state_for

from .conftest import AXIS


@pytest.fixture
def store(tmp_path):
    return StateStore(tmp_path / "state")


def test_a_file_predicts_what_the_fit_predicts(state, transfer, field):
    again = decode(encode(state))
    assert again.header == state.header
    for spectrum in field[3][20:]:
        expected = transfer.predict(spectrum[None])[0]
        assert again.predict(spectrum).values == pytest.approx(expected, rel=1e-9)
    assert encode(again) == encode(state)


def test_a_target_in_reflectance_is_kept_as_such(field, tiny_model):
    source, grid, y, target = field
    transfer = fit(source, grid, y, source[:8], 10.0 ** -target[:8], AXIS)
    state = decode(encode(state_for(transfer, tiny_model)))
    assert state.header.quantity == "-log10"
    expected = transfer.predict(10.0 ** -target[20:21])[0]
    assert state.predict(10.0 ** -target[20]).values == pytest.approx(expected)


def test_spectra_of_the_target_lie_in_the_domain_and_others_do_not(state, field):
    inside = [not state.predict(x).applicability.reasons for x in field[3][8:]]
    assert np.mean(inside) >= 0.9
    stray = field[3][9] + 0.2 * np.exp(-0.5 * ((AXIS - 2200) / 30) ** 2)
    assert state.predict(stray).applicability.reasons == ("q_above_limit",)


@pytest.mark.parametrize("damage", ["cut", "byte", "header", "array"])
def test_a_damaged_file_is_refused(state, store, damage):
    number = store.add(state, "anna")
    path = store.folder / store.read().version(number).file
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "byte":
        data[len(data) // 3] ^= 1
    elif damage == "header":
        data = bytearray(encode(state).replace(b"state.json", b"state.jsom"))
    else:
        data = bytearray(encode(state_for_other(state)))
    path.write_bytes(bytes(data))
    with pytest.raises(Fault, match=str(path)) as caught:
        store.load(store.read().version(number))
    assert caught.value.kind is Faults.TRANSFER_UNUSABLE


def state_for_other(state):
    changed = state.header.model_copy(update={"serial": "OTHER"})
    return type(state)(changed, state.axis_nm, state.matrix, state.predictor, state.domain)


def test_a_file_that_predicts_otherwise_is_refused(state):
    data = encode(state)
    shifted = type(state.predictor)(state.predictor.slopes, state.predictor.offset + 0.1)
    other = encode(type(state)(state.header, state.axis_nm, state.matrix, shifted, state.domain))
    assert data != other
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as one, zipfile.ZipFile(io.BytesIO(other)) as two:
        members = {n: one.read(n) for n in one.namelist()}
        members["expected.npy"] = two.read("expected.npy")
    mixed = io.BytesIO()
    with zipfile.ZipFile(mixed, "w") as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    with pytest.raises(Fault, match="predicts otherwise"):
        decode(mixed.getvalue())


def test_versions_go_forward_and_back(state, store):
    assert [store.add(state, "anna"), store.add(state, "anna")] == [1, 2]
    assert store.read().active("VIRT-0001") is None
    store.activate(1, "anna")
    store.activate(2, "anna")
    store.activate(2, "anna")
    assert store.read().active("VIRT-0001").number == 2
    assert store.roll_back("VIRT-0001", "bert").active("VIRT-0001").number == 1
    assert store.roll_back("VIRT-0001", "bert").active("VIRT-0001") is None
    with pytest.raises(Fault, match="as the bundle was made"):
        store.roll_back("VIRT-0001", "bert")
    assert [(a.what, a.who) for a in store.untold()] == [
        ("transfer_added", "anna"),
        ("transfer_added", "anna"),
        ("transfer_activated", "anna"),
        ("transfer_activated", "anna"),
        ("transfer_rolled_back", "bert"),
        ("transfer_rolled_back", "bert"),
    ]
    assert len(store.read().held) == 2


def test_what_did_not_validate_is_kept_and_never_used(transfer, tiny_model, store):
    state = state_for(transfer, tiny_model)
    invalid = [p.model_copy(update={"valid": False}) for p in state.header.properties]
    header = state.header.model_copy(update={"properties": tuple(invalid)})
    store.add(
        type(state)(header, state.axis_nm, state.matrix, state.predictor, state.domain), "anna"
    )
    with pytest.raises(Fault, match="did not validate"):
        store.activate(1, "anna")
    with pytest.raises(Fault, match="there are: 1"):
        store.activate(7, "anna")


def test_one_invalid_property_reads_nan(transfer, tiny_model, field):
    state = state_for(transfer, tiny_model)
    first, second = state.header.properties
    header = state.header.model_copy(
        update={"properties": (first.model_copy(update={"valid": False}), second)}
    )
    partly = type(state)(header, state.axis_nm, state.matrix, state.predictor, state.domain)
    values = partly.predict(field[3][0]).values
    assert np.isnan(values[0])
    assert np.isfinite(values[1])


def test_what_cannot_be_converted_is_said(field, tiny_model):
    source, grid, y, target = field
    transfer = fit(source, grid, y, source[:8], 10.0 ** -target[:8], AXIS)
    state = state_for(transfer, tiny_model)
    assert convert(np.ones((1, 3)), "none").shape == (1, 3)
    with pytest.raises(ValueError, match="no logarithm"):
        state.predict(np.zeros(AXIS.size))


def config(tmp_path, bundle):
    path = tmp_path / "edge.toml"
    path.write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{bundle}"\n'
        '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )
    return path


def test_a_damaged_ledger_is_told_and_a_rollback_begins_anew(
    tmp_path, tiny_bundle, state, store, capsys
):
    path = str(config(tmp_path, tiny_bundle))
    store.add(state, "anna")
    store.activate(1, "anna")
    (store.folder / "transfers.json").write_text("junk")
    status = main(["transfer", "list", "--config", path])
    assert status == Faults.TRANSFER_UNUSABLE.value.exit_status
    assert "transfer rollback" in capsys.readouterr().err
    assert main(["transfer", "rollback", "--config", path]) == 0
    assert "transfers.json.damaged-1" in capsys.readouterr().out
    assert store.read().active("VIRT-0001") is None
    assert [a.what for a in store.untold()] == ["transfers_set_aside"]
    assert len(list(store.folder.glob("*.transfer"))) == 1


def test_list_and_rollback_on_the_command_line(tmp_path, tiny_bundle, state, store, capsys):
    path = config(tmp_path, tiny_bundle)
    assert main(["transfer", "list", "--config", str(path)]) == 0
    assert "none" in capsys.readouterr().out
    store.add(state, "anna")
    store.activate(1, "anna")
    assert main(["transfer", "list", "--config", str(path), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["transfer 1"]
    assert listed["in use"]
    assert listed["moisture"].startswith("predicted RMSEP")
    assert main(["transfer", "rollback", "--config", str(path)]) == 0
    assert "the bundle's own calibration" in capsys.readouterr().out
    assert main(["transfer", "activate", "1", "--config", str(path)]) == 0
    assert "transfer 1" in capsys.readouterr().out
    assert main(["transfer", "rollback", "--config", str(path)]) == 0
    assert main(["transfer", "activate", "9", "--config", str(path)]) != 0
    status = main(["transfer", "rollback", "--config", str(path)])
    assert status == Faults.TRANSFER_MISSING.value.exit_status
    assert "--serial" in capsys.readouterr().err
