"""Calibration spectra for one device: there and back, and nowhere else."""

from __future__ import annotations

import json
import stat

import numpy as np
import pytest

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.device_key import FILE, load_device_key, show_device_key
from spektron_edge.bundle.manifest import TRANSFER_WITHOUT
from spektron_edge.bundle.spectra import MEMBER, SPECTRA, open_spectra, seal, split
from spektron_edge.cli.main import main
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import load_model
from tests import bundles

WHOLE = {
    **bundles.source_arrays(),
    "x": bundles.spectra(40).astype(np.float32),
    "y": np.arange(80, dtype=np.float32).reshape(40, 2),
    "samples": np.arange(40),
    "z_chem": np.zeros((40, 128), np.float32),
}


@pytest.fixture
def device(tmp_path):
    show_device_key(tmp_path / "state", None)
    return load_device_key(tmp_path / "state")


@pytest.fixture
def other(tmp_path):
    show_device_key(tmp_path / "elsewhere", None)
    return load_device_key(tmp_path / "elsewhere")


def kept_back(how, **more):
    return bundles.product(source_spectra=how, transfer_without=TRANSFER_WITHOUT[how], **more)


def encrypted(path, device, *, name="tiny", version=1, product="grain", **changes):
    """The tiny bundle 1 with spectra that were sealed for a bundle of that name and version."""
    clear, spectra = split(WHOLE)
    sealed = seal(bundles.npz(spectra), device.public, name, version, product)
    replaced = {"source.npz": bundles.npz(clear), MEMBER: sealed, **changes.pop("replaced", {})}
    products = [kept_back("encrypted", encrypted_spectra=MEMBER)]
    return read_bundle(bundles.write_tiny(path, replaced=replaced, products=products, **changes))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "b.spektron"


def opened(bundle, key):
    return open_spectra(bundle, bundle.manifest.product(None), key)


def refusal(bundle, key):
    with pytest.raises(BundleError) as caught:
        opened(bundle, key)
    return str(caught.value)


def test_only_the_device_can_open_its_spectra(path, device, other):
    bundle = encrypted(path, device)
    found = opened(bundle, device)
    assert set(found) == set(SPECTRA)
    for name, array in found.items():
        np.testing.assert_array_equal(array, WHOLE[name])
    assert other.key_id in refusal(bundle, other)
    assert "its key is needed" in refusal(bundle, None)


def test_nothing_of_the_spectra_is_left_in_the_clear(path, device):
    bundle = encrypted(path, device)
    assert not set(SPECTRA) & set(bundle.arrays("source.npz"))
    raw = b"".join(bundle.members.values())
    assert all(row.tobytes() not in raw for row in WHOLE["x"])


@pytest.mark.parametrize("key", [True, False])
def test_the_daemon_needs_none_of_them(path, device, key):
    model = load_model(encrypted(path, device))
    assert model.applicability.assess(bundles.spectra(1)[0]).reasons == ()


@pytest.mark.parametrize(
    "moved", [{"name": "other"}, {"version": 2}, {"product": "flour"}], ids=str
)
def test_a_member_of_another_bundle_does_not_open(path, device, moved):
    assert "belongs to another bundle" in refusal(encrypted(path, device, **moved), device)


@pytest.mark.parametrize("at", [0, 8, 20, 50, 70, -1])
def test_an_altered_member_does_not_open(path, device, at):
    sealed = bytearray(encrypted(path, device).members[MEMBER])
    sealed[at] ^= 1
    assert MEMBER in refusal(encrypted(path, device, replaced={MEMBER: bytes(sealed)}), device)


@pytest.mark.parametrize("length", [0, 7, 59, 60])
def test_a_short_member_does_not_open(path, device, length):
    sealed = encrypted(path, device).members[MEMBER][:length]
    assert MEMBER in refusal(encrypted(path, device, replaced={MEMBER: sealed}), device)


def test_a_key_that_gives_no_secret_is_refused(path, device):
    # The neutral point makes every shared secret zero, which anybody knows.
    with pytest.raises(ValueError, match="shared key"):
        seal(b"", bytes(32), "tiny", 1, "grain")
    sealed = bytearray(encrypted(path, device).members[MEMBER])
    sealed[16:48] = bytes(32)
    assert MEMBER in refusal(encrypted(path, device, replaced={MEMBER: bytes(sealed)}), device)


def test_what_was_sealed_and_is_no_archive_is_refused(path, device):
    sealed = seal(b"no npz", device.public, "tiny", 1, "grain")
    assert "not an array archive" in refusal(
        encrypted(path, device, replaced={MEMBER: sealed}), device
    )


def test_spectra_that_were_left_out_are_named_with_what_is_lost(path):
    bundle = read_bundle(bundles.write_tiny(path, products=[kept_back("left_out")]))
    assert "standardisation" in refusal(bundle, None)


def test_spectra_that_are_included_need_no_key(path):
    bundle = read_bundle(bundles.write_tiny(path, replaced={"source.npz": bundles.npz(WHOLE)}))
    np.testing.assert_array_equal(opened(bundle, None)["x"], WHOLE["x"])


def test_inspect_says_what_transfer_cannot_do(path, capsys, device):
    encrypted(path, device)
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "calibration spectra: encrypted" in shown
    assert "not possible: direct and piecewise" in shown


# ---- the device's key


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text(
        'site = "s"\ninstrument = "i"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/x"\n[mqtt]\nurl = "mqtt://h"\n'
    )
    return path


def test_a_device_key_is_made_once_and_stays_private(config, tmp_path, capsys):
    arguments = ["device-key", "--config", str(config), "--json"]
    assert main([*arguments, "-o", str(tmp_path / "public.pem")]) == 0
    first = json.loads(capsys.readouterr().out)
    private = tmp_path / "state" / FILE
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (tmp_path / "public.pem").read_bytes()
    before = private.read_bytes()
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["key"] == first["key"]
    assert private.read_bytes() == before
    assert [p.name for p in (tmp_path / "state").iterdir()] == [FILE]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x" * 100_000])
def test_a_damaged_device_key_is_a_fault_and_not_replaced(config, tmp_path, capsys, content):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE).write_bytes(content)
    assert main(["device-key", "--config", str(config), "--json"]) == 87
    assert "Traceback" not in capsys.readouterr().err
    assert (tmp_path / "state" / FILE).read_bytes() == content


def test_an_absent_device_key_says_how_to_make_one(tmp_path):
    with pytest.raises(Fault, match="device-key") as caught:
        load_device_key(tmp_path)
    assert caught.value.kind is Faults.KEY_UNUSABLE
