"""The two slots for bundles. A change is made as the command line makes it; then the daemon is
asked to take it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

from pydantic import Field

from spektron_edge.bundle import BundleError
from spektron_edge.bundle.install import Terms, activate, roll_back
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import SlotName, Slots, SlotState
from spektron_edge.config.file import Config
from spektron_edge.prediction.left_behind import left_behind
from spektron_edge.prediction.product import terms_of

from ..declaration import Answer, Call, Endpoint, Given, Told
from ..errors import Refused
from ..reasons import Reason, read_reason, reason
from ..services import Page
from .commands import CommandAnswer, Signature, send, sign

Change = Callable[[SlotStore, Terms, str, str], Slots]


class SlotTold(Told):
    """A bundle in a slot. state: candidate, on trial, good, or failed and why."""

    slot: SlotName
    bundle: str
    name: str
    version: int
    signed_by: str | None
    state: SlotState
    why: Reason | None
    active: bool


class BundlesAnswer(Told):
    """uses_slots: whether the configuration says so; configured: a file's path otherwise; active,
    fallback: slots, null where there is none; left_behind: what in use was made for another
    bundle, each with the way back; floors: nothing older of these bundles is accepted."""

    uses_slots: bool
    configured: str | None
    active: SlotName | None
    fallback: SlotName | None
    slots: tuple[SlotTold, ...]
    floors: dict[str, int]
    left_behind: tuple[Reason, ...]


class SlotsChanged(Told):
    """reload: the daemon's answer; null where it is away, and takes the slot when it starts."""

    bundles: BundlesAnswer
    reload: CommandAnswer | None


class SlotSignature(Signature):
    """seen: bundle that is in the slot, or that is left, as the signer knows it."""

    seen: str = Field(max_length=256)


class SlotPath(Given):
    """A slot's name."""

    slot: SlotName


def _told(page: Page, slots: Slots, config: Config) -> BundlesAnswer:
    current = slots.current
    return BundlesAnswer(
        uses_slots=config.uses_slots,
        configured=None if config.uses_slots else str(config.bundle_path),
        active=slots.active,
        fallback=slots.fallback,
        slots=tuple(
            SlotTold(
                slot=name,
                active=name == slots.active,
                why=read_reason(slot.why),
                **slot.model_dump(include=set(SlotTold.model_fields) - {"why"}),
            )
            for name, slot in sorted(slots.held.items())
        ),
        floors=slots.floors,
        left_behind=tuple(
            reason(left)
            for left in (
                left_behind(page.state_dir, current.bundle)
                if config.uses_slots and current is not None
                else ()
            )
        ),
    )


def read(page: Page) -> BundlesAnswer:
    """What the slots hold. Blocks."""
    return _told(page, SlotStore(page.state_dir).read(), page.config())


def _change(page: Page, change: Change, who: str, seen: str) -> BundlesAnswer:
    config = page.config()
    try:
        slots = change(SlotStore(page.state_dir), terms_of(config), who, seen)
    except BundleError as error:
        raise error.fault from None
    return _told(page, slots, config)


async def _bundles(call: Call) -> Answer:
    return await call.page.reading.run(functools.partial(read, call.page))


async def by_slots(call: Call) -> None:
    """Raises Refused(409) where the configuration does not use them."""
    config = await call.page.reading.run(call.page.config)
    if not config.uses_slots:
        told = f"the configuration names {config.bundle_path}, and not the slots"
        raise Refused(409, "no_slots", told, 'write `bundle = "slots"`, then restart the daemon')


async def _changed(call: Call, what: str, change: Change) -> Answer:
    page, who = call.page, call.who.user
    await by_slots(call)
    given = cast(SlotSignature, call.body)
    meaning = await sign(call, given, what)
    # Before it is done: nothing is done that the audit log could not take.
    await page.notes.note("signed", who, {"command": what, "meaning": meaning})
    bundles = await page.reading.run(functools.partial(_change, page, change, who, given.seen))
    try:
        reload = await send(call, "reload", {}, meaning)
    except Refused:
        reload = None
    return SlotsChanged(bundles=bundles, reload=reload)


async def _activate(call: Call) -> Answer:
    slot = cast(SlotPath, call.path).slot

    def change(store: SlotStore, terms: Terms, who: str, seen: str) -> Slots:
        return activate(store, slot, terms, who, seen)

    return await _changed(call, f"bundle activate {slot}", change)


async def _roll_back(call: Call) -> Answer:
    return await _changed(call, "bundle rollback", roll_back)


ENDPOINTS = (
    Endpoint("GET", "/bundles", "viewer", "what the slots hold", _bundles, BundlesAnswer),
    Endpoint(
        "POST",
        "/bundles/{slot}/activate",
        "engineer",
        "the slot that the daemon takes next, and `reload`; 409 without slots",
        _activate,
        SlotsChanged,
        SlotSignature,
        parameters=SlotPath,
        signed="always",
    ),
    Endpoint(
        "POST",
        "/bundles/rollback",
        "engineer",
        "back to the other slot, and `reload`; 409 without slots",
        _roll_back,
        SlotsChanged,
        SlotSignature,
        signed="always",
    ),
)
