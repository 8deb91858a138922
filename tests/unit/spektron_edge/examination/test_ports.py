from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from spektron_edge.examination.ports import holders
from spektron_edge.files.lock_files import is_locked
from tests.requirements import need

# Takes and locks, among terminals of its own, the one of the number it is given.
_ELSEWHERE = """
import array, fcntl, os, sys, time
folder, wanted = sys.argv[1], int(sys.argv[2])
made, number = [], array.array("i", [-1])
while number[0] != wanted:
    made.append(os.open(f"{folder}/ptmx", os.O_RDWR | os.O_NOCTTY))
    fcntl.ioctl(made[-1], 0x80045430, number)  # TIOCGPTN, ioctl_tty(2)
fcntl.ioctl(made[-1], 0x40045431, array.array("i", [0]))  # TIOCSPTLCK
fcntl.flock(os.open(f"{folder}/{wanted}", os.O_RDWR | os.O_NOCTTY), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""
_LOCKED_HERE = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


def test_who_holds_a_port_and_not_who_holds_a_containers_of_the_same_number(tmp_path):
    need("tmpfs")
    maker, end = os.openpty()
    path = Path(os.ttyname(end))
    mounts = f'mount -t devpts -o newinstance,ptmxmode=0600 none {tmp_path} && exec "$@"'
    container = ["unshare", "--mount", "sh", "-c", mounts, "sh"]
    program = [sys.executable, "-c", _ELSEWHERE, str(tmp_path), path.name]
    try:
        with subprocess.Popen([*container, *program], stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"held\n"
            fcntl.flock(end, fcntl.LOCK_EX)
            assert is_locked(path)
            assert holders(path) == []
            fcntl.flock(end, fcntl.LOCK_UN)
            assert not is_locked(path)
            other.kill()
        with subprocess.Popen(
            [sys.executable, "-c", _LOCKED_HERE, str(path)], stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout.readline() == b"held\n"
            assert is_locked(path)
            assert [held.partition(" (")[2] for held in holders(path)] == [f"process {holder.pid})"]
            holder.kill()
    finally:
        os.close(maker)
        os.close(end)
