"""What an operator does with slots: install, activate, roll back.

Each verifies first and changes `slots.json` last, so that a power cut leaves what was there before
or what was asked for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.backend_choice import CPU, BackendChoice
from spektron_edge.files.durable import share_with_owner, sync_folder
from spektron_edge.files.state_folder import storage_fault

from .archive import MAX_TOTAL_BYTES, Bundle, read_bundle
from .errors import BundleError
from .manifest import Precision
from .rules import check_serial, check_version
from .self_test import self_test
from .slot_store import SlotStore
from .slots import Slot, SlotName, Slots, activated, free_slot, installed, lowered, rolled_back
from .trust import Signer, TrustStore

_INCOMING = "incoming.partial"
_CHUNK = 2**20


@dataclass(frozen=True)
class Terms:
    """What a bundle has to meet on this device.

    trust: None where no signature is asked for; serial: of the instrument, where it is known;
    backend: what the daemon runs it with. A self-test runs on the CPU.
    """

    trust: TrustStore | None
    product: str | None
    precision: Precision | None
    serial: str | None = None
    backend: BackendChoice = CPU

    def admit(self, bundle: Bundle) -> Signer | None:
        """Who signed it. Raises BundleError for whom this device does not accept it from."""
        if self.serial is not None:
            check_serial(bundle.manifest.devices, self.serial)
        return None if self.trust is None else self.trust.judge(bundle)


@dataclass(frozen=True)
class Installed:
    """What came into which slot. tried: what the self-test did."""

    slot: SlotName
    bundle: str
    signer: Signer | None
    tried: tuple[str, ...]


def install(store: SlotStore, source: Path, terms: Terms, who: str) -> Installed:
    """Copy a bundle into the slot that is not active, once it has been verified and tried.

    Raises BundleError or Fault; then the slots are as they were.
    """
    with store.installing():
        slots = store.read()
        target = free_slot(slots)
        incoming = store.folder / _INCOMING
        try:
            digest = _copy(source, incoming)
            bundle = read_bundle(incoming)
            if slots.current is not None and slots.current.bundle == bundle.id:
                raise BundleError(f"{bundle.id} is in slot {slots.active} already, and active")
            signer = terms.admit(bundle)
            if signer is not None:
                check_version(bundle.manifest, slots.floors)
            tried = self_test(bundle, terms.product, terms.precision)
            file = f"{target}-{digest[:12]}.spektron"
            share_with_owner(incoming)
            incoming.replace(store.folder / file)
            sync_folder(store.folder)
        except BundleError as error:
            # The reader knows the copy only; the operator knows the original.
            raise type(error)(str(error).replace(str(incoming), str(source))) from None
        except OSError as error:
            raise storage_fault(error, store.folder) from None
        finally:
            incoming.unlink(missing_ok=True)
        slot = Slot(
            file=file,
            bundle=bundle.id,
            name=bundle.manifest.name,
            version=bundle.manifest.version,
            signed_by=None if signer is None else str(signer),
            state="candidate",
        )
        _sweep(store, store.update(lambda now: installed(now, target, slot, who)))
    return Installed(target, bundle.id, signer, tried)


def activate(
    store: SlotStore, name: SlotName, terms: Terms, who: str, seen: str | None = None
) -> Slots:
    """Point at a slot, after another look at its bundle; the daemon takes it next. seen: bundle
    that is thought to be in it.

    Raises BundleError or Fault; then the slots are as they were.
    """

    def change(slots: Slots) -> Slots:
        after = activated(slots, name, who, seen)
        slot = after.held[name]
        bundle = read_bundle(store.path(slot))
        if terms.admit(bundle) is not None:
            check_version(bundle.manifest, slots.floors)
        return after

    return store.update(change)


def roll_back(store: SlotStore, terms: Terms, who: str, seen: str | None = None) -> Slots:
    """Point at the other slot, though its version may be lower. seen: bundle that is thought to be
    in use.

    Raises BundleError or Fault; then the slots are as they were.
    """

    def change(slots: Slots) -> Slots:
        after = rolled_back(slots, who, seen)
        if after.current is not None:
            terms.admit(read_bundle(store.path(after.current)))
        return after

    return store.update(change)


def accept_older(store: SlotStore, configured: Path, terms: Terms, who: str) -> Bundle:
    """Accept the configured file though a newer version was accepted before.

    Raises BundleError or Fault; then everything is as it was.
    """
    bundle = read_bundle(configured)
    terms.admit(bundle)
    self_test(bundle, terms.product, terms.precision)
    manifest = bundle.manifest
    store.update(lambda now: lowered(now, manifest.name, manifest.version, bundle.id, who))
    return bundle


def _copy(source: Path, target: Path) -> str:
    """Copy under the cap and onto the disk; SHA-256 of what was copied.

    Raises BundleError for a source that cannot be read, OSError for the target.
    """
    try:
        # Opening a pipe would wait for its other end.
        if not stat.S_ISREG(source.stat().st_mode):
            raise BundleError(f"{source} is not a file")
        reading = source.open("rb")
    except OSError as error:
        raise BundleError(f"cannot read {source}: {error.strerror}") from None
    digest, size = hashlib.sha256(), 0
    with reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            size += len(chunk)
            if size > MAX_TOTAL_BYTES:
                raise BundleError(f"{source} is larger than any bundle may be")
            digest.update(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def _sweep(store: SlotStore, slots: Slots) -> None:
    """Remove slot files that nothing points at: the one that was replaced, and what a power cut
    left behind."""
    kept = {slot.file for slot in slots.held.values()}
    for path in store.folder.glob("[ab]-*.spektron"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
