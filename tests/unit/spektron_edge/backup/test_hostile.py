"""Files that somebody else made: refused with words, and nothing is written."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.backup.archive_reader import open_backup
from spektron_edge.backup.manifest import DOMAIN
from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.device_signature import device_signer
from spektron_edge.faults import Fault, Faults
from spektron_edge.retention.archive import read_archive
from tests.devices import make_device

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A device's backup by name of member, and the device."""
    from spektron_edge.backup.making import make_backup

    folder = tmp_path_factory.mktemp("hostile")
    device = make_device(folder / "device", records=3)
    path = folder / "kept.zip"
    make_backup(device.config, path, None, "anna", lambda _: None)
    with zipfile.ZipFile(path) as archive:
        return device, {name: archive.read(name) for name in archive.namelist()}


def write(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def signed_again(device, members, change):
    """What somebody with a key of their own would make of it."""
    document = json.loads(members["manifest.json"])
    change(document)
    raw = canonical(document)
    signer = device_signer(device.state)
    signature = {"key_id": signer.key_id, "signature": signer.sign(DOMAIN, raw).hex()}
    return {**members, "manifest.json": raw, "signature.json": json.dumps(signature).encode()}


def refused(path) -> str:
    with pytest.raises(Fault) as caught, open_backup(path):
        pass
    assert caught.value.kind is Faults.BACKUP_INVALID
    return caught.value.detail


@pytest.mark.parametrize(
    "name", ["state/outbox.sqlite", "state/audit.jsonl", "config/spektron.toml", "manifest.json"]
)
def test_one_altered_byte(kept, tmp_path, name):
    _, members = kept
    data = bytearray(members[name])
    data[len(data) // 2] ^= 1
    refused(write(tmp_path / "x.zip", {**members, name: bytes(data)}.items()))


@pytest.mark.parametrize("name", ["manifest.json", "signature.json", "state/audit.jsonl"])
def test_a_missing_member(kept, tmp_path, name):
    _, members = kept
    refused(write(tmp_path / "x.zip", [m for m in members.items() if m[0] != name]))


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "state/../../evil", "state\\evil", "state/.hidden", "more"]
)
def test_a_member_more(kept, tmp_path, name):
    _, members = kept
    refused(write(tmp_path / "x.zip", [*members.items(), (name, b"evil")]))


@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/cron.d/evil", "a/../../evil", "restore-placing/evil", "lock", ".hidden", ""],
)
def test_a_path_that_is_none_of_the_state_folders(kept, tmp_path, path):
    device, members = kept

    def change(document):
        document["files"][-1]["path"] = path

    refused(write(tmp_path / "x.zip", signed_again(device, members, change).items()))


def test_sizes_that_lie(kept, tmp_path):
    device, members = kept

    def change(document):
        for file in document["files"]:
            file["bytes"] = 1

    assert "not what was written" in refused(
        write(tmp_path / "x.zip", signed_again(device, members, change).items())
    )


def test_a_bomb_is_not_unpacked(kept, tmp_path):
    _, members = kept
    bomb = {**members, "state/audit.jsonl": b"\0" * (64 * 2**20)}
    path = write(tmp_path / "x.zip", bomb.items())
    assert path.stat().st_size < 2**20
    assert "not what was written" in refused(path)


def test_a_later_format_says_so(kept, tmp_path):
    device, members = kept
    later = signed_again(device, members, lambda document: document.update(format=2))
    assert "newer version" in refused(write(tmp_path / "x.zip", later.items()))


def test_a_schema_of_a_later_version_says_so(kept, tmp_path):
    import hashlib
    import sqlite3

    from spektron_edge.backup.restoring import Wish, restore

    device, members = kept
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(members["state/outbox.sqlite"])
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    data = path.read_bytes()

    def change(document):
        (file,) = [f for f in document["files"] if f["path"] == "outbox.sqlite"]
        file["sha256"], file["bytes"] = hashlib.sha256(data).hexdigest(), len(data)

    later = signed_again(device, {**members, "state/outbox.sqlite": data}, change)
    archive = write(tmp_path / "x.zip", later.items())
    folder = tmp_path / "new"
    folder.mkdir()
    wish = Wish(folder / "spektron.toml", False, False, None, None, "anna")
    with pytest.raises(Fault) as caught:
        restore(archive, wish, lambda _: None, dry_run=False)
    assert caught.value.kind is Faults.BACKUP_INVALID
    assert "schema 99" in caught.value.detail
    assert not (folder / "spektron.toml").exists()
    assert {p.name for p in (folder / "state").iterdir()} <= {"lock"}


def test_keys_of_another_backup_do_not_open_here(tmp_path):
    from spektron_edge.backup.sealing import Passphrase, seal, unseal

    passphrase = Passphrase("correct horse battery staple")
    sealed = seal({"state/device-key.pem": b"key"}, passphrase, "A")
    assert unseal(sealed, passphrase, "A") == {"state/device-key.pem": b"key"}
    for wrong, backup_id in ((passphrase, "B"), (Passphrase("another passphrase"), "A")):
        with pytest.raises(Fault) as caught:
            unseal(sealed, wrong, backup_id)
        assert caught.value.kind is Faults.BACKUP_INVALID


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_whatever_is_done_to_its_bytes(kept, tmp_path, data):
    """Refused, or, where a bit has no meaning to a zip, whole."""
    _, members = kept
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    raw = bytearray(stream.getvalue())
    kind = data.draw(st.sampled_from(["flip", "cut", "blank"]))
    at = data.draw(st.integers(0, len(raw) - 1))
    if kind == "flip":
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del raw[at:]
    else:
        raw[at : at + 64] = bytes(len(raw[at : at + 64]))
    path = tmp_path / "x.zip"
    path.write_bytes(raw)
    kinds = {Faults.BACKUP_INVALID}
    try:
        with open_backup(path) as backup:
            for file in backup.manifest.files:
                assert backup.read(file, 2**20) == members[file.member]
    except Fault as fault:
        kinds.add(fault.kind)
    assert kinds == {Faults.BACKUP_INVALID}


def test_no_backup_at_all(tmp_path):
    assert "No such file" in refused(tmp_path / "absent.zip")
    (tmp_path / "x.zip").write_bytes(b"not a zip")
    refused(tmp_path / "x.zip")


def test_a_pipe_or_a_device_is_no_backup_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null"), tmp_path):
        assert "is not a file" in refused(path) or path == tmp_path
        with pytest.raises(Fault) as caught:
            read_archive(path)
        assert caught.value.kind is Faults.BACKUP_INVALID
