"""A bundle that is sent by the page: verified first, then installed with a signature."""

from __future__ import annotations

import functools
from typing import Annotated, cast

from pydantic import Field

from firmware_bridge.printable import printable
from spektron_edge.bundle.slots import SlotName
from spektron_edge.faults import Fault

from ..declaration import Answer, Call, Endpoint, Told, Upload
from ..errors import Refused
from ..instrument_known import serial_of
from .bundles import BundlesAnswer, by_slots, read
from .commands import Signature, sign

_BUNDLE = "application/octet-stream"
_TOLD = 200


class IncomingAnswer(Told):
    """A bundle that is verified and waits to be installed, a quarter of an hour at most. signed_by:
    null where the configuration asks for no signature."""

    sha256: str
    bytes: int
    bundle: str
    name: str
    version: int
    products: tuple[str, ...]
    signed_by: str | None


class InstallGiven(Signature):
    """sha256: of the file that was shown."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class InstallAnswer(Told):
    """tried: what the self-test did. The slot is not in use before it is activated."""

    bundles: BundlesAnswer
    slot: SlotName | None
    bundle: str
    tried: tuple[str, ...]


async def _send(call: Call) -> Answer:
    page, who, upload = call.page, call.who.user, cast(Upload, call.body)
    await by_slots(call)
    serial = await page.reading.run(functools.partial(serial_of, page))
    try:
        found = await page.incoming.take(
            upload.chunks, upload.length, page.config_path, who, serial
        )
    except Fault as fault:
        details = {"error": fault.code, "why": printable(fault.detail)[:_TOLD]}
        await page.notes.note("bundle_refused", who, dict(details))
        raise
    about = {"bundle": found.bundle, "digest": found.sha256, "signed_by": found.signed_by}
    await page.notes.note("bundle_sent", who, dict(about))
    return IncomingAnswer(**found.model_dump(include=set(IncomingAnswer.model_fields)))


async def _install(call: Call) -> Answer:
    page, who, given = call.page, call.who.user, cast(InstallGiven, call.body)
    await by_slots(call)
    found = page.incoming.found
    if found is None or found.sha256 != given.sha256:
        raise Refused(409, "no_file", "this file is not here any more", "send it once more")
    what = f"bundle install {found.bundle}"
    meaning = await sign(call, given, what)
    await page.notes.note("signed", who, {"command": what, "meaning": meaning})
    serial = await page.reading.run(functools.partial(serial_of, page))
    done = await page.incoming.install(given.sha256, page.config_path, who, serial)
    bundles = await page.reading.run(functools.partial(read, page))
    return InstallAnswer(bundles=bundles, slot=done.slot, bundle=done.bundle, tried=done.tried)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/bundles/incoming",
        "engineer",
        "a bundle's file, 128 MiB at most: verified, and kept a quarter of an hour; 409 where "
        "this device does not take it",
        _send,
        IncomingAnswer,
        takes=_BUNDLE,
    ),
    Endpoint(
        "POST",
        "/bundles/incoming/install",
        "engineer",
        "that bundle, tried and put into the free slot",
        _install,
        InstallAnswer,
        InstallGiven,
        signed="always",
    ),
)
