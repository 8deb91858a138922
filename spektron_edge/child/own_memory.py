"""What this process has taken of memory."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> float:
    """VmHWM of this process; of the GPU's memory a Jetson counts what it shares with the CPU.

    Not `ru_maxrss`, which a process inherits from the one that started it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
