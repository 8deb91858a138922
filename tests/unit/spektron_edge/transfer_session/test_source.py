"""Where the calibration spectra come from, and when there are none."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.bundle.device_key import load_device_key, show_device_key
from spektron_edge.bundle.install import activate, install
from spektron_edge.bundle.manifest import TRANSFER_WITHOUT
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.spectra import MEMBER, SPECTRA, seal, split
from spektron_edge.config.file import shipped_bundle
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Faults
from spektron_edge.prediction.product import terms_of
from spektron_edge.transfer_session import Scans, Session
from tests import bundles
from tests.corn_bench import SERIAL, configure, measure

from .sessions import refused


def test_without_calibration_spectra_it_says_what_is_not_possible(tmp_path):
    shipped = read_bundle(shipped_bundle())
    product = shipped.manifest.products[0].model_copy(
        update={"source_spectra": "left_out", "transfer_without": "transfer of any kind"}
    )
    arrays = shipped.arrays(product.source)
    path = tmp_path / "less.npz"
    np.savez(path, **{n: a for n, a in arrays.items() if n not in SPECTRA})
    members = {**shipped.members, product.source: path.read_bytes()}
    files = {**shipped.manifest.files, product.source: sha256(path.read_bytes()).hexdigest()}
    manifest = shipped.manifest.model_copy(update={"products": (product,), "files": files})
    write_bundle(tmp_path / "less.spektron", manifest, members)
    config = configure(tmp_path / "device", f'bundle = "{tmp_path / "less.spektron"}"')
    detail = refused(Faults.TRANSFER_IMPOSSIBLE, Session(config, "x").start, SERIAL)
    assert "not possible: transfer of any kind" in detail


def test_an_encrypted_bundle_goes_through_a_whole_session(tmp_path, capsys):
    x, y = bundles.spectra(40), np.empty((40, 2))
    y[:, 0], y[:, 1] = 20 * x[:, 12], 30 * x[:, 30]
    config = sealed_device(tmp_path, x, y)[0]
    session = Session(config, "x")
    session.start(SERIAL, [f"no {i}" for i in range(0, 40, 4)])
    rng = np.random.default_rng(0)
    axis = session.source().axis
    while (sample := session.next_sample()) is not None:
        cup = 0.8 * x[int(sample[3:])] + 0.02
        scans = cup + 1e-4 * rng.standard_normal((3, cup.size))
        assert session.add(sample, Scans(scans, axis)).verdict == "good"
    assert len(session.status().samples) == 10
    done = session.finish()
    assert done.in_use
    assert session.rollback(SERIAL) is None
    # Whoever takes the disk has no source spectrum from it.
    for path in (config.parent / "state").rglob("*"):
        raw = path.read_bytes() if path.is_file() else b""
        assert not any(row.tobytes() in raw for row in (*x, *x.astype(np.float32)))


def test_a_session_under_a_bundle_whose_spectra_went_away_can_only_be_discarded(tmp_path, cups):
    config = configure(tmp_path / "device")
    session = Session(config, "x")
    session.start(SERIAL)
    measure(session, cups, 3)
    session.finish()
    session.start(SERIAL)
    configure(config.parent, f'bundle = "{bundles.write_tiny(tmp_path / "t.spektron")}"')
    later = Session(config, "x")
    for action in (later.status, later.next_sample, later.finish):
        refused(Faults.TRANSFER_IMPOSSIBLE, action)
    refused(Faults.TRANSFER_IMPOSSIBLE, later.add, "5", cups.scans("5"))
    assert len(later.list()) == 1
    assert later.rollback(SERIAL) is None
    later.discard()
    refused(Faults.TRANSFER_IMPOSSIBLE, later.start, SERIAL)


def sealed_device(tmp_path, x, y):
    """A device and a bundle that is encrypted for it: its configuration and its key."""
    config = configure(tmp_path / "device", f'bundle = "{tmp_path / "sealed.spektron"}"')
    state = config.parent / "state"
    show_device_key(state, None)
    key = load_device_key(state)
    samples = np.array([f"no {i}" for i in range(len(x))])
    arrays = {"x": x.astype(np.float32), "y": y.astype(np.float32), "samples": samples}
    clear, spectra = split({**bundles.source_arrays(), **arrays})
    sealed = seal(bundles.npz(spectra), key.public, "tiny", 1, "grain")
    product = bundles.product(
        source_spectra="encrypted",
        transfer_without=TRANSFER_WITHOUT["encrypted"],
        encrypted_spectra=MEMBER,
    )
    replaced = {"source.npz": bundles.npz(clear), MEMBER: sealed}
    bundles.write_tiny(tmp_path / "sealed.spektron", replaced=replaced, products=[product])
    return config, key


def test_spectra_that_are_encrypted_for_this_device_are_opened(tmp_path):
    y = np.random.default_rng(0).random((40, 2))
    config, key = sealed_device(tmp_path, bundles.spectra(40), y)
    assert Session(config, "x").start(SERIAL, ["no 3"]).next_sample == "no 3"
    # Another device has another key.
    other = configure(tmp_path / "other", f'bundle = "{tmp_path / "sealed.spektron"}"')
    refused(Faults.KEY_UNUSABLE, Session(other, "x").start, SERIAL)
    show_device_key(other.parent / "state", None)
    detail = refused(Faults.TRANSFER_IMPOSSIBLE, Session(other, "x").start, SERIAL)
    assert f"encrypted for the device with key {key.key_id}" in detail


def test_the_active_slot_s_bundle_is_the_source(tmp_path):
    config = configure(tmp_path / "device", 'bundle = "slots"')
    assert "no slot" in refused(Faults.BUNDLE_INVALID, Session(config, "x").start, SERIAL)
    parsed = load_config(config)
    store, terms = SlotStore(parsed.state_dir), terms_of(parsed)
    install(store, shipped_bundle(), terms, "x")
    activate(store, "a", terms, "x")
    assert Session(config, "x").start(SERIAL).bundle == read_bundle(shipped_bundle()).id
