"""Twelve minutes of faults at random: scans that nobody knows of, and how memory grows."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.report import FOLDER, Figure
from tests.soak.report import as_json, failures, in_words, picture
from tests.soak.run import run

NAME = "soak"
# So often that every kind has struck once when the warm-up is over.
MINUTES, SEED, EVERY_S = 12.0, 1, 8.0


def measure() -> list[Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="spektron-soak-") as folder:
        soak = run(Path(folder), 60 * MINUTES, SEED, EVERY_S, print)
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture(soak, FOLDER / f"{NAME}.png")
    print(in_words(soak))
    found, life = as_json(soak), soak.longest
    assert life is not None
    assert life.slope_mb_h is not None
    how = f"{found['faults']} faults in {MINUTES:g} min, {found['scans_made']} scans"
    longest = [row["longest_s"] for row in found["recovery"].values()]
    return [
        Figure("scans_unaccounted", found["scans"]["unaccounted"], "scans", "lower", None, how),
        Figure(
            "rss_slope_mb_h",
            life.slope_mb_h,
            "MB/h",
            "lower",
            (life.high_mb_h - life.low_mb_h) / 2,
            f"Theil-Sen, {life.seconds - life.warm_up_s:.0f} s after the warm-up; {how}",
        ),
        Figure("failures", len(failures(soak)), "", "lower", None, "of any kind"),
        Figure(
            "longest_recovery_s",
            max(s for s in longest if s is not None),
            "s",
            "lower",
            None,
            "from a fault's end to a new scan's result",
        ),
    ]
