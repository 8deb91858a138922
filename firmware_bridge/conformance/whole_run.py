"""What only a run as a whole shows: numbers over all sessions, and the rate of the clock."""

from __future__ import annotations

from firmware_bridge.conformance.requirement import Requirement, Severity, requires
from firmware_bridge.conformance.subject import Broken, Subject
from firmware_bridge.protocol import Hello

WHOLE_RUN: list[Requirement] = []
_RATE = "instrument clock since power-on in us"
# Wrong by more, it counts in another unit. A cheap resonator keeps the tighter one.
_UNIT = 1.5
_SHARE = 1000e-6
# Clocks are compared over so long at the least; they may tick in steps of a millisecond.
_LEAST_S = 5.0
_TICK_S = 1e-3


@requires(WHOLE_RUN, "run.numbers", "Scan numbers count every scan since power-on.")
def _numbers(subject: Subject) -> None:
    # One more session, as a host begins it: after all the scans so far.
    subject.stop()
    subject.ask(Hello(1, 1))
    subject.stream(subject.settings(), 2)
    for before, after in zip(subject.numbers, subject.numbers[1:], strict=False):
        # A lost scan leaves a gap; only power-on begins anew.
        if not 0 < (after - before) & 0xFFFFFFFF < 1 << 31:
            raise Broken(f"a number above {before} for the scan behind it, in all sessions", after)


@requires(WHOLE_RUN, "clock.unit", _RATE)
def _unit(subject: Subject) -> None:
    _keeps(subject, 1 / _UNIT, _UNIT)


@requires(WHOLE_RUN, "clock.rate", _RATE, severity=Severity.SHOULD)
def _rate(subject: Subject) -> None:
    _keeps(subject, 1 - _SHARE, 1 + _SHARE)


def _keeps(subject: Subject, least: float, most: float) -> None:
    low, high = rate(subject)
    if high < least or low > most:
        raise Broken(
            f"{least:.3f} to {most:.3f} s of the instrument's clock in a second of the host's",
            f"{low:.6f} to {high:.6f} s",
        )


def rate(subject: Subject) -> tuple[float, float]:
    """Between what the rate of the instrument's clock to the host's must lie.

    An answer bears a stamp made between its PING and its arrival, whatever else keeps the host
    busy: so these are bounds, no estimates. Raises Broken where no PING was ever answered.
    """
    if not subject.pings:
        raise Broken("an answer to PING", "none in all this time")
    began, _, _ = subject.pings[0]
    while subject.now - began < _LEAST_S:
        subject.listen(began + _LEAST_S - subject.now)
    subject.said_to(b"")
    low, high = float("-inf"), float("inf")
    for sent, heard, device_us in subject.pings:
        for sent_then, heard_then, then_us in subject.pings:
            if sent_then - heard < _LEAST_S / 2:
                continue
            device_s = (then_us - device_us) * 1e-6
            low = max(low, (device_s - _TICK_S) / (heard_then - sent))
            high = min(high, (device_s + _TICK_S) / (sent_then - heard))
    return low, high
