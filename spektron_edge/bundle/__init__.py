"""Model bundles (`*.spektron`): the archive, who signed it, and the two slots of a device."""

from .archive import Bundle, read_bundle, write_bundle
from .errors import BundleElsewhere, BundleError, BundleOlder, BundleUntrusted, TrustUnusable

__all__ = [
    "Bundle",
    "BundleElsewhere",
    "BundleError",
    "BundleOlder",
    "BundleUntrusted",
    "TrustUnusable",
    "read_bundle",
    "write_bundle",
]
