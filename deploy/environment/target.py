"""What an environment is built for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Where it lies on the device.
PREFIX = "/opt/spektron-edge"
# Debian's names, and the machine's as wheels have it.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Target:
    """architecture: Debian's name; python: the system's, "3.11"; gpu: a wheel of onnxruntime for
    it, in the place of the one that is pinned.

    Raises ValueError for what does not exist.
    """

    architecture: str = "amd64"
    python: str = "3.11"
    gpu: Path | None = None

    def __post_init__(self) -> None:
        if self.architecture not in MACHINES:
            raise ValueError(f"no architecture {self.architecture!r}: {', '.join(MACHINES)}")
        if not re.fullmatch(r"3\.\d+", self.python):
            raise ValueError(f"no version of Python like 3.11: {self.python!r}")
        if self.gpu and not (self.gpu.is_file() and self.gpu.name.startswith("onnxruntime")):
            raise ValueError(f"no wheel of onnxruntime: {self.gpu}")

    @property
    def tag(self) -> str:
        """As in "py311"."""
        return "py" + self.python.replace(".", "")

    @property
    def platforms(self) -> tuple[str, ...]:
        """What wheels may be made for: JetPack 6 has glibc 2.35, Debian 12 has 2.36."""
        machine = MACHINES[self.architecture]
        libraries = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
        return tuple(f"{library}_{machine}" for library in libraries)
