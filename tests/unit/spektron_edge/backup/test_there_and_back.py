"""A backup and its restore: what comes back, what is made safe, and what is refused."""

from __future__ import annotations

import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from spektron_edge.files.audit import verify
from spektron_edge.outbox.store import reading
from tests.devices import lose, make_device, record


def files_of(folder: Path) -> dict[str, bytes]:
    """Contents by path; without what SQLite leaves beside a database that was read."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in found.items() if not name.endswith(("-wal", "-shm"))}


@pytest.fixture
def backup(device, tmp_path, done):
    """A file without keys, and what was told of it."""
    path = tmp_path / "kept.zip"
    return path, done("backup", path, "--config", device.config)


def test_all_comes_back(device, passphrase, tmp_path, done):
    path = tmp_path / "kept.zip"
    done("backup", path, "--config", device.config, "--passphrase-file", passphrase)
    before = files_of(device.folder)
    lose(device)
    told = done("restore", path, "--config", device.config, "--passphrase-file", passphrase)
    after = files_of(device.folder)
    made_anew = {"state/lock", "state/bundles/lock", "state/choices/lock", "state/page/lock"}
    changed = {"state/outbox.sqlite", "state/audit.jsonl", "state/sparkplug-bdseq"}
    gone = {name for name in before if name not in after}
    assert gone <= {*made_anew, "state/engines/x.engine", "state/page/notes.json"}
    for name in {*after} - changed - made_anew:
        assert after[name] == before[name], name
    assert told["keys and accounts"] == "as they were"
    for name in ("anna.key", "secrets/password", "state/device-key.pem", "state/page/users.json"):
        assert (device.folder / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_what_root_restores_is_the_daemons_to_read_and_write(device, passphrase, tmp_path, done):
    path = tmp_path / "kept.zip"
    by = ("--passphrase-file", passphrase)
    done("backup", path, "--config", device.config, *by)
    lose(device)
    # As a package leaves them: the configuration's folder is root's, the state the service's.
    device.state.mkdir()
    os.chown(device.state, 4711, 4712)
    done("restore", path, "--config", device.config, *by)
    for file in device.state.rglob("*"):
        assert (file.stat().st_uid, file.stat().st_gid) == (4711, 4712), file
    for secret in ("anna.key", "secrets/password"):
        assert (device.folder / secret).stat().st_uid == 4711
    assert device.config.stat().st_uid == 0


def test_records_go_on_as_they_were(device, backup, done):
    with reading(device.state / "outbox.sqlite") as db:
        before = db.execute("SELECT * FROM record ORDER BY position").fetchall()
    lose(device)
    done("restore", backup[0], "--config", device.config)
    state = device.open()
    with reading(device.state / "outbox.sqlite") as db:
        assert db.execute("SELECT * FROM record ORDER BY position").fetchall() == before
    assert state.damage == []
    assert [r.id for r in state.outbox.unsent(100)] == [record(n).id for n in range(1, 20, 2)]
    assert state.outbox.progress("SN-1").number == 19
    state.close()


def test_no_counter_that_was_used_since_is_accepted(device, backup, done):
    before_ns = time.time_ns()
    state = device.open()
    assert state.accept_counter("anna", 78)
    state.close()
    lose(device)
    done("restore", backup[0], "--config", device.config)
    state = device.open()
    assert not state.accept_counter("anna", 78)
    assert not state.accept_counter("anna", before_ns)
    assert state.accept_counter("anna", time.time_ns())
    state.close()
    # Nor where the outbox is lost after that: the audit log knows it, too.
    (device.state / "outbox.sqlite").unlink()
    state = device.open()
    assert not state.accept_counter("anna", before_ns)
    state.close()


def test_the_audit_chain_goes_on_and_says_what_was_done(device, backup, done):
    was = verify(device.state / "audit.jsonl")
    lose(device)
    done("restore", backup[0], "--config", device.config)
    assert (
        done("audit", "verify", "--config", device.config, "--head", was.head)["chain"] == "holds"
    )
    lines = [json.loads(line) for line in (device.state / "audit.jsonl").read_text().splitlines()]
    restored, reset = lines[was.lines :]
    assert restored["what"] == "restored"
    assert restored["previous"] == restored["details"]["head"] == was.head
    assert restored["details"]["backup"] == backup[1]["id"]
    assert restored["details"]["signer"] == backup[1]["signer"]
    assert not restored["details"]["signer_known"]
    assert (reset["what"], reset["details"]["operator"]) == ("counter_reset", "anna")


def test_sparkplug_counts_from_a_number_not_used_since(device, backup, done):
    lose(device)
    done("restore", backup[0], "--config", device.config)
    assert (device.state / "sparkplug-bdseq").read_text() == f"{(200 + 128) % 256}\n"


def test_without_a_passphrase_no_secret_is_in_it(device, tmp_path, done):
    path = tmp_path / "open.zip"
    told = done("backup", path, "--config", device.config)
    assert sum("a secret" in line for line in told["left out"]) == 4
    with zipfile.ZipFile(path) as archive:
        held = b"".join(archive.read(name) for name in archive.namelist())
    for secret in (b"the broker's password", b"anna's key", b"PRIVATE KEY", b"$argon2"):
        assert secret not in held
    lose(device)
    told = done("restore", path, "--config", device.config)
    assert told["keys and accounts"] == "not restored"
    assert "give keys again" in told["see to"][0]


def test_a_recipient_alone_opens_the_keys(device, tmp_path, ask, done):
    key = done("backup-key", "recovery", "--out", tmp_path)
    path = tmp_path / "kept.zip"
    done("backup", path, "--config", device.config, "--recipient", key["public"])
    lose(device)
    words = ("restore", path, "--config", device.config)
    other = done("backup-key", "other", "--out", tmp_path)
    status, told = ask(*words, "--key", other["private"])
    assert (status, told["error"]["code"]) == (68, "backup_invalid")
    assert not device.state.exists()
    assert done(*words, "--key", key["private"])["keys and accounts"] == "as they were"
    assert (device.folder / "anna.key").read_bytes() == b"anna's key 0123456789"


def test_a_wrong_passphrase_leaves_nothing(device, passphrase, tmp_path, done, ask):
    path = tmp_path / "kept.zip"
    done("backup", path, "--config", device.config, "--passphrase-file", passphrase)
    lose(device)
    wrong = tmp_path / "wrong"
    wrong.write_text("not the passphrase at all")
    status, told = ask("restore", path, "--config", device.config, "--passphrase-file", wrong)
    assert (status, told["error"]["code"]) == (68, "backup_invalid")
    assert list(device.folder.iterdir()) == []


def test_a_short_passphrase_is_refused(device, tmp_path, ask):
    short = tmp_path / "short"
    short.write_text("hunter2")
    status, _ = ask(
        "backup", tmp_path / "x.zip", "--config", device.config, "--passphrase-file", short
    )
    assert status == 87
    assert not (tmp_path / "x.zip").exists()


def test_what_is_in_use_is_set_aside_only_when_asked(device, backup, ask, done):
    state = device.open()
    state.outbox.commit([record(99)])
    state.close()
    status, told = ask("restore", backup[0], "--config", device.config)
    assert (status, told["error"]["code"]) == (75, "backup_refused")
    assert "--replace" in told["error"]["detail"]
    device.config.write_text(device.config.read_text() + "# another one\n")
    told = done("restore", backup[0], "--config", device.config, "--replace")
    aside = Path(told["what was there"])
    with reading(aside / "outbox.sqlite") as db:
        assert db.execute("SELECT COUNT(*) FROM record").fetchone() == (21,)
    assert (device.folder / "spektron.toml.before-restore-1").read_text().endswith("another one\n")
    assert "another one" not in device.config.read_text()
    # What was set aside stays where it is, and in no backup.
    told = done("backup", device.folder / "second.zip", "--config", device.config)
    with zipfile.ZipFile(device.folder / "second.zip") as archive:
        assert not any("before" in name for name in archive.namelist())


def test_the_configuration_that_is_there_may_stay(device, backup, done):
    lose(device)
    other = device.folder / "other.toml"
    other.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "elsewhere"\n'
        '[serial]\nurl = "x"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
    )
    done("restore", backup[0], "--config", other, "--keep-config")
    assert (device.folder / "elsewhere" / "outbox.sqlite").is_file()
    assert not device.config.exists()


def test_a_target_that_cannot_be_written_is_told(device, backup, tmp_path, ask):
    (tmp_path / "file").write_text("no folder")
    status, told = ask("restore", backup[0], "--config", tmp_path / "file" / "spektron.toml")
    assert status in (12, 75)
    assert str(tmp_path / "file") in told["error"]["detail"]


def test_a_dry_run_writes_nothing(device, backup, done):
    lose(device)
    told = done("restore", backup[0], "--config", device.config, "--dry-run")
    assert "would restore" in told
    assert list(device.folder.iterdir()) == []


def test_a_running_daemon_keeps_its_folder(device, backup, ask):
    state = device.open()
    status, told = ask("restore", backup[0], "--config", device.config, "--replace")
    state.close()
    assert (status, told["error"]["code"]) == (15, "state_in_use")


def test_a_backup_beside_an_open_outbox_has_all_that_was_committed(device, tmp_path, done):
    state = device.open()
    state.outbox.commit([record(99)])
    done("backup", tmp_path / "live.zip", "--config", device.config)
    state.outbox.commit([record(100)])
    state.close()
    lose(device)
    done("restore", tmp_path / "live.zip", "--config", device.config)
    with reading(device.state / "outbox.sqlite") as db:
        ids = {i for (i,) in db.execute("SELECT id FROM record")}
    assert record(99).id in ids
    assert record(100).id not in ids


def test_the_audit_log_is_told_of_the_backup(device, backup):
    notes = json.loads((device.state / "page" / "notes.json").read_text())
    (action,) = notes["untold"]
    assert action["what"] == "backup_made"
    assert action["details"]["backup"] == backup[1]["id"]


def test_a_folder_keeps_the_latest_ones(device, tmp_path, done):
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a backup")
    for day in range(1, 5):
        (folder / f"spektron-lab-m5-2026010{day}T000000000Z.zip").write_bytes(b"old")
    told = done("backup", "--to", folder, "--keep", 3, "--config", device.config)
    left = sorted(p.name for p in folder.iterdir())
    assert left[0] == "notes.txt"
    assert left[1:3] == [f"spektron-lab-m5-2026010{day}T000000000Z.zip" for day in (3, 4)]
    assert told["backup"].endswith(left[3])
    assert told["removed"] == [f"spektron-lab-m5-2026010{day}T000000000Z.zip" for day in (1, 2)]


@pytest.mark.parametrize("inside", ["state/x.zip", "kept.zip"])
def test_no_backup_over_a_file_or_into_the_state(device, backup, ask, inside):
    path = backup[0] if inside == "kept.zip" else device.folder / inside
    status, told = ask("backup", path, "--config", device.config)
    assert (status, told["error"]["code"]) == (75, "backup_refused")


def test_the_clock_must_not_be_before_the_backup(device, backup, ask, monkeypatch):
    import spektron_edge.backup.restoring as restoring

    class Early(restoring.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2020, 1, 1, tzinfo=tz)

    lose(device)
    monkeypatch.setattr(restoring, "datetime", Early)
    status, told = ask("restore", backup[0], "--config", device.config)
    assert (status, told["error"]["code"]) == (50, "clock_suspect")
    assert list(device.folder.iterdir()) == []


def test_outside_the_configurations_folder_only_what_is_known_to_be_ones_own(
    device, tmp_path, passphrase, ask, done
):
    elsewhere = tmp_path / "var"
    text = device.config.read_text().replace('"state"', f'"{elsewhere}/state"')
    device.state.rename(tmp_path / "moved")
    device.config.write_text(text)
    elsewhere.mkdir()
    (tmp_path / "moved").rename(elsewhere / "state")
    path = tmp_path / "kept.zip"
    made = done("backup", path, "--config", device.config, "--passphrase-file", passphrase)
    lose(device)
    (elsewhere / "state").rename(tmp_path / "gone")
    words = ("restore", path, "--config", device.config)
    status, told = ask(*words)
    assert (status, told["error"]["code"]) == (75, "backup_refused")
    assert made["signer"] in told["error"]["detail"]
    status, told = ask(*words, "--signer", "0" * 16)
    assert (status, told["error"]["code"]) == (75, "backup_refused")
    done(*words, "--signer", made["signer"], "--dry-run")
    done(*words, "--passphrase-file", passphrase)
    assert (elsewhere / "state" / "outbox.sqlite").is_file()


def test_damage_is_no_backup(device, tmp_path, ask):
    path = device.state / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0].replace(b"daemon", b"deamon"), *lines[1:]]))
    status, told = ask("backup", tmp_path / "x.zip", "--config", device.config)
    assert (status, told["error"]["code"]) == (16, "audit_broken")
    assert not (tmp_path / "x.zip").exists()


def test_every_file_of_a_folder_in_use_is_known(device):
    from spektron_edge.backup.kinds import ANYTHING, kind_of

    unknown = [name for name in files_of(device.state) if kind_of(name) is ANYTHING]
    assert unknown == []


def test_what_is_unknown_and_private_counts_as_a_secret(device, tmp_path, done):
    (device.state / "later").mkdir()
    (device.state / "later" / "open.json").write_text("{}")
    private = device.state / "later" / "private.json"
    private.write_text("{}")
    private.chmod(0o600)
    told = done("backup", tmp_path / "x.zip", "--config", device.config)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        names = archive.namelist()
    assert "state/later/open.json" in names
    assert "state/later/private.json" not in names
    assert any("later/private.json" in line for line in told["left out"])


def test_a_device_that_was_never_started_still_has_a_configuration(tmp_path, done):
    device = make_device(tmp_path / "fresh", records=0)
    (device.state / "outbox.sqlite").unlink()
    done("backup", tmp_path / "x.zip", "--config", device.config)
    lose(device)
    done("restore", tmp_path / "x.zip", "--config", device.config)
    state = device.open()
    assert state.audit.lines == 3
    state.close()
