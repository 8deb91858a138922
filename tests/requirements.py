"""What a test needs from the machine: absent, it skips with a reason, unless it is required.

`SPEKTRON_REQUIRE=broker,shared` (as CI sets it) turns those skips into failures.
`index`, the package index, has no check here: tests that ask it call `absent` when it is not there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from spektron_edge.demo.broker import mosquitto

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _missing_broker() -> str | None:
    return None if mosquitto() else "mosquitto is not installed"


def _missing_shared() -> str | None:
    return None if SHARED.is_dir() else "the folder of shared measurements is not here"


def _missing_node() -> str | None:
    return None if shutil.which("npm") and shutil.which("node") else "node and npm are not here"


def _missing_browser() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed (extra dev)"
    return None if browser() else "chromium is not here: apt install chromium"


def browser() -> str | None:
    """The program of the browser that tests drive."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def _missing_tmpfs() -> str | None:
    mount = shutil.which("mount")
    if mount is None:
        return "no mount program"
    with tempfile.TemporaryDirectory() as folder:
        command = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "a small file system can be mounted by root only"
        subprocess.run(["umount", folder], check=True)
    return None


def _missing_netns() -> str | None:
    if os.geteuid():
        return "a network of its own can be made by root only"
    if shutil.which("ip") is None:
        return "the program ip is not here: apt install iproute2"
    name = f"spektron-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "this root may not make networks of its own"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


def _missing_tensorrt_rtx() -> str | None:
    found = importlib.util.find_spec("tensorrt_rtx")
    return None if found else "tensorrt-rtx-cu12 is not installed (extra dev, on x86-64 Linux)"


def _missing_cyclonedx() -> str | None:
    found = importlib.util.find_spec("cyclonedx")
    return None if found else "cyclonedx-python-lib, for its schemas, is not installed (extra dev)"


def _missing_cppcheck() -> str | None:
    return None if shutil.which("cppcheck") else "cppcheck is not installed"


def _missing_strace() -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    # Containers may forbid it.
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "no process may be traced here" if tried.returncode else None


def _missing_seabreeze() -> str | None:
    found = all(importlib.util.find_spec(name) for name in ("seabreeze", "usb"))
    return None if found else "python-seabreeze and pyusb are not installed (extra ocean-usb)"


def _missing_peers() -> str | None:
    here = (Path(__file__).resolve().parents[1] / "build" / "peers" / "bin" / "python").is_file()
    return None if here else "the environment of old peers is not here (`make peers`)"


def _missing_arm64() -> str | None:
    if os.geteuid():
        return "a root file system for ARM can be made and entered by root only"
    for program in ("qemu-aarch64-static", "mmdebstrap"):
        if shutil.which(program) is None:
            return f"{program} is not here: apt install qemu-user-static mmdebstrap"
    own = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False)
    return "this root may not have mounts of its own" if own.returncode else None


def _missing_systemd() -> str | None:
    found = shutil.which("systemd-analyze")
    return None if found else "systemd-analyze is not here: apt install systemd"


def _missing_nspawn() -> str | None:
    if os.geteuid():
        return "a machine that boots in a container can be made by root only"
    for program in ("systemd-nspawn", "mmdebstrap", "dpkg-deb"):
        if shutil.which(program) is None:
            return f"{program} is not here: apt install systemd-container mmdebstrap dpkg"
    return None


def _missing_buildah() -> str | None:
    if os.geteuid() or shutil.which("mmdebstrap") is None:
        return "the image's base is made by root, with mmdebstrap"
    return None if shutil.which("buildah") else "buildah is not here: apt install buildah"


def _missing_clang() -> str | None:
    if shutil.which("clang") is None:
        return "clang is not here: apt install clang"
    where = ["clang", "--print-runtime-dir"]
    folder = subprocess.run(where, capture_output=True, check=True, text=True).stdout.strip()
    found = any(Path(folder).glob("libclang_rt.fuzzer*"))
    return None if found else "clang has no sanitizers: apt install libclang-rt-14-dev, or so"


def _missing_firmware() -> str | None:
    for program in ("make", "arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(program) is None:
            return f"{program} is not here: apt install make gcc-arm-none-eabi qemu-system-arm"
    return None


_CHECKS = {
    "arm64": _missing_arm64,
    "broker": _missing_broker,
    "browser": _missing_browser,
    "buildah": _missing_buildah,
    "clang": _missing_clang,
    "cppcheck": _missing_cppcheck,
    "firmware": _missing_firmware,
    "node": _missing_node,
    "nspawn": _missing_nspawn,
    "seabreeze": _missing_seabreeze,
    "shared": _missing_shared,
    "strace": _missing_strace,
    "systemd": _missing_systemd,
    "tensorrt-rtx": _missing_tensorrt_rtx,
    "cyclonedx": _missing_cyclonedx,
    "netns": _missing_netns,
    "peers": _missing_peers,
    "tmpfs": _missing_tmpfs,
}


def need(what: str) -> None:
    """Skip the test when `what` is missing here; fail it when it is required."""
    reason = _CHECKS[what]()
    if reason is not None:
        absent(what, reason)


def absent(what: str, reason: str) -> NoReturn:
    """The same for what turned out to be missing only when it was to be used."""
    if what in os.environ.get("SPEKTRON_REQUIRE", "").split(","):
        pytest.fail(f"{reason}, but SPEKTRON_REQUIRE asks for it")
    pytest.skip(reason)
