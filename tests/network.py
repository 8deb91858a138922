"""A host of its own on this machine: a network namespace, joined by two cables. Needs root."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class FarHost:
    """`near`: its address on the cable that can be cut; `other`: on the one that stays."""

    name: str
    near: str
    other: str
    _cable: str

    @property
    def inside(self) -> tuple[str, ...]:
        """Begin a command with it to run it there."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Pull the cable at the far end: packets vanish, and nobody is told."""
        _ip("-n", self.name, "link", "set", f"{self._cable}f", "down")

    def mend(self) -> None:
        _ip("-n", self.name, "link", "set", f"{self._cable}f", "up")


@contextlib.contextmanager
def far_host() -> Iterator[FarHost]:
    # Several test runs may be under way; names of interfaces have 15 characters at most.
    mark = os.getpid() % 16_000
    name = f"spektron-{mark}"
    cables = (f"spk{mark}a", f"spk{mark}b")
    # From the block for benchmarks (RFC 2544), nobody's real network: four addresses a cable.
    nets = [ipaddress.IPv4Address("198.18.0.0") + 4 * (2 * mark + i) for i in range(2)]
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        for cable, net in zip(cables, nets, strict=True):
            near, far = f"{cable}n", f"{cable}f"
            _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
            _ip("addr", "add", f"{net + 1}/30", "dev", near)
            _ip("link", "set", near, "up")
            _ip("-n", name, "addr", "add", f"{net + 2}/30", "dev", far)
            _ip("-n", name, "link", "set", far, "up")
        yield FarHost(name, str(nets[0] + 2), str(nets[1] + 2), cables[0])
    finally:
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
