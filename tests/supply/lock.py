"""Pinned dependencies of the packaged runtime: `make lock` writes `deploy/lock/runtime-pyXYZ.txt`.

One file for each Python, for x86-64 and 64-bit ARM alike. Versions stay as they are while they
satisfy pyproject.toml; `make lock ARGS=--upgrade` takes the newest.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .platforms import DESK, DEVICE, PYTHONS, ROOT, Unresolved, resolve

FOLDER = ROOT / "deploy" / "lock"
_HEADER = """\
# What the packaged runtime is made of on Python {python}, x86-64 and 64-bit ARM, by `make lock`.
# pip install --require-hashes --only-binary :all: -r THIS
"""
_PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n +--hash=\S+)+)\n")


@dataclass(frozen=True)
class Pin:
    """name: normalised; sha256: of every file of that version, in hexadecimal."""

    name: str
    version: str
    sha256: tuple[str, ...]


def lock_file(python: str) -> Path:
    """The file for that Python ("3.10")."""
    return FOLDER / f"runtime-py{python.replace('.', '')}.txt"


def pins(text: str) -> list[Pin]:
    """Of a lock file's text. Raises ValueError for anything that is no pin with its hashes."""
    body = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
    found, rest = [], _PIN.sub("", body)
    if rest.strip():
        raise ValueError(f"no pin with hashes: {rest.strip()[:200]}")
    for match in _PIN.finditer(body):
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", match["hashes"])
        found.append(Pin(match["name"], match["version"], tuple(hashes)))
    return found


def write(python: str, *options: str) -> None:
    """Raises Unresolved, also where the two architectures would not get the same versions."""
    path = lock_file(python)
    with tempfile.TemporaryDirectory() as folder:
        answers = []
        for platform in (DEVICE, DESK):
            kept = Path(folder) / platform
            if path.is_file():
                shutil.copy(path, kept)
            resolve(platform, python, kept, *options)
            answers.append(kept.read_text())
    if answers[0] != answers[1]:
        raise Unresolved(f"Python {python}: {DEVICE} and {DESK} get different versions")
    pins(answers[0])
    path.write_text(_HEADER.format(python=python) + answers[0])


def main() -> int:
    """Write every file."""
    parser = argparse.ArgumentParser(prog="make lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="the newest of every dependency")
    options = ["--upgrade"] if parser.parse_args().upgrade else []
    for python in PYTHONS:
        try:
            write(python, *options)
        except Unresolved as error:
            print(f"not resolved: {error}", file=sys.stderr)
            return 1
        print(lock_file(python).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
