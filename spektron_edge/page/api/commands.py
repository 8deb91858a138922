"""Commands to the daemon: the same as over MQTT, by role, some of them signed."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import Field

from spektron_edge.command_names import CommandName
from spektron_edge.commands.arguments import Arguments
from spektron_edge.roles import may, needs_signature

from ..declaration import Answer, Call, Endpoint, Given, Told, as_json
from ..errors import Refused
from ..signing_in import proven_again
from .session import Password

_WAIT_S = 20.0
# What is in use, or was reported, may be another one by the time that it is signed.
_OF_WHAT_WAS_SEEN = ("transfer-finish", "transfer-rollback", "adapt-rollback", "adapt-reset")
_WITH_WHY = ("adapt-approve", "adapt-reject", "adapt-rollback", "adapt-reset")
Meaning = Literal["reviewed", "approved", "responsible"]
Reason = Annotated[
    str, Field(pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$", max_length=200)
]


class Signature(Given):
    """Who signs says what it means, why, and proves to be there (21 CFR 11.50, 11.200)."""

    password: Password | None = None
    meaning: Meaning | None = None
    reason: Reason | None = None


class CommandGiven(Signature):
    """arguments: as over MQTT (docs/commands.md); the rest where the command is signed."""

    arguments: Arguments = Field(default_factory=dict)


class CommandAnswer(Told):
    """As the answer over MQTT; id: of the answer that follows `accepted` on the stream."""

    id: str
    stage: Literal["finished", "accepted", "waiting"]
    ok: bool
    message: str
    result: dict[str, Any]


class CommandPath(Given):
    """A command's name."""

    name: CommandName


async def sign(call: Call, given: Signature, what: str) -> str:
    """What the signature means, once it is proven. Raises Refused(401, 403, 429)."""
    if given.password is None or given.meaning is None or given.reason is None:
        raise Refused(
            403,
            "signature",
            f"{what} has to be signed",
            "give password, meaning (reviewed, approved or responsible) and reason",
        )
    await proven_again(call, given.password, f"signature of {what}")
    return f"{given.meaning}: {given.reason}"


async def send(
    call: Call, name: str, arguments: dict[str, Any], meaning: str | None
) -> CommandAnswer:
    """The daemon's answer within twenty seconds. Raises Refused(503)."""
    who = call.who
    answer = await call.page.link.ask(name, arguments, who.user, who.role, meaning, _WAIT_S)
    return CommandAnswer(
        id=str(answer["id"]),
        stage=answer.get("stage", "finished"),
        ok=answer.get("ok") is True,
        message=str(answer.get("message", "")),
        result=answer.get("result") or {},
    )


async def _command(call: Call) -> Answer:
    name, given, who = call.path.name, cast(CommandGiven, call.body), call.who
    if not may(who.role, name, given.arguments):
        told = f"{who.user} is {who.role} and may not {name}"
        raise Refused(403, "role", told, "ask somebody who may")
    arguments, meaning = dict(given.arguments), None
    if needs_signature(name, arguments):
        meaning = await sign(call, given, name)
        if name in _OF_WHAT_WAS_SEEN and arguments.get("seen") is None:
            told = f"{name} is signed for what was seen, which has to be said"
            raise Refused(422, "input", told, "give the argument `seen` (docs/commands.md)")
        if name in _WITH_WHY and given.reason is not None:
            arguments.setdefault("why", given.reason)
    found = await send(call, name, arguments, meaning)
    return as_json(found, 202 if found.stage == "accepted" else 200)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/commands/{name}",
        "viewer",
        "a command to the daemon, by role (docs/page.md)",
        _command,
        CommandAnswer,
        CommandGiven,
        parameters=CommandPath,
        signed="some",
        also={202: "accepted; the end comes on the stream as `answer` with this id"},
    ),
)
