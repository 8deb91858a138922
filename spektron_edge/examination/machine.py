"""The machine itself: memory, load, temperature, a processor that is held back, versions."""

from __future__ import annotations

import contextlib
import os
import platform
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from spektron_edge import __version__

from .finding import Finding, bad, ok, unseen, warning

MEMORY, PROCESSOR, VERSIONS = "memory", "processor", "versions"
_KB = 1000
_LITTLE_KB, _LEAST_KB = 256_000, 64_000
_LOADED = 2.0
_DEGREE = 1000
# Where the kernel names no limit of its own.
_HOT_C = 85.0


def look(proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> Iterator[Finding]:
    """proc, sys: what the kernel tells. Raises OSError."""
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    told = f"spektron-edge {__version__}, Python {platform.python_version()}"
    yield ok(VERSIONS, f"{told}, SQLite {sqlite3.sqlite_version}, {system}")
    yield _memory(proc / "meminfo")
    yield _load()
    yield from _temperature(sys / "class" / "thermal")
    yield from _held_back(sys / "devices" / "system" / "cpu")


def _memory(path: Path) -> Finding:
    known = {}
    for line in path.read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        known[name] = value.split()
    if "MemAvailable" not in known:
        return unseen(MEMORY, "the kernel does not say how much is left")
    left_kb = int(known["MemAvailable"][0])
    told = f"{left_kb / _KB:.0f} MB can still be had"
    step = "see what takes it (`ps aux --sort=-rss`)"
    if left_kb < _LEAST_KB:
        return bad(MEMORY, told, step)
    return warning(MEMORY, told, step) if left_kb < _LITTLE_KB else ok(MEMORY, told)


def _load() -> Finding:
    load, processors = os.getloadavg()[1], os.cpu_count() or 1
    told = f"load {load:.1f} over 5 minutes on {processors} processors"
    if load > _LOADED * processors:
        return warning(PROCESSOR, told, "see what takes them (`top`)")
    return ok(PROCESSOR, told)


def _temperature(folder: Path) -> Iterator[Finding]:
    hottest: tuple[float, float, str] | None = None
    for zone in sorted(folder.glob("thermal_zone*")):
        # Sensors that are switched off raise when they are read.
        with contextlib.suppress(OSError, ValueError):
            degrees = int((zone / "temp").read_text()) / _DEGREE
            margin = _limit_c(zone) - degrees
            if hottest is None or margin < hottest[0]:
                hottest = margin, degrees, (zone / "type").read_text().strip()
    if hottest is None:
        yield unseen(PROCESSOR, "this machine shows no temperatures")
        return
    margin, degrees, name = hottest
    told = f"{degrees:.0f} deg C at {name}"
    if margin <= 0:
        step = "cool it: fan, dust, the cabinet's temperature; it slows itself down meanwhile"
        yield warning(PROCESSOR, f"{told}, {-margin:.0f} above where it is held back", step)
    else:
        yield ok(PROCESSOR, f"{told}, {margin:.0f} below where it is held back")


def _limit_c(zone: Path) -> float:
    limits = []
    for kind in zone.glob("trip_point_*_type"):
        if kind.read_text().strip() in ("passive", "hot", "critical"):
            value = int(kind.with_name(kind.name.replace("_type", "_temp")).read_text())
            # Limits that are not used are 0 or less.
            limits += [value / _DEGREE] if value > 0 else []
    return min(limits, default=_HOT_C)


def _held_back(folder: Path) -> Iterator[Finding]:
    slowed = []
    for cpu in sorted(folder.glob("cpu[0-9]*")):
        with contextlib.suppress(OSError, ValueError):
            most = int((cpu / "cpufreq" / "cpuinfo_max_freq").read_text())
            now = int((cpu / "cpufreq" / "scaling_max_freq").read_text())
            slowed += [f"{cpu.name} at most {now / _KB:.0f} of {most / _KB:.0f} MHz"] * (now < most)
    if slowed:
        step = "see the power mode (on a Jetson: nvpmodel -q), the supply and the temperature"
        yield warning(PROCESSOR, f"it is held back: {', '.join(slowed)}", step)
    throttled = 0
    for count in folder.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"):
        with contextlib.suppress(OSError, ValueError):
            throttled += int(count.read_text())
    if throttled:
        told = f"it was too hot {throttled} times since the machine started"
        yield warning(PROCESSOR, told, "cool it: fan, dust, the cabinet's temperature")
