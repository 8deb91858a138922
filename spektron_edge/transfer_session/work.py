"""One open piece of work: transfer samples measured one after another. Nothing touches a file.

What was done is noted in `untold` by the same change, until the daemon has put it into its audit
log. A sample that is measured again takes the place of the earlier one, which is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Noted, noted

from .quality import Verdict

MOST_SAMPLES = 200
# No comma, which separates them on a command line.
NAME_PATTERN = r"^[^\x00-\x1f\x7f,]{1,64}$"
SessionId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
SampleName = Annotated[str, Field(pattern=NAME_PATTERN)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ScanId(_Strict):
    """A scan that served a sample: by the instrument's number since its power-on."""

    boot_id: int
    number: int


class Added(_Strict):
    """A sample as it was measured.

    paired: whether it is one of the source's; labels: property -> reference value in its unit;
    file: its spectra; scans: how many; taken: which, where the daemon took them; verdict and
    reasons: when it was added; replaced: by a later measurement of the same sample.
    """

    sample: SampleName
    paired: bool
    labels: dict[str, float]
    file: str = Field(pattern=r"^[0-9a-f]{12}\.npz$")
    scans: int = Field(ge=1)
    taken: tuple[ScanId, ...] = ()
    utc: str
    who: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    replaced: bool = False


class Work(_Strict):
    """For one bundle, product and instrument. held: cups in hand; None: any of the source's."""

    id: SessionId
    bundle: str
    product: str
    serial: str = Field(min_length=1, max_length=64)
    held: tuple[SampleName, ...] | None = Field(None, max_length=MOST_SAMPLES)
    utc: str
    who: str
    added: tuple[Added, ...] = ()

    @property
    def current(self) -> tuple[Added, ...]:
        """Samples that count: those not measured again later."""
        return tuple(added for added in self.added if not added.replaced)


class Sessions(Noted):
    """`session.json`: what is open, and what the audit log does not know yet; ended: sessions whose
    folders are kept, the oldest first."""

    format: Literal[1] = 1
    open: Work | None = None
    ended: tuple[SessionId, ...] = ()

    @property
    def work(self) -> Work:
        """What is open. Raises Fault(TRANSFER_NOT_OPEN)."""
        if self.open is None:
            raise Fault(Faults.TRANSFER_NOT_OPEN, "no transfer is open on this device")
        return self.open


def started(sessions: Sessions, work: Work) -> Sessions:
    """Raises Fault(TRANSFER_OPEN) while another one is open."""
    now = sessions.open
    if now is not None:
        detail = (
            f"a transfer of {now.product} to {now.serial} is open since {now.utc}, begun by "
            f"{now.who}, with {len(now.current)} samples"
        )
        raise Fault(Faults.TRANSFER_OPEN, detail)
    return _noted(
        sessions.model_copy(update={"open": work}),
        "transfer_started",
        work.who,
        work,
        samples="any" if work.held is None else ", ".join(work.held),
    )


def with_sample(sessions: Sessions, work_id: str, sample: Added) -> Sessions:
    """Raises Fault(TRANSFER_NOT_OPEN, TRANSFER_INPUT)."""
    work = sessions.work
    if work.id != work_id:
        raise Fault(Faults.TRANSFER_NOT_OPEN, "the transfer was ended meanwhile")
    if len(work.added) >= MOST_SAMPLES:
        detail = f"{MOST_SAMPLES} measurements are in this transfer, which is the most; finish it"
        raise Fault(Faults.TRANSFER_INPUT, detail)
    before = next((a for a in work.current if a.sample == sample.sample), None)
    kept = tuple(a.model_copy(update={"replaced": True}) if a is before else a for a in work.added)
    after = work.model_copy(update={"added": (*kept, sample)})
    return _noted(
        sessions.model_copy(update={"open": after}),
        "transfer_sample_added",
        sample.who,
        after,
        sample=sample.sample,
        spectra=sample.file,
        verdict=sample.verdict,
        reasons="; ".join(sample.reasons),
        replaces=None if before is None else before.file,
    )


def ended(sessions: Sessions, work: Work, how: str, who: str, **details: str | int) -> Sessions:
    """`how` it ended, for the audit log: finished or discarded.

    Raises Fault(TRANSFER_NOT_OPEN) when it is not open as it was looked at, `work`.
    """
    if sessions.open != work:
        raise Fault(
            Faults.TRANSFER_FAILED, "the session was changed meanwhile; look at `transfer status`"
        )
    after = sessions.model_copy(update={"open": None, "ended": (*sessions.ended, work.id)})
    return _noted(after, how, who, work, **details)


def removed(sessions: Sessions, gone: Sequence[str], who: str) -> Sessions:
    """Folders of ended sessions that are kept no longer, by their ids."""
    kept = tuple(one for one in sessions.ended if one not in gone)
    about: dict[str, str | int | bool | None] = {"sessions": ", ".join(gone)}
    after = sessions.model_copy(update={"ended": kept})
    return noted(after, Action(what="transfer_sessions_removed", who=who, details=about))


def _noted(
    sessions: Sessions, what: str, who: str, work: Work, **details: str | int | None
) -> Sessions:
    about: dict[str, str | int | bool | None] = {
        "session": work.id,
        "bundle": work.bundle,
        "serial": work.serial,
        **{name: value for name, value in details.items() if value not in (None, "")},
    }
    return noted(sessions, Action(what=what, who=who, details=about))
