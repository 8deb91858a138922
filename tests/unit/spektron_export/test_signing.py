"""`spektron-export keygen` and `sign`: neither needs torch."""

from __future__ import annotations

import json
import stat
import subprocess
import sys

import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.trust import read_trust
from spektron_export import cli
from tests import bundles, signers


@pytest.fixture
def call(capsys):
    def make(*words):
        capsys.readouterr()
        status = cli.main([*map(str, words)])
        return status, *capsys.readouterr()

    return make


@pytest.fixture
def tiny(tmp_path):
    return bundles.write_tiny(tmp_path / "tiny.spektron")


def passphrase(tmp_path, text):
    path = tmp_path / "passphrase"
    path.write_text(text)
    return path


def test_a_key_is_made_for_its_owner_only(call, tmp_path):
    status, out, _ = call("keygen", "release", "-o", tmp_path / "keys", "--json")
    report = json.loads(out)
    assert status == 0
    private = tmp_path / "keys" / "release.key.pem"
    assert report["private"] == str(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (tmp_path / "keys" / "release.pem").read_bytes()
    before = private.read_bytes()
    status, _, err = call("keygen", "release", "-o", tmp_path / "keys")
    assert (status, "never written over" in err) == (5, True)
    assert private.read_bytes() == before


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden"])
def test_a_key_name_is_no_path(name):
    with pytest.raises(SystemExit) as caught:
        cli.main(["keygen", name])
    assert caught.value.code == 2


def test_sign_adds_to_what_is_there(call, tmp_path, tiny):
    keys = tmp_path / "keys"
    ids = []
    for name in ("old", "new"):
        ids.append(json.loads(call("keygen", name, "-o", keys, "--json")[1])["key"])
        status, out, _ = call("sign", tiny, "--key", keys / f"{name}.key.pem", "--json")
        assert status == 0
        assert json.loads(out)["signatures"] == sorted(ids)
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "new.pem").write_bytes((keys / "new.pem").read_bytes())
    assert read_trust(folder).judge(read_bundle(tiny)).name == "new"


def test_sign_to_another_file_leaves_the_first_as_it_was(call, tmp_path, tiny):
    key = signers.key(tmp_path, "anna")
    before = tiny.read_bytes()
    out = tmp_path / "signed.spektron"
    assert call("sign", tiny, "--key", key.private, "-o", out)[0] == 0
    assert tiny.read_bytes() == before
    assert len(read_bundle(out).signatures) == 1


def test_an_encrypted_key_needs_its_passphrase(call, tmp_path, tiny):
    secret = passphrase(tmp_path, "correct horse\nsecond line\n")
    assert call("keygen", "k", "-o", tmp_path, "--passphrase-file", secret)[0] == 0
    key = tmp_path / "k.key.pem"
    assert b"ENCRYPTED" in key.read_bytes()
    before = tiny.read_bytes()
    status, _, err = call("sign", tiny, "--key", key)
    assert (status, "--passphrase-file" in err) == (5, True)
    wrong = passphrase(tmp_path, "wrong")
    status, _, err = call("sign", tiny, "--key", key, "--passphrase-file", wrong)
    assert (status, "passphrase is wrong" in err) == (5, True)
    assert tiny.read_bytes() == before
    right = passphrase(tmp_path, "correct horse")
    assert call("sign", tiny, "--key", key, "--passphrase-file", right)[0] == 0
    plain = signers.key(tmp_path, "plain")
    status, _, err = call("sign", tiny, "--key", plain.private, "--passphrase-file", right)
    assert (status, "has none" in err) == (5, True)


@pytest.mark.parametrize("content", ["", "\nsecond"])
def test_a_passphrase_file_without_one_is_refused(call, tmp_path, content):
    empty = passphrase(tmp_path, content)
    status, _, err = call("keygen", "k", "-o", tmp_path, "--passphrase-file", empty)
    assert (status, "no passphrase" in err) == (5, True)
    assert not (tmp_path / "k.pem").exists()


def test_what_cannot_sign_or_be_signed_is_named(call, tmp_path, tiny):
    anna = signers.key(tmp_path, "anna")
    for key in (tmp_path / "absent", anna.public, tiny):
        status, _, err = call("sign", tiny, "--key", key)
        assert (status, str(key) in err) == (5, True)
    status, _, err = call("sign", anna.public, "--key", anna.private)
    assert (status, "not a readable bundle" in err) == (5, True)
    status, _, err = call("sign", tiny, "--key", anna.private, "-o", anna.public / "x")
    assert (status, "cannot write" in err) == (6, True)
    blocked = tmp_path / "file"
    blocked.write_text("")
    status, _, err = call("keygen", "k", "-o", blocked)
    assert (status, "cannot write" in err) == (6, True)


def test_a_key_that_is_no_signing_key_is_refused(call, tmp_path, tiny):
    from spektron_edge.bundle.device_key import FILE, show_device_key

    show_device_key(tmp_path / "state", None)
    status, _, err = call("sign", tiny, "--key", tmp_path / "state" / FILE)
    assert (status, "another kind" in err) == (5, True)


def test_neither_loads_torch(tmp_path):
    code = (
        "import sys; from spektron_export.cli import main\n"
        f"main(['keygen', 'k', '-o', {str(tmp_path)!r}])\n"
        "assert not {'torch', 'onnx'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
