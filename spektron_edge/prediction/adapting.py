"""Which adaptation an instrument predicts with, and which is only looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.adaptation_state import AdaptationStore, Entry
from spektron_edge.faults import Fault, Faults
from spektron_edge.inference import Model
from spektron_edge.publishing.notices import Notices
from spektron_edge.spectra.resampling import Resampler

from .pipeline import Shadow, in_shadow


class Adapting:
    """What the store says is in use, loaded and checked; and a shadow beside it.

    entry, adapted: in use, or the fault that it cannot be; None as the bundle was made.
    """

    def __init__(self, state_dir: Path, notices: Notices) -> None:
        self.store = AdaptationStore(state_dir)
        self._notices = notices
        self._seen = self.store.stamp
        self.entry: Entry | None = None
        self.adapted: Adapted | Fault | None = None
        self.shadow: tuple[Entry, Adapted] | None = None

    @property
    def out_of_date(self) -> bool:
        """Whether anybody changed the store since it was looked at."""
        return self.store.stamp != self._seen

    def take(self, serial: str | None, model: Model, *, replaced: bool) -> None:
        """Look at what is in use for an instrument now.

        replaced: a transfer takes the place of the graph that adaptations are made for.
        """
        self._seen = self.store.stamp
        if serial is None:
            return
        self.entry, self.adapted = None, None
        if not replaced:
            self.entry, self.adapted = self._in_use(serial, model)
        if isinstance(self.adapted, Fault):
            self._notices.begin(self.adapted)
        else:
            self._notices.end((Faults.ADAPTATION_UNUSABLE,))
        self._look_at_shadow(serial, model, replaced=replaced)

    def take_shadow(self, adapted: Adapted | None, number: int | None) -> None:
        """Look at this one from now on; None for nothing more. Raises Fault(ADAPTATION_MISSING)."""
        self.shadow = None
        if adapted is not None and number is not None:
            self.shadow = self.store.read().entry(number), adapted

    def see(
        self,
        absorbance: NDArray[np.float64] | None,
        resampler: Resampler | Fault,
        model: Model,
    ) -> Shadow | None:
        """What the shadow makes of a spectrum (P,), if there are both. Never raises."""
        if self.shadow is None or absorbance is None or isinstance(resampler, Fault):
            return None
        entry, adapted = self.shadow
        try:
            return in_shadow(absorbance, resampler, model, adapted)
        except Exception as error:  # noqa: BLE001  whatever is wrong with it, what counts goes out
            self.shadow = None
            told = f"adaptation {entry.number} is not looked at any more: {error}"
            self._notices.say("shadow_failed", told, "warning")
            return None

    def _in_use(self, serial: str, model: Model) -> tuple[Entry | None, Adapted | Fault | None]:
        entry = None
        try:
            entry = self.store.read().active(serial)
            if entry is None:
                return None, None
            return entry, self.store.load_for(entry, model).adapted
        except Fault as fault:
            # Whatever the trouble with the files is, the frozen model would be a silent guess.
            return entry, Fault(Faults.ADAPTATION_UNUSABLE, fault.detail)

    def _look_at_shadow(self, serial: str, model: Model, *, replaced: bool) -> None:
        """One of another instrument, bundle or product, or that does not wait any more, goes."""
        if self.shadow is None:
            return
        before, adapted = self.shadow
        self.shadow = None
        try:
            entry = self.store.read().entry(before.number)
        except Fault:
            return
        of = entry.serial, entry.bundle, entry.product
        fits = of == (serial, model.bundle_id, model.product.name) and not replaced
        if fits and entry.status == "proposed":
            self.shadow = entry, adapted
