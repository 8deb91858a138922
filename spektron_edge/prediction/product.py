"""The product that a configuration names, loaded and checked: from a file, or from the slots."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from spektron_edge.bundle import Bundle, BundleError, read_bundle
from spektron_edge.bundle.install import Terms
from spektron_edge.bundle.manifest import Manifest
from spektron_edge.bundle.rules import check_version
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import Slot, Slots, accepted, begun, fell_back
from spektron_edge.bundle.trust import read_trust
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.inference import Model, load_model

# What speaks against the bundle itself. A trust store that cannot be read is no reason to leave it.
_OF_THE_BUNDLE = (Faults.BUNDLE_INVALID, Faults.BUNDLE_UNTRUSTED, Faults.BUNDLE_ELSEWHERE)


@dataclass(frozen=True)
class Loaded:
    """A model ready to predict, and where it came from.

    created_utc_s: when its bundle was made, seconds since 1970; on_trial: it still has to prove
    itself in its slot; left: why it is not the one that was asked for, empty when it is; unfit: why
    it is not the product that an operator chose, empty when it is; products: that there are;
    signed: its bundle without members, for another look at who signed it.
    """

    model: Model
    created_utc_s: float
    name: str
    version: int
    signed: Bundle
    on_trial: bool = False
    left: str = ""
    unfit: str = ""
    products: tuple[str, ...] = ()


def product_of(config: Config, manifest: Manifest) -> str | None:
    """The product that an operator chose, where the bundle has it, else the configured one.

    Raises Fault(STATE_DAMAGED) where nobody can tell what was chosen.
    """
    chosen = ChoiceStore(config.state_dir).read().product
    if chosen is not None and any(p.name == chosen.product for p in manifest.products):
        return chosen.product
    return config.product


def terms_of(config: Config, serial: str | None = None) -> Terms:
    """What the configuration asks of a bundle. Raises Fault(TRUST_UNUSABLE)."""
    trust = None
    if config.trust is not None:
        try:
            trust = read_trust(config.trust.keys, require_signature=config.trust.require_signature)
        except BundleError as error:
            raise error.fault from None
    return Terms(trust, config.product, config.precision, serial, config.backend)


def load_product(config: Config, serial: str | None = None) -> Loaded:
    """The configured model; nothing is changed or counted.

    serial: of the instrument, where it is known. Raises Fault for a bundle that may not be used.
    """
    store, terms = SlotStore(config.state_dir), terms_of(config, serial)
    slots = store.read()
    if config.uses_slots:
        return _from_slot(config, store, current_slot(slots, store.folder), terms)
    return _load(config, config.bundle_path, terms, slots)


def take_product(config: Config, serial: str | None = None, running: str = "") -> Loaded:
    """The configured model, taken into use: starts of a trial are counted, versions remembered.

    running: id of the bundle that is in use already. Falls back to the other slot when the active
    one cannot be used and the other is good. Raises Fault; then nothing was changed but a count.
    """
    store, terms = SlotStore(config.state_dir), terms_of(config, serial)
    if config.uses_slots:
        loaded = _begin(config, store, terms, running)
    else:
        loaded = _load(config, config.bundle_path, terms, store.read())
    remember(config, loaded)
    return loaded


def remember(config: Config, loaded: Loaded) -> None:
    """Nothing older than this bundle from now on, if it is signed. Raises Fault."""
    if loaded.model.signed_by is not None:
        SlotStore(config.state_dir).update(
            functools.partial(accepted, name=loaded.name, version=loaded.version)
        )


def _begin(config: Config, store: SlotStore, terms: Terms, running: str) -> Loaded:
    current = current_slot(store.read(), store.folder)
    # Counted before it is loaded: a graph may take the whole process down.
    slots = store.read() if current.bundle == running else store.update(begun)
    chosen = current_slot(slots, store.folder)
    left = "" if chosen.bundle == current.bundle else f"{current.bundle} did not start in order"
    try:
        return _from_slot(config, store, chosen, terms, left)
    except Fault as fault:
        if fault.kind not in _OF_THE_BUNDLE or slots.fallback is None:
            raise
        why = fault.detail
        other = slots.held[slots.fallback]
    try:
        # Loaded before the pointer moves: where neither can be used, nothing is changed.
        loaded = _from_slot(config, store, other, terms, why)
    except Fault:
        raise Fault(Faults.BUNDLE_INVALID, f"{why}; the other slot cannot be used either") from None
    store.update(functools.partial(fell_back, why=why))
    return loaded


def current_slot(slots: Slots, folder: Path) -> Slot:
    """The active one's contents. Raises Fault(BUNDLE_INVALID)."""
    if slots.current is None:
        detail = f"no slot in {folder} is active; `spektron-edge bundle install` and `activate`"
        raise Fault(Faults.BUNDLE_INVALID, detail)
    return slots.current


def _from_slot(
    config: Config, store: SlotStore, slot: Slot, terms: Terms, left: str = ""
) -> Loaded:
    # Its version was judged at installation; going back was an operator's or a trial's choice.
    path = store.path(slot)
    loaded = _load(config, path, terms, None, on_trial=slot.state == "trying", left=left)
    if loaded.model.bundle_id != slot.bundle:
        detail = f"{path} holds {loaded.model.bundle_id}, not {slot.bundle}, which was installed"
        raise Fault(Faults.BUNDLE_INVALID, detail)
    return loaded


def _load(
    config: Config,
    path: Path,
    terms: Terms,
    slots: Slots | None,
    *,
    on_trial: bool = False,
    left: str = "",
) -> Loaded:
    """slots: whose floors the bundle has to meet, or None."""
    try:
        bundle = read_bundle(path)
        signer = terms.admit(bundle)
        if signer is not None and slots is not None:
            check_version(bundle.manifest, slots.floors)
        product = product_of(config, bundle.manifest)
        model = load_model(bundle, product, terms.precision, signer, terms.backend)
    except BundleError as error:
        raise error.fault from None
    manifest = bundle.manifest
    created_utc_s = manifest.provenance.created.timestamp()
    chosen = ChoiceStore(config.state_dir).read().product
    unfit = ""
    if chosen is not None and chosen.product != model.product.name:
        unfit = f"{bundle.id} has no product {chosen.product!r}, which {chosen.by} chose"
    return Loaded(
        model,
        created_utc_s,
        manifest.name,
        manifest.version,
        replace(bundle, members={}),
        on_trial,
        left,
        unfit,
        tuple(p.name for p in manifest.products),
    )
