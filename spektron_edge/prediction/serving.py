"""The model in use, its instrument with transfer or adaptation, and the slot it came from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.bundle import BundleError
from spektron_edge.bundle.rules import check_serial
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.trust import Signer
from spektron_edge.clock import Stamp
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.inbox import Measured
from spektron_edge.inference import Model
from spektron_edge.publishing.active_faults import QUALIFICATION
from spektron_edge.publishing.notices import Notices
from spektron_edge.spectra.acquisition import Ages, Repetition
from spektron_edge.spectra.resampling import Resampler
from spektron_edge.transfer_session.session_store import SessionStore
from spektron_edge.transfer_state import StateStore, TransferState, Version

from .adapting import Adapting
from .in_use import InUse
from .pipeline import Outcome, evaluate, failed
from .product import Loaded, take_product
from .trial import Trial


class Serving:
    """One loaded product, its resampler for the instrument's axis, its transfer or adaptation, and
    its trial.

    Trouble with the slots becomes a notice: the daemon goes on with the bundle it has. A transfer
    or adaptation that is in use and does not fit makes results invalid: without it they would be
    wrong. So it is with a model that this device no longer accepts: spectra, and no values.
    """

    def __init__(
        self,
        config: Config,
        loaded: Loaded,
        notices: Notices,
        audit: Callable[[Action], bool],
        changed: Callable[[Loaded], None],
    ) -> None:
        """audit: writes a line, false when the disk does not take it; changed: another model."""
        self._store = SlotStore(config.state_dir)
        self._transfers = StateStore(config.state_dir)
        self._sessions = SessionStore(config.state_dir)
        self._adapting = Adapting(config.state_dir, notices)
        self._notices = notices
        self._audit = audit
        self._changed = changed
        self.serial: str | None = None
        self._axis_nm: NDArray[np.float64] | None = None
        self._fit: Resampler | Fault = Fault(Faults.AXIS_INVALID, "no axis is known yet")
        self._transfer: TransferState | Fault | None = None
        self._loaded = loaded
        self.refused: Fault | None = None
        self.transfer: Version | None = None
        self._told_of_backend = ""
        self._repetition = Repetition()
        self.trial = Trial(self._store, loaded, time.monotonic())

    @property
    def model(self) -> Model:
        """The model in use."""
        return self._loaded.model

    @property
    def loaded(self) -> Loaded:
        """The model in use, and where it came from."""
        return self._loaded

    @property
    def signed_by(self) -> str | None:
        """Who signed the model in use, as far as anybody was asked for."""
        signer = self.model.signed_by
        return None if signer is None else str(signer)

    @property
    def in_use(self) -> InUse:
        """What stands beside the model."""
        shadow = None if self._adapting.shadow is None else self._adapting.shadow[0]
        return InUse(self.transfer, self._adapting.entry, shadow)

    @property
    def adapted(self) -> Adapted | Fault | None:
        """What spectra are corrected with, or the fault that it cannot be had."""
        return self._adapting.adapted

    @property
    def unfit(self) -> Fault | None:
        """Why no result is valid whatever is measured: what is in use does not fit the model."""
        for found in (self.refused, self._transfer, self.adapted):
            if isinstance(found, Fault):
                return found
        return None

    @property
    def shadow(self) -> Adapted | None:
        """The adaptation that is computed beside what counts."""
        return None if self._adapting.shadow is None else self._adapting.shadow[1]

    def take(self, loaded: Loaded) -> None:
        """Predict with another model from now on, and say so."""
        self._loaded = loaded
        self.refuse(None)
        self.trial = Trial(self._store, loaded, time.monotonic())
        self._refit()
        self._changed(loaded)
        self.tell_of_backend()
        self.tell_of_choice()
        self.tell_of_changes()

    def vouched_by(self, signer: Signer | None) -> None:
        """The model in use stays, and another signature counts for it."""
        self._loaded = replace(self._loaded, model=replace(self.model, signed_by=signer))
        self._changed(self._loaded)

    def refuse(self, why: Fault | None) -> None:
        """Use the model in memory no longer, or again: None. why: BUNDLE_UNTRUSTED."""
        self.refused = why
        if why is None:
            self._notices.end((Faults.BUNDLE_UNTRUSTED,))
        else:
            self._notices.begin(why)

    def instrument(self, serial: str, axis_nm: NDArray[np.float64]) -> None:
        """Who measures; axis_nm: (P,) in nm."""
        self.serial, self._axis_nm = serial, axis_nm
        self._refit()
        if self.in_use != InUse():
            self._changed(self._loaded)

    def take_changes(self) -> None:
        """Predict with the transfer and the adaptation that are in use for the instrument now, and
        say so."""
        before = self.in_use
        self._refit()
        if self.in_use != before:
            self._changed(self._loaded)
        self.tell_of_changes()

    def take_shadow(self, adapted: Adapted | None, number: int | None = None) -> None:
        """Compute this beside what counts from now on; None for nothing more.

        number: of the proposal. Raises Fault(ADAPTATION_MISSING).
        """
        self._adapting.take_shadow(adapted, number)

    def look_after_adaptations(self) -> None:
        """Take up at once what was done to adaptations on the command line."""
        if self._adapting.out_of_date:
            self.take_changes()

    def evaluate(self, measured: Measured, ages: Ages, now: Stamp) -> Outcome:
        """Evaluate one scan; see `pipeline.evaluate`."""
        try:
            self._repetition.check(measured.scan)
        except Fault as fault:
            return failed(fault)
        outcome = evaluate(
            measured.scan,
            measured.references,
            self._fit,
            self.model,
            ages,
            now,
            self._transfer,
            self._adapting.adapted,
            self.refused,
        )
        if self.refused is not None:
            return outcome
        if outcome.values is not None:
            self.trial.predicted()
        shadow = self._adapting.see(outcome.absorbance, self._fit, self.model)
        if self.model.fell_back != self._told_of_backend:
            # The GPU failed just now: the retained record must not go on naming it.
            self._changed(self._loaded)
            self.tell_of_backend()
        return outcome if shadow is None else replace(outcome, shadow=shadow)

    def tell_of_choice(self) -> None:
        """Say that another product is measured than an operator chose, or that it no longer is."""
        if self._loaded.unfit:
            self._notices.begin(Fault(Faults.CHOICE_UNFIT, self._loaded.unfit))
        else:
            self._notices.end((Faults.CHOICE_UNFIT,))

    def tell_of_backend(self) -> None:
        """Say that the CPU computes what a GPU was asked to, or that it no longer does."""
        why = self._told_of_backend = self.model.fell_back
        if why:
            self._notices.begin(Fault(Faults.BACKEND_FELL_BACK, why))
        else:
            self._notices.end((Faults.BACKEND_FELL_BACK,))

    def give_way(self, config: Config, why: Fault) -> None:
        """Leave a bundle on trial that cannot predict for the one before it, if there is one."""
        with self._notices.noticed():
            if self.trial.failed(why.detail):
                self.take(take_product(config, self.serial))

    def look_after_trial(self, now_s: float) -> None:
        """See whether a bundle on trial has proven itself. now_s: of the monotonic clock."""
        if not self.trial.on:
            return
        with self._notices.noticed():
            # A new bundle has yet to be qualified, which says nothing about whether it works.
            due = {kind.value.code for kind in QUALIFICATION}
            self.trial.look(now_s, troubled=bool(set(self._notices.codes) - due))
        if not self.trial.on:
            self.tell_of_changes()

    def end_in_order(self) -> None:
        """The daemon ends, and not because of a fault."""
        with self._notices.noticed():
            self.trial.stopped()

    def tell_of_changes(self) -> None:
        """Audit and announce what operators and trials did to the slots, transfers and
        adaptations."""
        for ledger in (self.trial, self._transfers, self._sessions, self._adapting.store):
            self._tell_of(ledger)

    def _tell_of(self, ledger: Trial | StateStore | SessionStore | AdaptationStore) -> None:
        with self._notices.noticed():
            for action in ledger.untold():
                if not self._audit(action):
                    return
                ledger.told(1)
                if action.what == Faults.BUNDLE_FELL_BACK.value.code:
                    left, why = action.details.get("left"), action.details.get("why")
                    self._notices.once(Fault(Faults.BUNDLE_FELL_BACK, f"left {left}: {why}"))
                else:
                    said = ", ".join(f"{k} {v}" for k, v in action.details.items())
                    self._notices.say(action.what, f"{said}, by {action.who}")

    def _refit(self) -> None:
        if self._axis_nm is None or self.serial is None:
            self._adapting.take(None, self.model, replaced=False)
            return
        self.transfer, self._transfer = self._transfer_for(self.serial, self._axis_nm)
        if isinstance(self._transfer, Fault):
            self._notices.begin(self._transfer)
        else:
            self._notices.end((Faults.TRANSFER_UNUSABLE,))
        self._adapting.take(self.serial, self.model, replaced=self._transfer is not None)
        try:
            check_serial(self.model.devices, self.serial)
            self._fit = Resampler.between(self._axis_nm, self.model.product.grid.axis())
        except BundleError as error:
            self._fit = error.fault
        except Fault as fault:
            self._fit = fault
        if isinstance(self._fit, Fault) and self._transfer is None:
            self._notices.begin(self._fit)

    def _transfer_for(
        self, serial: str, axis_nm: NDArray[np.float64]
    ) -> tuple[Version | None, TransferState | Fault | None]:
        version = None
        try:
            version = self._transfers.read().active(serial)
            if version is None:
                return None, None
            state = self._transfers.load(version)
            misfit = state.misfit(self.model.bundle_id, self.model.product, axis_nm)
            if misfit:
                detail = f"transfer {version.number} cannot be used: {misfit}"
                raise Fault(Faults.TRANSFER_UNUSABLE, detail)
        except Fault as fault:
            # Whatever the trouble with the files is, predicting without would be a silent guess.
            return version, Fault(Faults.TRANSFER_UNUSABLE, fault.detail)
        return version, state
