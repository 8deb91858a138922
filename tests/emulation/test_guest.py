"""The guest is what the tests in it take it for."""

from __future__ import annotations

import contextlib
import json
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from tests.integration.rig import until

pytestmark = pytest.mark.timeout(600)
NEWEST = metadata.version("onnxruntime")


@pytest.fixture(scope="module")
def guest(make_guest):
    return make_guest(NEWEST)


def test_it_is_an_arm_and_so_is_what_it_starts(guest, exchange):
    (exchange / "given").write_text("from the host")
    program = """
import json, os, platform, subprocess, sys
from pathlib import Path
import onnxruntime
import spektron_edge
again = [sys.executable, "-c", "import platform; print(platform.machine())"]
child = subprocess.run(again, capture_output=True, text=True, check=True).stdout.strip()
try:
    Path("/repository/written").touch()
    refused = False
except OSError:
    refused = True
found = {
    "machines": [platform.machine(), child],
    "onnxruntime": onnxruntime.__version__,
    "given": Path("/exchange/given").read_text(),
    "folder": str(Path.cwd()),
    "home": sorted(os.listdir("/tmp")),
    "edge": spektron_edge.__file__,
    "refused": refused,
    "pty": len(os.openpty()),
}
Path("/exchange/found").write_text(json.dumps(found))
"""
    done = guest.run("-c", program, exchange=exchange)
    assert done.returncode == 0, done.stderr
    assert json.loads((exchange / "found").read_text()) == {
        "machines": ["aarch64", "aarch64"],
        "onnxruntime": NEWEST,
        "given": "from the host",
        "folder": "/repository",
        "home": [],
        "edge": "/repository/spektron_edge/__init__.py",
        "refused": True,
        "pty": 2,
    }


def test_what_fails_under_pytest_there_is_told(guest, exchange):
    """What passes there is test_runtime.py's."""
    (exchange / "test_one.py").write_text("def test_one():\n    assert 1 == 2\n")
    words = ["-m", "pytest", "-p", "no:cacheprovider", "/exchange/test_one.py"]
    done = guest.run(*words, exchange=exchange)
    assert (done.returncode, "1 failed" in done.stdout) == (1, True)


def test_nothing_of_it_is_left(guest, exchange):
    program = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        guest.run("-c", program, exchange=exchange, timeout_s=5)
    # The kernel ends them one after the other.
    until(lambda: not any(b"time.sleep(600)" in line for line in commands()), "their end")
    assert str(guest.root) not in Path("/proc/mounts").read_text()


def commands():
    """Of every process that there is."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # It may have ended by now.
        with contextlib.suppress(OSError):
            yield path.read_bytes()
