"""`spektron-edge backup`, `restore`, `backup-key`: what a device knows, in one file and back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .argument_types import key_identity, positive, with_config
from .local_operator import local_operator
from .show import show

if TYPE_CHECKING:
    from spektron_edge.backup.restoring import Restored
    from spektron_edge.backup.sealing import Passphrase, Recipient
    from spektron_edge.bundle.keys import DeviceKey


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    backup = commands.add_parser("backup", help="all that this device knows, in one signed file")
    where = backup.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "file", type=Path, nargs="?", metavar="FILE.zip", help="written; must not be there yet"
    )
    where.add_argument("--to", type=Path, metavar="FOLDER", help="a new file there, named by time")
    backup.add_argument(
        "--keep", type=positive, default=7, metavar="N", help="with --to: how many stay there (7)"
    )
    whom = backup.add_mutually_exclusive_group()
    whom.add_argument(
        "--passphrase-file", type=Path, help="keys and accounts as well, encrypted under this"
    )
    whom.add_argument(
        "--recipient", type=Path, metavar="KEY.pem", help="the same, for a key of `backup-key`"
    )
    with_config(backup)
    backup.set_defaults(command=_backup)

    restore = commands.add_parser("restore", help="bring a backup onto this device")
    restore.add_argument("file", type=Path, metavar="FILE.zip", help="a backup")
    known = restore.add_mutually_exclusive_group()
    known.add_argument("--passphrase-file", type=Path, help="opens keys and accounts")
    known.add_argument(
        "--key", type=Path, metavar="KEY.key.pem", help="the same: the recipient's private key"
    )
    restore.add_argument(
        "--signer",
        type=key_identity,
        metavar="ID",
        help="the key that must have signed, as `backup` told it",
    )
    there = restore.add_mutually_exclusive_group()
    there.add_argument("--replace", action="store_true", help="set aside what is there")
    there.add_argument(
        "--keep-config", action="store_true", help="go by the configuration that is there"
    )
    restore.add_argument("--dry-run", action="store_true", help="verify, and say what would be")
    with_config(restore)
    restore.set_defaults(command=_restore)

    key = commands.add_parser("backup-key", help="a key pair to encrypt backups' keys for")
    key.add_argument("name", metavar="NAME", help="writes NAME.pem and NAME.key.pem")
    key.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="where both are written (here)"
    )
    key.add_argument("--json", action="store_true", help="JSON on standard output")
    key.set_defaults(command=_key)


def _backup(arguments: argparse.Namespace) -> int:
    from spektron_edge.backup.making import make_backup
    from spektron_edge.backup.rotation import name_in, remove_old
    from spektron_edge.config.loading import load_config
    from spektron_edge.files.audit_segments import broken_segments
    from spektron_edge.files.state_folder import AUDIT_FILE

    config = load_config(arguments.config)
    target = arguments.file or name_in(arguments.to, config)
    to = _recipient(arguments)
    made = make_backup(arguments.config, target, to, local_operator(), _tell)
    manifest, log = made.manifest, config.state_dir / AUDIT_FILE
    report: dict[str, object] = {
        "backup": str(made.path),
        "id": manifest.id,
        "bytes": made.bytes,
        "files": len(manifest.files),
        "audit log": f"{manifest.audit.lines} lines, head {manifest.audit.head}",
        **({"broken in it": broken} if (broken := broken_segments(log)) else {}),
        "signer": made.signer,
        "keys and accounts": _sealed(arguments, len(manifest.sealed.holds))
        if manifest.sealed
        else "left out: give --passphrase-file or --recipient to have them in it",
        "left out": list(manifest.left_out),
    }
    if made.untold:
        report["audit log was not told"] = made.untold
    if arguments.to is not None:
        removed = remove_old(target, config, arguments.keep)
        report["removed"] = [path.name for path in removed]
    report["next"] = f"keep it on another machine, and note the signer {made.signer}"
    show(report, as_json=arguments.json)
    return 0


def _recipient(arguments: argparse.Namespace) -> Passphrase | Recipient | None:
    from spektron_edge.backup.sealing import read_passphrase, read_recipient

    if arguments.passphrase_file is not None:
        return read_passphrase(arguments.passphrase_file)
    return None if arguments.recipient is None else read_recipient(arguments.recipient)


def _sealed(arguments: argparse.Namespace, count: int) -> str:
    how = "under the passphrase" if arguments.passphrase_file else f"for {arguments.recipient}"
    return f"{count}, encrypted {how}"


def _restore(arguments: argparse.Namespace) -> int:
    from spektron_edge.backup.restoring import Wish, restore

    wish = Wish(
        config=arguments.config,
        replace=arguments.replace,
        keep_config=arguments.keep_config,
        by=_opener(arguments),
        signer=arguments.signer,
        who=local_operator(),
    )
    done = restore(arguments.file, wish, _tell, dry_run=arguments.dry_run)
    show(_restored(arguments, done), as_json=arguments.json)
    return 0


def _opener(arguments: argparse.Namespace) -> Passphrase | DeviceKey | None:
    from spektron_edge.backup.sealing import read_passphrase, read_private

    if arguments.passphrase_file is not None:
        return read_passphrase(arguments.passphrase_file)
    return None if arguments.key is None else read_private(arguments.key)


def _restored(arguments: argparse.Namespace, done: Restored) -> dict[str, object]:
    from spektron_edge.backup.afterwards import afterwards

    manifest = done.manifest
    would = arguments.dry_run
    report: dict[str, object] = {
        "would restore" if would else "restored": str(arguments.file),
        "id": manifest.id,
        "made": f"{manifest.made:%Y-%m-%d %H:%M} UTC on {manifest.host} by {manifest.by}",
        "signer": f"{done.signer}{'' if done.known else ' (whose key that is nobody has shown)'}",
        "state": str(done.config.state_dir),
        "configuration": str(arguments.config),
        "files of the configuration": "none: --keep-config"
        if arguments.keep_config
        else [str(path) for path in done.files],
        "keys and accounts": _keys(arguments, done),
    }
    if done.before is not None:
        report["what was there"] = str(done.before)
    if done.in_the_way:
        report["in the way"] = list(done.in_the_way)
    report["see to"] = afterwards(done)
    report["next"] = (
        "run it again without --dry-run"
        if would
        else f"spektron-edge check-config {arguments.config}, then start the daemon"
    )
    return report


def _keys(arguments: argparse.Namespace, done: Restored) -> str:
    if not done.keys:
        return "not restored"
    only = "accounts and the device's key; files of the configuration are those that were there"
    return only if arguments.keep_config else "as they were"


def _key(arguments: argparse.Namespace) -> int:
    from spektron_edge.backup.recipient_key import make_recipient_key

    made = make_recipient_key(arguments.out, arguments.name)
    report: dict[str, object] = {
        "key": made.key_id,
        "public": str(made.public),
        "private": str(made.private),
        "next": "move the private half away from every device; give the public half to "
        "`spektron-edge backup --recipient`",
    }
    show(report, as_json=arguments.json)
    return 0


def _tell(how_far: str) -> None:
    # For whoever watches; a timer's journal needs none of it.
    if sys.stderr.isatty():
        print(how_far, file=sys.stderr)
