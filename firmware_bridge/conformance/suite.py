"""All requirements, tried one after the other on one instrument."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from firmware_bridge.conformance.frames import FRAMES
from firmware_bridge.conformance.light import LIGHT
from firmware_bridge.conformance.power import POWER
from firmware_bridge.conformance.requirement import Requirement, Severity, requires
from firmware_bridge.conformance.scanning import SCANNING
from firmware_bridge.conformance.session import SESSION
from firmware_bridge.conformance.subject import Broken, NoInfo, Subject, Undecided
from firmware_bridge.conformance.whole_run import WHOLE_RUN, rate
from firmware_bridge.drivers.line import Port
from firmware_bridge.errors import DeviceSilent, LineGarbage, LinkError
from firmware_bridge.protocol import Capability, Info, Position

_SAID: list[Requirement] = []


@requires(_SAID, "frame.valid", "COBS( header | payload | CRC-32 of header and payload ) 00")
def _valid(subject: Subject) -> None:
    if subject.heard.bad_frames:
        raise Broken(
            "readable frames only", f"{subject.heard.bad_frames} others, such as {_latest(subject)}"
        )


@requires(_SAID, "message.valid", "have exactly the declared length")
def _message(subject: Subject) -> None:
    if subject.heard.malformed:
        raise Broken(
            "messages as declared", f"{subject.heard.malformed} others: {_latest(subject)}"
        )


def _latest(subject: Subject) -> str:
    return subject.heard.latest


# STOP before HELLO comes first; what all the others have heard is judged last.
REQUIREMENTS = (*SESSION, *FRAMES, *SCANNING, *LIGHT, *WHOLE_RUN, *_SAID)
AFTER_POWER_ON = tuple(POWER)


class Verdict(Enum):
    """What became of a requirement."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """expected, received: where it failed; reason: why it was skipped."""

    requirement: Requirement
    verdict: Verdict
    expected: str = ""
    received: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """What was tried on whom; `info` is what it said of itself, None where it said nothing.

    seen: of its clock and its counts, in words: right or wrong is for its makers to see.
    """

    url: str
    baud: int
    info: Info | None
    results: tuple[Result, ...]
    seen: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Result, ...]:
        """Broken promises."""
        return tuple(r for r in self.results if r.verdict is Verdict.FAILED)

    @property
    def conforms(self) -> bool:
        """Whether every MUST was kept; one that could not be tried for silence was not."""
        return self.info is not None and not any(
            r.requirement.severity is Severity.MUST for r in self.failed
        )


def examine(
    subject: Subject,
    url: str,
    requirements: tuple[Requirement, ...] = REQUIREMENTS,
    *,
    quick: bool = False,
    tell: Callable[[Result], None] = lambda _result: None,
    power_cycle: Callable[[], Port] | None = None,
) -> Report:
    """Try all of them, and leave the instrument stopped.

    power_cycle: has the instrument switched off and on, and gives the port at which it then is;
    without, nothing is tried of what a power-on must change. tell: gets each result as it comes.
    Raises DeviceSilent and LineGarbage where nothing on this line speaks the protocol, PortLost
    where the port fails before that, and what `power_cycle` raises.
    """
    _somebody(subject, url)
    results: list[Result] = []

    def try_all(these: tuple[Requirement, ...]) -> None:
        gone = ""
        for requirement in these:
            gone = gone or _absent(subject)
            if gone:
                result = Result(requirement, Verdict.SKIPPED, reason=gone)
            else:
                result = _tried(requirement, subject, quick=quick)
            results.append(result)
            tell(result)

    try_all(requirements)
    seen = _seen(subject)
    if power_cycle is not None:
        since = subject.now
        subject.switched(power_cycle(), since)
        try_all(AFTER_POWER_ON)
    with suppress(LinkError):
        subject.begin()
    return Report(url, subject.baud, subject.said, tuple(results), seen)


def _seen(subject: Subject) -> tuple[str, ...]:
    told = []
    with suppress(LinkError, Broken):
        low, high = rate(subject)
        told.append(f"clock: {low:.6f} to {high:.6f} s in a second of the host's")
    for position, scan in sorted(subject.brightest.items()):
        name = Position(position).name if position in list(Position) else str(position)
        counts = scan.counts
        told.append(
            f"{name}, brightest of its scans: {scan.integration_us} us, lamp {scan.lamp}, "
            f"{scan.temperature_c:g} deg C, counts {counts.min()} to {counts.max()}, "
            f"first {', '.join(map(str, counts[:4]))}"
        )
    return tuple(told)


def _absent(subject: Subject) -> str:
    """Why nothing can be tried any more; empty where something can."""
    try:
        # Twice: this may be the end of a long silence that a requirement has caused.
        here = subject.begin() or subject.begin()
    except LinkError as error:
        return str(error)
    return "" if here else "the instrument did not answer STOP and PING any more"


def _somebody(subject: Subject, url: str) -> None:
    where = f"{url} at {subject.baud} baud"
    tried = f"{where}, STOP and PING sent 3 times"
    for _ in range(3):
        here = subject.begin()
        if subject.echoes_heard:
            raise LineGarbage(
                f"no instrument on {where}: expected answers, received what was "
                f"sent. A login console or a loop is there; `spektron-edge probe` looks for more."
            )
        if here:
            return
    if not subject.bytes_heard:
        raise DeviceSilent(
            f"nothing answers on {tried}: expected a frame, received no byte. Check power, cable "
            f"and port; `spektron-edge probe` looks for what is there."
        )
    raise LineGarbage(
        f"no valid frame on {tried}: expected one, received {subject.bytes_heard} bytes of "
        f"something else. Check --baud; `spektron-edge probe` looks for what is there."
    )


def _tried(requirement: Requirement, subject: Subject, *, quick: bool) -> Result:
    if quick and requirement.long:
        return Result(requirement, Verdict.SKIPPED, reason="left out of a quick run")
    try:
        if requirement.needs and not requirement.needs & subject.info.capabilities:
            name = Capability(requirement.needs).name or str(requirement.needs)
            return Result(requirement, Verdict.SKIPPED, reason=f"it has no {name.lower()}")
        requirement.check(subject)
    except Broken as broken:
        return Result(requirement, Verdict.FAILED, broken.expected, broken.received)
    except Undecided as undecided:
        return Result(requirement, Verdict.SKIPPED, reason=str(undecided))
    except NoInfo:
        return Result(requirement, Verdict.SKIPPED, reason="needs INFO, which never came")
    except LinkError as error:
        return Result(requirement, Verdict.FAILED, "a port that stays open", str(error))
    return Result(requirement, Verdict.PASSED)
