"""What the daemon knows of a drift, for its state record."""

from __future__ import annotations

from spektron_edge.publishing.records import DriftInfo

from .following import Following


def drift_known(following: Following) -> DriftInfo | None:
    """None while nothing is followed."""
    stream, since = following.stream, following.since
    if stream is None or since is None:
        return None
    nearest, drift = stream.nearest, stream.drift
    return DriftInfo(
        since=since.iso,
        spectra=stream.sound,
        samples=stream.samples,
        statistic=None if nearest is None else nearest.statistic,
        share=None if nearest is None else round(nearest.share, 3),
        told=None if drift is None else drift.told,
    )
