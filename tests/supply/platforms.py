"""For which systems the runtime's dependencies are resolved: by uv, to wheels alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# As they ship: with the page and with figures for Prometheus.
EXTRAS = ("page", "metrics")
# An instrument's: JetPack 6 has glibc 2.35, Debian 12 has 2.36.
DEVICE = "aarch64-manylinux_2_28"
DESK = "x86_64-manylinux_2_28"
OTHERS = ("aarch64-apple-darwin", "x86_64-apple-darwin", "windows")


class Unresolved(Exception):
    """uv found no set of wheels, or did not reach the package index; the text is its own."""


def resolve(
    platform: str,
    python: str,
    kept: Path | None = None,
    *options: str,
    source: Path = ROOT / "pyproject.toml",
    extras: tuple[str, ...] = EXTRAS,
) -> str:
    """The pins, a line each. `kept` may hold an earlier answer, whose versions are preferred, and
    gets this one, with the hashes of every file.

    Raises Unresolved.
    """
    words = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config"]
    words += ["--python-platform", platform, "--python-version", python]
    words += ["--only-binary", ":all:", "--no-header", "--no-annotate"]
    words += [word for extra in extras for word in ("--extra", extra)]
    if kept is not None:
        words += ["--generate-hashes", "--output-file", str(kept)]
    done = subprocess.run(
        [*words, *options, str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unresolved(done.stderr.strip() or done.stdout.strip())
    return done.stdout
