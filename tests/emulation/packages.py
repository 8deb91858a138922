"""Folders of Python packages, for the guest or for the host, kept under build/arm64."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import tomllib

from .kept import kept

_CHECKOUT = Path(__file__).resolve().parents[2]
# What tests in the guest need beside the runtime's own dependencies.
_TESTS = ("pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100")
# pip does not know that a system for newer wheels takes older ones.
_PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")


def for_guest(onnxruntime: str) -> Path:
    """Folder with the runtime's dependencies for 64-bit ARM and Python 3.11.

    Raises RuntimeError with pip's own words.
    """
    project = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [d for d in project["dependencies"] if not d.startswith("onnxruntime")]
    wanted += [f"onnxruntime=={onnxruntime}", *_TESTS]
    platforms = [word for p in _PLATFORMS for word in ("--platform", f"{p}_aarch64")]
    python = ["--python-version", "311", "--implementation", "cp", "--only-binary=:all:"]
    return _installed("guest", onnxruntime, [*platforms, *python, *wanted])


def for_host(onnxruntime: str) -> Path:
    """Folder with that onnxruntime alone, to come before the host environment's own.

    Raises RuntimeError with pip's own words.
    """
    wanted = ["--no-deps", "--only-binary=:all:", f"onnxruntime=={onnxruntime}"]
    return _installed(f"host-{sys.version_info[0]}.{sys.version_info[1]}", onnxruntime, wanted)


def _installed(what: str, onnxruntime: str, words: list[str]) -> Path:
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]

    def build(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        done = subprocess.run(
            [*command, "--target", str(folder), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"pip could not install onnxruntime {onnxruntime}: {done.stderr}")

    return kept(f"{what}-onnxruntime-{onnxruntime}-{digest}", build)
