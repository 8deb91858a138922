"""Whether this device still accepts the model in memory: keys and bundles may be revoked while it
predicts, and nobody need tell the daemon.

A model that is no longer accepted gives way to the other slot's, or to what the configuration
names by now; where neither can be used, results are invalid until there is one.
"""

from __future__ import annotations

from collections.abc import Callable

from spektron_edge.bundle import BundleError
from spektron_edge.bundle.errors import BundleUntrusted
from spektron_edge.bundle.trust import Signer, read_trust
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.prediction.product import take_product
from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.notices import Notices

_EVERY_S = 5.0
# A folder that is being replaced holds no keys for a moment.
_SURE_AFTER_S = 2.0
_TRY_AGAIN_S = 60.0


class TrustWatch:
    """Looks at the folder `trust.keys` again and again."""

    def __init__(
        self, serving: Serving, notices: Notices, audit: Callable[[Action], bool], now_s: float
    ) -> None:
        """audit: writes a line; now_s: of the monotonic clock."""
        self._serving, self._notices, self._audit = serving, notices, audit
        self._due_s, self._try_again_s = now_s + _EVERY_S, now_s
        self._doubted = False

    def look_after(self, config: Config, now_s: float) -> None:
        """Look, if it is time. A model is left at the second look in a row that refuses it. now_s:
        of the monotonic clock."""
        if now_s < self._due_s:
            return
        doubted = self._doubted
        self._doubted = self.look(config, now_s, sure=doubted)
        first = self._doubted and not doubted and self._serving.refused is None
        self._due_s = now_s + (_SURE_AFTER_S if first else _EVERY_S)

    def look(self, config: Config, now_s: float, *, sure: bool = True) -> bool:
        """Judge the model in memory; true if it is refused and still there. sure: leave it then."""
        signer = None
        try:
            if (trust := config.trust) is not None:
                store = read_trust(trust.keys, require_signature=trust.require_signature)
                signer = store.judge(self._serving.loaded.signed)
        except BundleUntrusted as error:
            self._notices.end((Faults.TRUST_UNUSABLE,))
            if not sure:
                return True
            self._leave(config, str(error), now_s)
            return self._serving.refused is not None
        except BundleError as error:
            # No list can be read: the last one that could goes on being true.
            self._notices.begin(error.fault)
            return False
        self._notices.end((Faults.TRUST_UNUSABLE,))
        self._accepted(signer)
        return False

    def _accepted(self, signer: Signer | None) -> None:
        serving = self._serving
        if serving.refused is not None:
            serving.refuse(None)
            self._audited("bundle_back_in_service", bundle=serving.model.bundle_id)
        if signer != serving.model.signed_by:
            # Several have signed it, and one of them does not count any more.
            serving.vouched_by(signer)
            self._audited("bundle_vouched", bundle=serving.model.bundle_id, by=serving.signed_by)

    def _leave(self, config: Config, why: str, now_s: float) -> None:
        serving = self._serving
        left, first = serving.model.bundle_id, serving.refused is None
        if first:
            # Written before anything is loaded: that may take the process down.
            self._audited("bundle_out_of_service", bundle=left, why=why)
        elif now_s < self._try_again_s:
            return
        self._try_again_s = now_s + _TRY_AGAIN_S
        try:
            loaded = take_product(config, serving.serial, running=left)
        except Fault as fault:
            more = "" if fault.kind is Faults.BUNDLE_UNTRUSTED else f"; instead of it: {fault}"
            serving.refuse(Fault(Faults.BUNDLE_UNTRUSTED, f"{why}: out of service{more}"))
            return
        serving.take(loaded)
        taken = loaded.model
        signed_by = None if taken.signed_by is None else str(taken.signed_by)
        self._audited("bundle_taken", bundle=taken.bundle_id, left=left, signed_by=signed_by)
        if not loaded.left:
            self._notices.say("bundle_taken", f"{taken.bundle_id} in place of {left}: {why}")

    def _audited(self, what: str, **details: str | None) -> None:
        self._audit(Action(what=what, who="daemon", details=dict(details)))
