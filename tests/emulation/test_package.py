"""The Debian package for 64-bit ARM: unpacked by dpkg, its environment run by the guest's Python.

Its maintainer scripts run on x86-64 alone (tests/packages): for them every program of the guest
would have to be emulated, which takes a registration in the kernel that is this machine's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.debian.package import build
from deploy.environment.target import PREFIX, Target
from deploy.environment.wheels import Failed
from tests.requirements import absent, need

from .guest import Guest
from .root import EMULATOR, PYTHON, root

_PROGRAM = f"{PREFIX}/bin/spektron-edge"
_BUNDLE = f"{PREFIX}/lib/python3.11/site-packages/spektron_edge/bundles/corn.spektron"
# Under the environment's name, by which Python finds the packages; nothing of the checkout.
_LAUNCH = f"""
import os, sys
emulator = "/usr/bin/{EMULATOR}"
words = ["-0", "{PREFIX}/bin/python3", "{PYTHON}.arm64", "-I", *sys.argv[1:]]
os.execv(emulator, [emulator, *words])
"""


@pytest.mark.long
@pytest.mark.once
@pytest.mark.timeout(3000)
def test_the_package_for_arm_runs_on_arm(tmp_path: Path, exchange: Path) -> None:
    need("arm64")
    try:
        system, package = root(), build(Target("arm64"), 1, tmp_path / "package", "none")
    except (RuntimeError, Failed) as error:
        absent("arm64", str(error))
    own = tmp_path / "root"
    _done("cp", "-a", "--reflink=auto", str(system), str(own))
    # dpkg of this machine, and the guest's database: nothing of the guest runs for it.
    forced = ("--force-architecture", "--force-depends")
    _done("dpkg", f"--root={own}", *forced, "--unpack", str(package))
    told = _done(
        "dpkg-query", f"--root={own}", "--show", "--showformat=${Architecture}", "spektron-edge"
    )
    assert told == "arm64"
    (tmp_path / "nothing").mkdir()
    guest = Guest(own, tmp_path / "nothing")

    def said(*words: str) -> str:
        done = guest.run("-c", _LAUNCH, *words, exchange=exchange, timeout_s=900)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import platform, spektron_edge; print(platform.machine(), spektron_edge.__file__)"
    machine, module = said("-c", where).split()
    assert machine == "aarch64"
    assert module.startswith(f"{PREFIX}/")
    assert said(_PROGRAM, "--version").startswith("spektron-edge ")
    assert "corn" in said(_PROGRAM, "inspect")
    # Golden vectors, by ARM's onnxruntime. Halves it computes in its own way.
    verified = said(_PROGRAM, "verify", _BUNDLE)
    held = verified.partition("; but not")[0]
    assert "corn int8" in held
    assert "corn fp32" in held


def _done(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
