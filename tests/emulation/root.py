"""The guest's root file system: Debian's Python 3.11 for 64-bit ARM, and nothing that boots."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from .kept import kept
from .processors import PROCESSORS

EMULATOR = "qemu-aarch64-static"
_SUITE = "bookworm"
_PACKAGES = (
    "python3.11",
    "libpython3.11-stdlib",
    "libstdc++6",
    "libgcc-s1",
    "libc-bin",
    "coreutils",
    "dash",
    "bash",
    "ca-certificates",
    "libssl3",
    "libsqlite3-0",
    "libffi8",
    "zlib1g",
    "libgomp1",
)
PYTHON = "/usr/bin/python3.11"
# Where folders of the host are mounted in the guest.
REPOSITORY, SITE, EXCHANGE = "repository", "site", "exchange"
_CPUS = "sys/devices/system/cpu"


def root() -> Path:
    """The folder, made at the first call. Raises RuntimeError with mmdebstrap's own words."""
    recipe = [Path(__file__).read_text(), *(processor.cpuinfo() for processor in PROCESSORS)]
    digest = hashlib.sha256("".join(recipe).encode()).hexdigest()[:8]
    return kept(f"root-{_SUITE}-{digest}", _build)


def _build(folder: Path) -> None:
    done = subprocess.run(
        [
            "mmdebstrap",
            "--mode=root",
            "--architectures=arm64",
            # Unpacked only: nothing of the guest has to run before it is complete.
            "--variant=extract",
            f"--include={','.join(_PACKAGES)}",
            _SUITE,
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"mmdebstrap could not make a root file system: {done.stderr}")
    emulator = shutil.which(EMULATOR)
    assert emulator is not None
    shutil.copy(emulator, folder / "usr" / "bin")
    _emulate(folder / PYTHON.lstrip("/"))
    for name in (REPOSITORY, SITE, EXCHANGE):
        (folder / name).mkdir()
    # The host's /sys makes onnxruntime crash, and without any onnxruntime 1.23.2 does not start.
    cpus = folder / _CPUS
    cpus.mkdir(parents=True)
    for name in ("possible", "present"):
        (cpus / name).write_text("0\n")
    (folder / "proc" / "cpuinfo").touch()
    for processor in PROCESSORS:
        (folder / f"cpuinfo.{processor.name}").write_text(processor.cpuinfo())


def _emulate(python: Path) -> None:
    """A script in Python's place, so that a guest that starts itself again is emulated again.

    The kernel takes the emulator for the script's interpreter; nothing has to be registered.
    """
    real = python.rename(f"{python}.arm64")
    emulator, inside = f"/usr/bin/{EMULATOR}", f"{PYTHON}.arm64"
    assert real.name == Path(inside).name
    python.write_text(f'#!{emulator} /bin/dash\nexec {emulator} -0 {PYTHON} {inside} "$@"\n')
    python.chmod(0o755)
