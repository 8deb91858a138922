"""What the processes take: memory, files, threads, once a second, and how memory grows."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import theilslopes

_BLOCK_S = 30.0
_WARM_UP_S, _WARM_UP_SHARE = 300.0, 0.3


@dataclass(frozen=True)
class Sample:
    """of: daemon, child or page. at_s: by time.monotonic(); rss_mb: VmRSS, 10^6 bytes."""

    at_s: float
    of: str
    pid: int
    rss_mb: float
    files: int
    threads: int


def sample(at_s: float, of: str, pid: int) -> Sample | None:
    """None when the process has gone."""
    try:
        said = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    if "VmRSS" not in said:
        return None
    rss_mb = int(said["VmRSS"].split()[0]) * 1024 / 1e6
    return Sample(at_s, of, pid, rss_mb, files, int(said["Threads"]))


def children(pid: int) -> list[int]:
    """Numbers of its children."""
    said = ""
    for path in Path("/proc").glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            said += path.read_text() + " "
    return [int(number) for number in said.split()]


@dataclass(frozen=True)
class Life:
    """One process from its start to its end, after the warm-up.

    slope_mb_h: Theil-Sen over medians of half a minute, with the 95 % interval of the slope; None
    where the life was too short for one. MB, files and threads: medians of the first and of the
    last third, since a fault that goes on closes some.
    """

    of: str
    pid: int
    seconds: float
    warm_up_s: float
    first_mb: float
    last_mb: float
    slope_mb_h: float | None
    low_mb_h: float | None
    high_mb_h: float | None
    files: tuple[int, int]
    threads: tuple[int, int]


def lives(samples: list[Sample]) -> list[Life]:
    """By process, in the order of their beginning."""
    by_pid: dict[int, list[Sample]] = {}
    for one in samples:
        by_pid.setdefault(one.pid, []).append(one)
    return [_life(found) for found in by_pid.values()]


def _life(found: list[Sample]) -> Life:
    began, seconds = found[0].at_s, found[-1].at_s - found[0].at_s
    warm_up_s = min(_WARM_UP_S, _WARM_UP_SHARE * seconds)
    warm = [s for s in found if s.at_s - began >= warm_up_s]
    blocks: dict[int, list[Sample]] = {}
    for one in warm:
        blocks.setdefault(int((one.at_s - began) / _BLOCK_S), []).append(one)
    slope = low = high = None
    if len(blocks) >= 4:
        at_h = np.array([b * _BLOCK_S / 3600.0 for b in blocks])
        mb = np.array([statistics.median(s.rss_mb for s in block) for block in blocks.values()])
        slope, _, low, high = (float(x) for x in theilslopes(mb, at_h))
    third = math.ceil(len(warm) / 3)
    first, last = warm[:third], warm[-third:]
    return Life(
        found[0].of,
        found[0].pid,
        seconds,
        warm_up_s,
        statistics.median(s.rss_mb for s in first),
        statistics.median(s.rss_mb for s in last),
        slope,
        low,
        high,
        (_usual(s.files for s in first), _usual(s.files for s in last)),
        (_usual(s.threads for s in first), _usual(s.threads for s in last)),
    )


def _usual(counts: Iterable[int]) -> int:
    return statistics.median_low(list(counts))
