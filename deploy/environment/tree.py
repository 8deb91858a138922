"""Wheels to an environment that the system's Python runs, without pip and without compiling."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from .target import Target
from .wheels import Failed

# Of our own wheel: training and export belong to a host.
_LEFT_OUT = ("spektron_train", "spektron_export")
_LAUNCHER = """\
#!{prefix}/bin/python3 -I
import sys

from spektron_edge.cli.main import main

sys.exit(main())
"""


def make_environment(wheels: Sequence[Path], root: Path, prefix: str, target: Target) -> None:
    """A virtual environment at `prefix` (as it will be called on the device) below `root`.

    `PREFIX/bin/python3` is the system's, `PREFIX/bin/spektron-edge` the program. Raises Failed for
    two wheels with the same file and for a name that would lead elsewhere.
    """
    home = root / prefix.lstrip("/")
    packages = home / "lib" / f"python{target.python}" / "site-packages"
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in _wanted(archive.namelist(), wheel.name):
                path = packages / name
                if path.exists():
                    raise Failed(f"{wheel.name} has {name}, which another wheel has as well")
                path.parent.mkdir(parents=True, exist_ok=True)
                content = archive.read(name)
                path.write_bytes(
                    _own_program_alone(content) if name.endswith("/entry_points.txt") else content
                )
    programs = home / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(f"/usr/bin/python{target.python}")
    launcher = programs / "spektron-edge"
    launcher.write_text(_LAUNCHER.format(prefix=prefix))
    launcher.chmod(0o755)
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {target.python}\n"
    )


def _wanted(names: Iterable[str], wheel: str) -> Iterable[str]:
    """Modules and what tells about them: no tests, no programs, no lists of what pip may remove."""
    for name in sorted(names):
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts:
            raise Failed(f"{wheel} has a file that would lie elsewhere: {name}")
        if name.endswith("/") or parts[0] in _LEFT_OUT:
            continue
        if parts[0].endswith(".data"):
            if parts[1] in ("purelib", "platlib"):
                raise Failed(f"{wheel} has modules in {parts[0]}, which is not known here")
            continue
        if parts[0].endswith(".dist-info") and parts[-1] == "RECORD":
            continue
        if not {"tests", "__pycache__"}.isdisjoint(parts):
            continue
        yield name


def _own_program_alone(entry_points: bytes) -> bytes:
    lines = entry_points.decode().splitlines(keepends=True)
    return "".join(
        line for line in lines if not any(f"= {name}." in line for name in _LEFT_OUT)
    ).encode()
