"""A Debian 12 that boots, with what the package depends on and a broker, and nothing of ours."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from tests.emulation.kept import kept

_SUITE = "bookworm"
_PACKAGES = ("systemd-sysv", "python3", "libstdc++6", "mosquitto", "mosquitto-clients")


def root() -> Path:
    """The folder, made at the first call. Raises RuntimeError with mmdebstrap's own words."""
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    return kept(f"{_SUITE}-{digest}", _build, "nspawn")


def _build(folder: Path) -> None:
    words = ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(_PACKAGES)}"]
    # Nothing here has to survive a power cut.
    words += ["--dpkgopt=force-unsafe-io", "--aptopt=APT::Install-Recommends false"]
    words += [
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
    ]
    done = subprocess.run(
        [*words, _SUITE, str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"mmdebstrap could not make a root file system: {done.stderr}")
