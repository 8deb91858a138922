"""What the page refuses, and how it says so."""

from __future__ import annotations

from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.faults import Fault, Faults

# Those that say "not there"; every other fault of the device is about its state.
_ABSENT = {
    Faults.TRANSFER_MISSING,
    Faults.ADAPTATION_MISSING,
    Faults.TRANSFER_NOT_OPEN,
}


# The page's own; faults of the device keep their codes of the catalogue. The front end has a text
# for each.
Code = Literal[
    "axis_unknown",
    "busy",
    "code",
    "csrf",
    "daemon_away",
    "host",
    "idle",
    "incoming_busy",
    "input",
    "internal",
    "media_type",
    "memory",
    "method",
    "no_file",
    "no_slots",
    "not_first",
    "not_found",
    "origin",
    "password",
    "role",
    "sign_in",
    "signature",
    "slow",
    "smuggling",
    "too_large",
    "too_many_streams",
    "wait",
    "wrong",
]


class ErrorAnswer(BaseModel):
    """Why a request was not carried out."""

    model_config = ConfigDict(extra="forbid")

    error: str = Field(description="a code that does not change")
    message: str
    next_step: str | None = Field(description="what to do about it, where something can be done")


class Refused(Exception):
    """A request that is not carried out. wait_s: before it makes sense to try again; by: who is
    said to have sent it, where nobody is signed in; what: was tried, for the audit log."""

    def __init__(
        self,
        status: int,
        code: Code,
        message: str,
        next_step: str | None = None,
        *,
        wait_s: float | None = None,
        by: str | None = None,
        what: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.next_step, self.wait_s = next_step, wait_s
        self.by, self.what = by, what

    @property
    def answer(self) -> ErrorAnswer:
        """What the browser is told."""
        return ErrorAnswer(error=self.code, message=self.message, next_step=self.next_step)


def of_fault(fault: Fault) -> Refused:
    """A fault of the device as an answer: 404 where something is not there, else 409."""
    status = 404 if fault.kind in _ABSENT else 409
    return Refused(status, cast(Code, fault.code), fault.detail, fault.next_step)


def absent(what: str) -> Refused:
    """Nothing of that name."""
    return Refused(404, "not_found", what)
