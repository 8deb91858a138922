"""`spektron-edge archive`: what may leave the state folder, moved into one file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .argument_types import with_config
from .local_operator import local_operator
from .show import show

_MB = 2**20


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    archive = commands.add_parser(
        "archive", help="what takes the disk, and move what may leave it into one file"
    )
    archive.add_argument(
        "file", type=Path, nargs="?", metavar="FILE.zip", help="default: only say what there is"
    )
    with_config(archive)
    archive.set_defaults(command=_archive)


def _archive(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.files.state_folder import storage_fault
    from spektron_edge.retention.archive import archive
    from spektron_edge.retention.shares import measured, movable

    config = load_config(arguments.config)
    folder = config.state_dir
    report: dict[str, object] = {}
    if arguments.file is not None:
        done = archive(config, arguments.file, local_operator(), _tell)
        report["archive"] = str(arguments.file) if done.sha256 else "not written: nothing to move"
        report["moved"] = [held.path for held in done.contents.files]
        if done.sha256 is not None:
            report["sha256"] = done.sha256
            report["next"] = "keep it: `audit verify --archive` verifies the lines that it holds"
    try:
        taken = measured(folder)
        left = sum(path.stat().st_size for path in movable(folder))
    except OSError as error:
        raise storage_fault(error, folder) from None
    report["budget"] = f"{config.retention.total_mb:.0f} MB"
    report["taken"] = f"{taken.total() / _MB:.1f} MB"
    report["shares"] = {name: f"{size / _MB:.1f} MB" for name, size in taken.most_common()}
    report["may leave"] = f"{left / _MB:.1f} MB"
    show(report, as_json=arguments.json)
    return 0


def _tell(how_far: str) -> None:
    if sys.stderr.isatty():
        print(how_far, file=sys.stderr)
