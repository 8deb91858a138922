"""`spektron-edge support`: what somebody who helps from afar has to see, in one file."""

from __future__ import annotations

import argparse
from pathlib import Path

from .argument_types import with_config
from .show import show


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    support = commands.add_parser(
        "support", help="write a file for support: configuration, state, logs; no secrets"
    )
    support.add_argument("file", type=Path, metavar="FILE.zip", help="written")
    with_config(support)
    support.set_defaults(command=_support)


def _support(arguments: argparse.Namespace) -> int:
    import zipfile

    from spektron_edge.config.loading import load_config
    from spektron_edge.files.durable import write_durably
    from spektron_edge.files.state_folder import storage_fault
    from spektron_edge.support.archive import support_file

    path = arguments.file
    data = support_file(load_config(arguments.config))
    try:
        write_durably(path, data, 0o600)
    except OSError as error:
        raise storage_fault(error, path) from None
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    report: dict[str, object] = {
        "support file": str(path),
        "bytes": len(data),
        "holds": names,
        "next": "look into it before it is sent: `contents.txt` says what is in it",
    }
    show(report, as_json=arguments.json)
    return 0
