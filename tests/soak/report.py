"""What a soak has found, in words, as JSON and as a picture."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from tests.soak.findings import Soak

SLOPE_MB_H = 2.0
# A slope is held to that in a life of half an hour; files and threads are counted where a slow
# start lies within the warm-up.
_SLOPE_FROM_S, _FOLLOWED_S = 1800.0, 90.0
_FILES_MORE = 2
_STATED = ("published", "gap", "reference", "power", "before", "unaccounted")


def recoveries(soak: Soak) -> dict[str, dict[str, Any]]:
    """By kind: how many, median and longest recovery, s."""
    found: dict[str, dict[str, Any]] = {}
    for kind in sorted({done.kind for done in soak.done}):
        these = [done.recovery_s for done in soak.done if done.kind == kind]
        times = [s for s in these if s is not None]
        found[kind] = {
            "count": len(these),
            "median_s": round(statistics.median(times), 2) if times else None,
            "longest_s": round(max(times), 2) if times else None,
        }
    return found


def failures(soak: Soak) -> list[str]:
    """What is not as it should be; memory only where it was followed for long enough."""
    assert soak.account is not None
    found = list(soak.trouble)
    found += [f"nobody knows what became of {scan}" for scan in soak.account.unaccounted[:20]]
    if soak.account.twice:
        found.append(f"published twice, or published and missing: {soak.account.twice[:20]}")
    if soak.account.phantom:
        found.append(f"said to be missing, and never made: {soak.account.phantom[:20]}")
    for life in soak.lives:
        if life.seconds < _FOLLOWED_S:
            continue
        if life.files[1] > life.files[0] + _FILES_MORE:
            found.append(f"{life.of} {life.pid} opens files: {life.files}")
        if life.threads[1] > life.threads[0] + _FILES_MORE:
            found.append(f"{life.of} {life.pid} begins threads: {life.threads}")
    life = soak.longest
    slope = None if life is None or life.seconds < _SLOPE_FROM_S else life.slope_mb_h
    if slope is not None and slope >= SLOPE_MB_H:
        found.append(f"the daemon's memory grows by {slope:.2f} MB/h")
    return found


def as_json(soak: Soak) -> dict[str, Any]:
    """Everything but the samples."""
    assert soak.account is not None
    account, life = soak.account, soak.longest
    return {
        "seconds": soak.seconds,
        "seed": soak.seed,
        "every_s": soak.every_s,
        "faults": len(soak.done),
        "scans": {name: account.counts[name] for name in _STATED},
        "scans_made": sum(account.counts.values()),
        "published_twice": len(account.twice),
        "phantom_gaps": len(account.phantom),
        "records": account.ids,
        "repeats_dropped_by_id": soak.repeats_before_replay,
        "repeats_of_replay": account.repeats - soak.repeats_before_replay,
        "seen_only_by_replay": soak.missing_before_replay,
        "settled_s": soak.settled_s,
        "recovery": recoveries(soak),
        "daemons": [vars(one) for one in soak.lives if one.of == "daemon"],
        "others": [vars(one) for one in soak.lives if one.of != "daemon"],
        "rss_slope_mb_h": None if life is None else life.slope_mb_h,
        "rss_slope_interval_mb_h": None if life is None else (life.low_mb_h, life.high_mb_h),
        "counters_of_last_daemon": soak.counters,
        "events": dict(sorted(soak.told.items())),
        "cpu_s": round(soak.cpu_s, 1),
        "load_15_min": soak.load,
        "failures": failures(soak),
    }


def in_words(soak: Soak) -> str:
    """For a reader."""
    found = as_json(soak)
    lines = [
        f"soak of {soak.seconds:g} s, seed {soak.seed}: {found['faults']} faults, "
        f"{found['scans_made']} scans",
        "",
    ]
    lines += [f"  {name:12} {count:8}" for name, count in found["scans"].items()]
    lines += [
        "",
        f"records {found['records']}, copies beyond the first {found['repeats_dropped_by_id']}, "
        f"of the replay {found['repeats_of_replay']}; "
        f"scans seen only after it {found['seen_only_by_replay']}",
        f"settled after {_number(soak.settled_s)} s; CPU {found['cpu_s']} s of all processes; "
        f"load of the machine {soak.load:.1f}",
        "",
        f"{'fault':18}{'times':>6}{'median s':>10}{'longest s':>10}   until a new scan's result",
    ]
    for kind, row in found["recovery"].items():
        median, longest = _number(row["median_s"]), _number(row["longest_s"])
        lines.append(f"{kind:18}{row['count']:6}{median:>10}{longest:>10}")
    lines.append("")
    for life in soak.lives:
        if life.seconds < 120 and life is not soak.longest:
            continue
        slope = (
            "too short for a slope"
            if life.slope_mb_h is None
            else f"{life.slope_mb_h:+.2f} MB/h ({life.low_mb_h:+.2f} to {life.high_mb_h:+.2f})"
        )
        lines.append(
            f"{life.of} {life.pid}: {life.seconds:.0f} s, {life.first_mb:.1f} -> "
            f"{life.last_mb:.1f} MB, {slope}; files {life.files}, threads {life.threads}"
        )
    failed = found["failures"]
    lines += ["", *(f"FAILED: {x}" for x in failed[:40])] if failed else ["", "nothing failed"]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def picture(soak: Soak, path: Path) -> None:
    """Memory of daemon and page over time, and when faults were."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (top, below) = plt.subplots(
        2, 1, sharex=True, figsize=(10, 6.5), height_ratios=(1, 1.3), layout="constrained"
    )
    for of, colour in (("daemon", "tab:blue"), ("page", "tab:green")):
        for pid in dict.fromkeys(s.pid for s in soak.samples if s.of == of):
            these = [s for s in soak.samples if s.pid == pid]
            at = [(s.at_s - soak.began_s) / 60 for s in these]
            first = pid == next(s.pid for s in soak.samples if s.of == of)
            top.plot(at, [s.rss_mb for s in these], color=colour, label=of if first else None)
    top.set(ylabel="RSS, MB", ylim=(0, None))
    top.legend(loc="lower right")
    kinds = sorted({done.kind for done in soak.done}, reverse=True)
    for done in soak.done:
        begin, width = done.began_s - soak.began_s, max(done.over_s - done.began_s, 1.0)
        below.broken_barh(
            [(begin / 60, width / 60)], (kinds.index(done.kind) - 0.4, 0.8), color="tab:red"
        )
    below.set(xlabel="minutes", yticks=range(len(kinds)), yticklabels=kinds)
    figure.savefig(path, dpi=110)
    plt.close(figure)
