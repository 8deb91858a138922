"""The bundle: who signed it, its slot, its self-test; and the transfers and adaptations of it."""

from __future__ import annotations

from collections.abc import Iterator

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.self_test import self_test
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.config.file import Config
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.prediction.product import Loaded, current_slot, load_product
from spektron_edge.support.state_report import describe_adaptations, describe_transfers
from spektron_edge.transfer_state import StateStore

from .finding import Finding, of_fault, ok, unseen, warning

BUNDLE, CALIBRATION = "bundle", "calibration"


def loaded(config: Config) -> Loaded:
    """What a daemon would predict with: signature and golden vectors hold. Raises Fault."""
    return load_product(config)


def look_at_bundle(config: Config, found: Loaded) -> Iterator[Finding]:
    """found: as `loaded` gave it. Raises Fault."""
    model = found.model
    signed = "anybody's is accepted" if config.trust is None else f"signed by {model.signed_by}"
    yield ok(BUNDLE, f"{model.bundle_id}, product {model.product.name}; {signed}")
    store = SlotStore(config.state_dir)
    path = config.bundle_path
    if config.uses_slots:
        path = store.path(current_slot(store.read(), store.folder))
    try:
        tried = self_test(read_bundle(path), model.product.name, config.precision)
    except BundleError as error:
        yield of_fault(BUNDLE, error.fault)
        return
    yield ok(BUNDLE, f"self-test: {'; '.join(tried)}")
    if found.on_trial:
        step = "none: it proves itself by scans, or the one before comes back"
        yield warning(BUNDLE, "it is on trial in its slot", step)
    if found.unfit:
        yield warning(BUNDLE, found.unfit, "send `choose-product` again")
    if model.fell_back:
        step = "results are right, and slower; `spektron-edge bench-device` shows what runs here"
        yield warning(BUNDLE, model.fell_back, step)


def look_at_calibration(config: Config) -> Iterator[Finding]:
    """Whether the files can be read, and what is in use. Raises Fault."""
    chosen = ChoiceStore(config.state_dir)
    chosen.read()
    for words in chosen.in_words:
        yield ok(CALIBRATION, f"chosen by operators: {words}")
    transfers = StateStore(config.state_dir).read()
    adaptations = AdaptationStore(config.state_dir).read()
    for kind, told in (
        ("transfer", describe_transfers(transfers)),
        ("adaptation", describe_adaptations(adaptations)),
    ):
        for where, state in told.items():
            if where.startswith("on "):
                yield ok(CALIBRATION, f"{kind} {where}: {state}")
    if not transfers.held and not adaptations.held:
        yield unseen(CALIBRATION, "no transfer and no adaptation: the bundle's own is in use")
