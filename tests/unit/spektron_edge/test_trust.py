"""Whose bundles are accepted. Installation of refused ones: test_install.py."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.bundle import BundleError, BundleUntrusted, TrustUnusable, read_bundle
from spektron_edge.bundle.canonical import canonical, is_canonical
from spektron_edge.bundle.signature import Signature, read_signatures, write_signatures
from spektron_edge.bundle.trust import read_trust
from spektron_edge.cli.main import main
from tests import bundles, signers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "b.spektron"


def judge(path, folder, **options):
    return read_trust(folder, **options).judge(read_bundle(path))


def refusal(path, folder, **options):
    with pytest.raises(BundleUntrusted) as caught:
        judge(path, folder, **options)
    return str(caught.value)


# ---- signatures


def test_a_signed_bundle_names_its_signer(path, tmp_path, anna):
    signers.signed_tiny(path, anna)
    signer = judge(path, signers.trusting(tmp_path / "trust", anna))
    assert (signer.key_id, signer.name) == (anna.key_id, "anna")


def test_signing_changes_neither_manifest_nor_members(path, anna, bert):
    before = read_bundle(bundles.write_tiny(path))
    signers.sign(path, anna, bert, anna)
    after = read_bundle(path)
    assert after.raw_manifest == before.raw_manifest
    assert after.members == before.members
    assert after.id == before.id
    assert [s.key_id for s in after.signatures] == sorted([anna.key_id, bert.key_id])


def test_a_stranger_s_signature_is_refused_by_its_key(path, tmp_path, anna, bert):
    signers.signed_tiny(path, bert)
    assert bert.key_id in refusal(path, signers.trusting(tmp_path / "trust", anna))


def test_an_unsigned_bundle_needs_a_device_that_takes_it(path, tmp_path, anna):
    bundles.write_tiny(path)
    folder = signers.trusting(tmp_path / "trust", anna)
    assert "is not signed" in refusal(path, folder)
    assert judge(path, folder, require_signature=False) is None


def test_a_device_that_takes_unsigned_bundles_still_sees_a_forgery(path, tmp_path, anna, bert):
    bundles.write_tiny(path)
    other = signers.signed_tiny(tmp_path / "other.spektron", anna, version=2)
    with zipfile.ZipFile(other) as archive:
        signatures = archive.read("signatures.json")
    bundles.write_raw(path, [*_entries(path), ("signatures.json", signatures)])
    folder = signers.trusting(tmp_path / "trust", anna)
    assert "does not belong" in refusal(path, folder, require_signature=False)
    stranger = signers.signed_tiny(tmp_path / "stranger.spektron", bert)
    assert judge(stranger, folder, require_signature=False) is None


def _entries(path):
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b'{"format": 1, "signatures": []}',
        b'{"format": 2, "signatures": [{"key_id": "0123456789abcdef", "signature": "00"}]}',
        canonical({"format": 1, "signatures": [{"key_id": "x", "signature": "00" * 64}]}),
        canonical({"format": 1, "signatures": [{"key_id": "0" * 16, "signature": "00" * 64}] * 2}),
        b" " * 100_000,
    ],
    ids=["empty", "nothing", "none", "format", "key", "twice", "long"],
)
def test_a_list_of_signatures_that_is_none_is_refused(path, document):
    entries = bundles.raw_entries()
    bundles.write_raw(path, [*entries, ("signatures.json", document)])
    with pytest.raises(BundleError, match=r"signatures\.json"):
        read_bundle(path)


@given(st.sets(st.binary(min_size=8, max_size=8), min_size=1, max_size=16))
def test_signatures_survive_writing_and_reading(ids):
    made = tuple(Signature(key_id=i.hex(), signature="ab" * 64) for i in sorted(ids))
    assert read_signatures(write_signatures(made)) == made


# ---- the canonical manifest


def test_what_is_written_is_canonical(tiny_bundle):
    assert read_bundle(tiny_bundle).canonical


def test_a_signed_manifest_in_another_form_is_refused(path, anna):
    signers.signed_tiny(path, anna)
    entries = dict(_entries(path))
    entries["manifest.json"] = json.dumps(json.loads(entries["manifest.json"])).encode()
    bundles.write_raw(path, list(entries.items()))
    with pytest.raises(BundleError, match="canonical"):
        read_bundle(path)


def test_an_unsigned_manifest_in_another_form_is_read_and_not_signed(path, anna):
    bundles.write_raw(path, bundles.raw_entries())
    assert not read_bundle(path).canonical
    with pytest.raises(BundleError, match="canonical"):
        signers.sign(path, anna)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1}',
        b'{\n "b": 1,\n "a": 2\n}',
        b'{\n "a": 1,\n "a": 1\n}',
        b'{\n "a": 1.50\n}',
        b'{\n "a": "\\u00e4"\n}',
        b'{\n "a": NaN\n}',
        b'{\n "a": 1\n}\n',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_another_form_of_the_same_document_shows(raw):
    assert not is_canonical(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_the_canonical_form_is_a_fixed_point(document):
    # A lone surrogate is no text that UTF-8 could hold.
    try:
        raw = canonical(document)
    except ValueError:
        return
    assert is_canonical(raw)


# ---- rotation and revocation


def test_a_key_is_replaced_without_a_gap(path, tmp_path, anna, bert):
    old = signers.trusting(tmp_path / "old", anna)
    both = signers.trusting(tmp_path / "both", anna, bert)
    new = signers.trusting(tmp_path / "new", anna, bert, revoked={"keys": [anna.key_id]})
    signers.signed_tiny(path, anna, bert)
    assert judge(path, old).name == "anna"
    assert judge(path, both).name in ("anna", "bert")
    assert judge(path, new).name == "bert"
    signers.signed_tiny(path, anna)
    assert "revoked" in refusal(path, new)
    signers.signed_tiny(path, bert)
    assert judge(path, new).name == "bert"


@pytest.mark.parametrize("require", [True, False])
def test_a_revoked_bundle_is_refused_however_it_is_signed(path, tmp_path, anna, require):
    signers.signed_tiny(path, anna)
    revoked = {"bundles": [read_bundle(path).id]}
    folder = signers.trusting(tmp_path / "trust", anna, revoked=revoked)
    assert "is revoked" in refusal(path, folder, require_signature=require)


def test_a_revoked_key_is_refused_even_where_unsigned_ones_are_not(path, tmp_path, anna):
    signers.signed_tiny(path, anna)
    folder = signers.trusting(tmp_path / "trust", anna, revoked={"keys": [anna.key_id]})
    assert "revoked" in refusal(path, folder, require_signature=False)


# ---- the folder


def unusable(path, folder):
    with pytest.raises(TrustUnusable) as caught:
        judge(path, folder)
    return str(caught.value)


def test_a_folder_without_keys_trusts_nobody(path, tmp_path, anna):
    signers.signed_tiny(path, anna)
    assert "not a folder" in unusable(path, tmp_path / "absent")
    assert "no public key" in unusable(path, signers.trusting(tmp_path / "trust"))


@pytest.mark.parametrize("text", ["", "{", '{"keyz": []}', '{"keys": ["short"]}'])
def test_a_revocation_list_that_cannot_be_read_is_not_an_empty_one(path, tmp_path, anna, text):
    signers.signed_tiny(path, anna)
    folder = signers.trusting(tmp_path / "trust", anna)
    (folder / "revoked.json").write_text(text)
    assert "revoked.json" in unusable(path, folder)


def test_a_private_key_does_not_belong_on_a_device(path, tmp_path, anna):
    signers.signed_tiny(path, anna)
    folder = signers.trusting(tmp_path / "trust", anna)
    (folder / "oops.pem").write_bytes(anna.private.read_bytes())
    assert "private key" in unusable(path, folder)


def test_keys_of_another_kind_nonsense_and_doubles_are_named(path, tmp_path, anna):
    signers.signed_tiny(path, anna)
    folder = signers.trusting(tmp_path / "trust", anna)
    extra = folder / "extra.pem"
    for content in (b"", b"nonsense", b"x" * 100_000):
        extra.write_bytes(content)
        assert "extra.pem" in unusable(path, folder)
    extra.unlink()
    extra.mkdir()
    assert "extra.pem" in unusable(path, folder)
    extra.rmdir()
    extra.write_bytes(anna.public.read_bytes())
    assert "the same key" in unusable(path, folder)


def test_a_device_s_own_key_is_no_signing_key(path, tmp_path, anna, capsys):
    config = tmp_path / "edge.toml"
    config.write_text(
        'site = "s"\ninstrument = "i"\nstate_dir = "state"\n'
        '[serial]\nurl = "/dev/x"\n[mqtt]\nurl = "mqtt://h"\n'
    )
    folder = signers.trusting(tmp_path / "trust", anna)
    out = folder / "device.pem"
    assert main(["device-key", "--config", str(config), "-o", str(out), "--json"]) == 0
    signers.signed_tiny(path, anna)
    assert "another kind" in unusable(path, folder)


# ---- verify


def verify(capsys, *arguments):
    capsys.readouterr()
    status = main(["verify", "--json", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return status, json.loads(out)


def test_verify_says_what_holds_and_who_signed(capsys, path, tmp_path, anna, bert):
    bundles.write_tiny(path)
    folder = signers.trusting(tmp_path / "trust", anna)
    status, report = verify(capsys, path)
    assert (status, report["signatures"]) == (0, "none")
    status, report = verify(capsys, path, "--keys", folder)
    assert (status, report["error"]["code"]) == (80, "bundle_untrusted")
    signers.sign(path, anna)
    status, report = verify(capsys, path)
    assert status == 0
    assert "not checked" in report["signatures"]
    status, report = verify(capsys, path, "--keys", folder)
    assert (status, report["signatures"]) == (0, f"signed by anna ({anna.key_id})")
    assert report["golden vectors"] == "hold: grain fp32, grain int8"
    assert verify(capsys, path, "--keys", signers.trusting(folder, bert))[0] == 80
    assert verify(capsys, path, "--keys", tmp_path / "absent")[0] == 83


def test_verify_refuses_another_form_and_other_numbers(capsys, path, anna):
    bundles.write_raw(path, bundles.raw_entries())
    status, report = verify(capsys, path)
    assert (status, report["error"]["code"]) == (11, "bundle_invalid")
    assert "canonical" in report["error"]["detail"]
    wrong = {**bundles.golden_arrays(), "y_int8": bundles.golden_arrays()["y_int8"] + 1}
    bundles.write_tiny(path, replaced={"golden.npz": bundles.npz(wrong)})
    status, report = verify(capsys, path)
    assert status == 11
    assert "differs from its golden value" in report["error"]["detail"]


# ---- what it costs


LOADED = """
import sys, json, pathlib
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.config.loading import load_config
from spektron_edge.prediction.product import load_product
print(load_product(load_config(pathlib.Path(sys.argv[1]))).model.signed_by)
print("cryptography" in sys.modules)
"""


@pytest.mark.parametrize("signed", [False, True])
def test_a_daemon_with_an_unsigned_bundle_loads_no_cryptography(tmp_path, path, anna, signed):
    bundles.write_tiny(path)
    if signed:
        signers.sign(path, anna)
    signers.trusting(tmp_path / "trust", anna)
    config = tmp_path / "edge.toml"
    config.write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{path}"\n'
        '[serial]\nurl = "/dev/x"\n[mqtt]\nurl = "mqtt://h"\n'
        '[trust]\nkeys = "trust"\nrequire_signature = false\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(config)], capture_output=True, text=True, check=True
    )
    who = f"anna ({anna.key_id})" if signed else "None"
    assert done.stdout.split("\n")[:2] == [who, str(signed)]
