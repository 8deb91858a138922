"""Who guides a qualification at a terminal, or by lines on standard input."""

from __future__ import annotations

import sys

from firmware_bridge.printable import printable
from spektron_edge.qualification.measuring import Answer, Step

_ANSWERS: dict[str, Answer] = {"": "measure", "s": "skip", "e": "end"}


class TerminalGuide:
    """Asks on standard error, so that standard output holds the report alone."""

    def place(self, step: Step, number: int, of: int) -> Answer:
        """Enter measures, `s` leaves it out, `e` or the end of the input ends it."""
        while True:
            asked = f"[{number}/{of}] Lay into the beam: {step.place}."
            _say(f"{asked} Enter: measure {step.scans} scans, s: leave out, e: end. ", end="")
            line = sys.stdin.readline()
            if not line:
                _say("end of the input")
                return "end"
            if (answer := _ANSWERS.get(line.strip().lower())) is not None:
                return answer
            _say("Enter, s or e.")

    def progress(self, step: Step, done: int) -> None:
        """Counts on one line of a terminal; nothing elsewhere."""
        if sys.stderr.isatty():
            _say(f"\r  {done} of {step.scans} scans", end="\n" if done == step.scans else "")

    def failed(self, step: Step, why: str) -> None:
        """The next step follows."""
        _say(f"{step.place} could not be measured: {why}")


def _say(text: str, end: str = "\n") -> None:
    head = "\r" if text.startswith("\r") else ""
    print(head + printable(text.removeprefix("\r")), end=end, file=sys.stderr, flush=True)
