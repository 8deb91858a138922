"""Processors that are emulated, and what Linux would say of them.

onnxruntime chooses its INT8 kernels by what it reads in /proc/cpuinfo and in the kernel's list of
features; both have to tell of the same processor, or it runs instructions that are not there.
"""

from __future__ import annotations

from dataclasses import dataclass

_BASE = ("fp", "asimd", "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32", "cpuid")
_ARM_8_2 = (*_BASE, "atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop", "asimddp")


@dataclass(frozen=True)
class Processor:
    """name: as qemu knows it; part: ARM's number of it; features: as Linux names them."""

    name: str
    part: int
    features: tuple[str, ...]

    def cpuinfo(self) -> str:
        """The text of /proc/cpuinfo, one core."""
        return (
            f"processor\t: 0\nBogoMIPS\t: 100.00\nFeatures\t: {' '.join(self.features)}\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\n"
            f"CPU part\t: {self.part:#x}\nCPU revision\t: 1\n\n"
        )


# A Raspberry Pi 4; no dot products of INT8.
CORTEX_A72 = Processor("cortex-a72", 0xD08, _BASE)
# A Raspberry Pi 5, and of what qemu 7.2 has the nearest to a Jetson Orin's Cortex-A78AE.
CORTEX_A76 = Processor("cortex-a76", 0xD0B, _ARM_8_2)
PROCESSORS = (CORTEX_A72, CORTEX_A76)
