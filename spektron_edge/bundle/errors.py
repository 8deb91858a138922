"""Why a bundle may not be used, each with its fault of the catalogue."""

from __future__ import annotations

from typing import ClassVar

from spektron_edge.faults import Fault, Faults


class BundleError(Exception):
    """The file is not a bundle that may be used; the message says why and what to do."""

    kind: ClassVar[Faults] = Faults.BUNDLE_INVALID

    @property
    def fault(self) -> Fault:
        """The catalogue's fault for this refusal."""
        return Fault(self.kind, str(self))


class BundleUntrusted(BundleError):
    """Nobody whom this device trusts has signed it."""

    kind = Faults.BUNDLE_UNTRUSTED


class BundleOlder(BundleError):
    """A newer version of the same bundle was accepted before."""

    kind = Faults.BUNDLE_OLDER


class BundleElsewhere(BundleError):
    """It was made for other instruments."""

    kind = Faults.BUNDLE_ELSEWHERE


class TrustUnusable(BundleError):
    """The folder of public keys cannot be relied on."""

    kind = Faults.TRUST_UNUSABLE


class KeyUnusable(BundleError):
    """A private key's file is not what it should be."""

    kind = Faults.KEY_UNUSABLE
