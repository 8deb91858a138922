"""What follows from a check of the wavelengths."""

from __future__ import annotations

from spektron_edge.adaptation.known import Known
from spektron_edge.clock import Stamp
from spektron_edge.detector.wavelength_check import Check
from spektron_edge.faults import Fault, Faults
from spektron_edge.publishing.notices import Notices

from .audit_trail import AuditTrail


def follow_up(
    check: Check, who: str, now: Stamp, known: Known, notices: Notices, audit: AuditTrail
) -> None:
    """Audit it; one that failed is a fault, and speaks for an adaptation. who: asked for it.

    Raises Fault where the state folder does not take it.
    """
    audit(
        "wavelength_checked",
        who,
        standard=check.standard,
        passed=check.passed,
        mean_nm=f"{check.mean_nm:+.3f}",
        rms_nm=f"{check.rms_nm:.3f}",
        limit_nm=f"{check.limit_nm:g}",
    )
    if check.passed:
        notices.end((Faults.WAVELENGTH_ASTRAY,))
        notices.say("wavelength_checked", check.told)
        return
    notices.begin(Fault(Faults.WAVELENGTH_ASTRAY, check.told))
    # It speaks for a change of the instrument, as a service does.
    known.store.service(
        f"wavelength check failed: {check.standard}, mean {check.mean_nm:+.2f} nm",
        who,
        now,
    )
