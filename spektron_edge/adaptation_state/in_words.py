"""Adaptations as they are told to people."""

from __future__ import annotations

from spektron_edge.adaptation.correction import Correction
from spektron_edge.said import Sayings

from .adaptations import Adaptations, Entry, scan_ranges
from .state import AdaptationState

FACTORY = str(Sayings.OWN_CALIBRATION.of())


def in_use(entry: Entry | None) -> str:
    """What an instrument predicts with."""
    return FACTORY if entry is None else str(Sayings.ADAPTATION.of(number=entry.number))


def waiting(entry: Entry, needed: int) -> str:
    """A proposal, and how far its approval is."""
    agreed = ", ".join(entry.approved_by)
    by = f", by {agreed}" if agreed else ""
    against = "; ".join((*entry.doubts, *(entry.tried or ())))
    speaks = f"; against it: {against}" if against else ""
    return f"{entry.number} (approved {len(entry.approvals)} of {needed}{by}): {entry.why}{speaks}"


def line(entry: Entry) -> str:
    """An adaptation in one line, with its number."""
    return f"{entry.number}: {summary(entry)}"


def summary(entry: Entry) -> str:
    """What became of it, what it is for, and why it was made."""
    by = f", approved by {', '.join(entry.approved_by)}" if entry.approvals else ""
    ended = f" ({entry.ended_by})" if entry.ended_by else ""
    return (
        f"{_status(entry)}{ended}{by}, for {entry.product} on {entry.serial}, "
        f"made {entry.created:%Y-%m-%d %H:%M} UTC under {entry.mode}: {entry.why}"
    )


def described(entry: Entry, adaptations: Adaptations) -> dict[str, object]:
    """What the ledger knows of one."""
    return {
        "in use": adaptations.active(entry.serial) == entry,
        "status": _status(entry) + (f" ({entry.ended_by})" if entry.ended_by else ""),
        "instrument": entry.serial,
        "product": f"{entry.product} of {entry.bundle}",
        "made": f"{entry.created:%Y-%m-%d %H:%M} UTC under {entry.mode}",
        "goes on from": entry.parent or FACTORY,
        "why": entry.why,
        "scans": entry.scans,
        "against it": "; ".join((*entry.refusals, *entry.doubts)) or "nothing",
        "in shadow": _tried(entry),
        "approved": [
            f"{a.at:%Y-%m-%d %H:%M} UTC by {a.who} ({a.through}): {a.why}" for a in entry.approvals
        ],
    }


def contents(state: AdaptationState) -> dict[str, object]:
    """What its file says beyond that."""
    header, correction = state.header, state.adapted.correction
    return {
        "correction": _coefficients(correction),
        "residual": f"up to {abs(correction.residual).max():.3g} absorbance",
        "theta": f"{state.adapted.theta.size} numbers",
        "seed": header.seed,
        "software": header.software,
        "batch": f"{len(header.scans)} spectra, SHA-256 {header.batch}",
        "judged by": scan_ranges(header.judged_by) or "the same spectra",
        "transfer": header.transfer or "none",
        "metrics": {name: f"{value:.6g}" for name, value in sorted(header.metrics.items())},
        "evidence": list(header.evidence),
        "refusals": list(header.refusals),
        "doubts": list(header.doubts),
    }


def _coefficients(correction: Correction) -> str:
    named = ", ".join(f"{name} {value:.4g}" for name, value in correction.named.items() if value)
    return named or "none"


def _tried(entry: Entry) -> str:
    return "not judged again" if entry.tried is None else "; ".join(entry.tried) or "it holds"


def _status(entry: Entry) -> str:
    return entry.status.replace("_", " ")
