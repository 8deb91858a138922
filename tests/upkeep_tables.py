"""Tables of docs/backup.md that the code gives."""

from __future__ import annotations

from spektron_edge.backup.kinds import ANYTHING, KINDS
from spektron_edge.retention.shares import OTHERS, SHARES


def backup_table() -> str:
    """Each file of the state folder: in the backup, and after a restore."""
    lines = ["| in `state_dir` | in a backup | after a restore |", "|---|---|---|"]
    lines += [f"| {kind.shown} | {kind.place.value} | {kind.then} |" for kind in (*KINDS, ANYTHING)]
    return "\n".join(lines)


def retention_table() -> str:
    """Each share of the disk, and what becomes of it."""
    lines = ["| share | policy |", "|---|---|"]
    lines += [f"| {share.name} | {share.policy} |" for share in (*SHARES, OTHERS)]
    return "\n".join(lines)
